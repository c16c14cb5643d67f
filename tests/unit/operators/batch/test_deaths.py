"""A list whose task dies, is retried or cleared: billed is what was intended."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from airflow_provider_siliconflow.exceptions import (
    SubmitOutcomeUnknownError,
    SubmitRecordError,
)
from airflow_provider_siliconflow.jobs.envelope import decode
from airflow_provider_siliconflow.sandbox.server import Sandbox
from tests.releases import ReadRecord, WriteRecord, written
from tests.unit.operators.batch.runs import (
    FAILS,
    FINISHED_AFTER,
    all_ids,
    archived,
    batching,
    retried,
    run_to_end,
    state_of,
    states,
    woken,
)
from tests.unit.worker import Killed


class DiesAt:
    """Kill the worker at its n-th message, and let nothing that it sends later arrive."""

    def __init__(self, count: int) -> None:
        self.left = count
        self.is_dead = False

    def __call__(self, message: Any) -> None:
        self.left -= 1
        self.is_dead |= self.left == 0
        if self.is_dead:
            raise Killed


def test_a_death_at_any_message_pays_for_no_video_twice_and_loses_none(sandbox: Sandbox, tmp_path: Path) -> None:
    """Until a whole try fits before the death."""
    intended = 2
    for death in range(1, 100):
        sandbox.reset()
        folder = tmp_path / str(death)
        run = batching(folder, ["a cat", "a cat"])
        run.before = DiesAt(death)
        report = run_to_end(run, sandbox)
        if report.state == "success" or run.has_succeeded:
            # Airflow knows of the success: a death as the records are deleted brings no further try.
            break
        assert report.state == "killed"
        run.before = lambda message: None
        run.deferral = None
        report = retried(run, sandbox)

        ledger = sandbox.ledger()
        assert ledger.billed <= intended, death
        result = run.xcoms.get("return_value") or run.xcoms["manifest"]
        assert report.state == ("failed" if result["unknown"] else "success"), death
        # An intent without an id is the one thing that a record cannot decide: it is told, and not paid again.
        assert result["archived"] + result["unknown"] == intended, death
        assert result["unknown"] <= 1, death
        assert {row["request_id"] for row in result["videos"] if row["state"] == "archived"} == archived(folder), death
        assert ledger.billed - result["archived"] <= result["unknown"], death
    assert death > 12


def test_deaths_leave_no_unknown_outcome_but_between_intent_and_id(sandbox: Sandbox, tmp_path: Path) -> None:
    """The first submit is known, the second is not, and the third was never begun."""

    def die(message: Any) -> None:
        if isinstance(message, WriteRecord) and sandbox.ledger().accepted == 2:
            raise Killed

    run = batching(tmp_path, ["a", "b", "c"])
    run.before = die
    assert run.work().state == "killed"
    run.before = lambda message: None
    report = retried(run, sandbox)
    assert report.state == "failed", "what may be billed and is not archived never ends in success"
    assert isinstance(report.error, SubmitOutcomeUnknownError)
    assert states(run) == ["archived", "unknown", "archived"]
    assert sandbox.ledger().billed == 3


def test_a_retry_after_a_death_while_deferred_reattaches_to_all(sandbox: Sandbox, tmp_path: Path) -> None:
    run = batching(tmp_path, ["a", "b"])
    assert run.work().state == "deferred"
    assert run.fail_deferral("the triggerer is gone").state == "deferred"
    sandbox.advance(FINISHED_AFTER)
    assert run_to_end(run, sandbox).state == "success"
    assert archived(tmp_path) == all_ids(sandbox)
    assert sandbox.ledger().billed == 2


def test_a_retry_polls_at_once_and_downloads_nothing_twice(sandbox: Sandbox, tmp_path: Path) -> None:
    run = batching(tmp_path, ["a", FAILS], fail_on_partial_error=True)
    assert run_to_end(run, sandbox).state == "up_for_retry"
    assert sandbox.ledger().fetched == 1
    run.next_try()
    assert run.work().state == "deferred"  # the failed one alone
    assert sandbox.ledger().fetched == 1
    assert sandbox.ledger().billed == 3
    assert [row["state"] for row in state_of(run)["items"]] == ["archived"]


def test_a_list_that_changes_between_the_tries_pays_for_nothing_twice(sandbox: Sandbox, tmp_path: Path) -> None:
    run = batching(tmp_path, ["a", "b", "b"])
    assert run.work().state == "deferred"
    run.fail_deferral("gone")
    run.task.requests = ["new", "b", "a", "b"]
    assert retried(run, sandbox).state == "success"
    assert states(run) == ["archived"] * 4
    assert sorted(job["prompt"] for job in sandbox.ledger().jobs) == ["a", "b", "b", "new"]
    assert archived(tmp_path) == all_ids(sandbox)


def test_a_clear_pays_again_unless_told_not_to(sandbox: Sandbox, tmp_path: Path) -> None:
    for reuse, billed in ((False, 4), (True, 2)):
        sandbox.reset()
        run = batching(tmp_path, ["a", "b"], reuse_on_clear=reuse)
        assert run_to_end(run, sandbox).state == "success"
        run.reset_by_clear()
        assert run_to_end(run, sandbox).state == "success"
        assert sandbox.ledger().billed == billed


def test_before_airflow_3_3_the_way_is_the_same_and_no_variable_of_the_task_is_left(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    run = batching(tmp_path, ["a", FAILS])
    run.has_store = False
    assert run_to_end(run, sandbox).state == "success"
    assert states(run) == ["archived", "failed"]
    assert [decode(value) for value in run.variables.values()] == ["control"]


def test_a_store_that_cannot_be_read_submits_nothing_and_is_retried(sandbox: Sandbox, tmp_path: Path) -> None:
    def fail(message: Any) -> None:
        if isinstance(message, ReadRecord):
            raise RuntimeError("the database is away")

    run = batching(tmp_path, ["a", "b"])
    run.before = fail
    report = run.work()
    assert isinstance(report.error, SubmitRecordError)
    assert report.state == "up_for_retry"
    assert sandbox.ledger().submit_calls == 0


def writes_id(message: Any) -> bool:
    return bool((written(message) or {}).get("request_id"))


def test_a_request_id_whose_first_write_failed_is_written_before_the_deferral(sandbox: Sandbox, tmp_path: Path) -> None:
    """Else a death while deferred makes it unknown: billed 3, archived 2."""
    failed = False

    def fail_once(message: Any) -> None:
        nonlocal failed
        if writes_id(message) and not failed:
            failed = True
            raise RuntimeError("the API server is away")

    run = batching(tmp_path, ["a", "b"])
    run.before = fail_once
    assert run.work().state == "deferred"
    assert failed
    run.deferral = None
    assert retried(run, sandbox).state == "success"
    assert sandbox.ledger().billed == 2
    assert archived(tmp_path) == all_ids(sandbox)


def test_a_request_id_that_cannot_be_written_is_tried_again_at_each_resume(sandbox: Sandbox, tmp_path: Path) -> None:
    def fail(message: Any) -> None:
        if writes_id(message):
            raise RuntimeError("the API server is away")

    run = batching(tmp_path, ["a", "b"])
    run.before = fail
    assert run.work().state == "deferred"
    run.before = lambda message: None
    assert woken(run).state == "deferred"
    run.deferral = None
    assert retried(run, sandbox).state == "success"
    assert sandbox.ledger().billed == 2
