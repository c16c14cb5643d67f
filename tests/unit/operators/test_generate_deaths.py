"""One task that dies, is cleared, or has no record: in Airflow's own worker code, against the sandbox's ledger."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.execution_time import comms

from airflow_provider_siliconflow.archive.publish import publish
from airflow_provider_siliconflow.exceptions import (
    DestinationError,
    VideoFailedError,
    VideoTimeoutError,
)
from airflow_provider_siliconflow.jobs.envelope import decode
from airflow_provider_siliconflow.sandbox.faults import Fault
from airflow_provider_siliconflow.sandbox.server import Sandbox
from tests.releases import ReadRecord, WriteRecord, written
from tests.unit.operators.tasks import FAILS, FINISHED_AFTER, generating, is_archived, run_to_end
from tests.unit.worker import DiesBefore, Killed

pytestmark = pytest.mark.usefixtures("first_poll_at_once")


@pytest.mark.parametrize(
    "dies",
    [
        pytest.param(DiesBefore(WriteRecord), id="before the intent"),
        pytest.param(DiesBefore(comms.SetXCom, "submission"), id="after the id"),
        pytest.param(DiesBefore(comms.DeferTask), id="before the deferral"),
        pytest.param(None, id="while deferred"),
        pytest.param(DiesBefore(ReadRecord), id="on resume"),
        pytest.param(DiesBefore(comms.SetXCom, "'video'"), id="before the download"),
        pytest.param(DiesBefore(comms.SetXCom, "'manifest'"), id="after publish"),
        pytest.param(DiesBefore(comms.SucceedTask), id="before success"),
    ],
)
def test_a_retry_reattaches_to_its_own_video_after_any_death(
    sandbox: Sandbox, clip: Path, dies: DiesBefore | None
) -> None:
    run = generating(clip)
    on_resume = dies is not None and dies.kind is ReadRecord
    run.before = dies if dies and not on_resume else run.before
    if run.work().state == "deferred":
        sandbox.advance(FINISHED_AFTER)
        if dies:
            run.before = dies
            assert run.work().state == "killed"
    before = sandbox.ledger()

    run.before = lambda message: None
    run.next_try()
    sandbox.advance(FINISHED_AFTER)
    report = run.work()
    if report.state == "deferred":
        sandbox.advance(FINISHED_AFTER)
        report = run.work()

    assert report.state == "success"
    assert sandbox.ledger().billed == 1
    assert is_archived(clip, sandbox)
    assert sandbox.ledger().fetched == 1
    if before.fetched:
        assert sandbox.ledger().download_calls == before.download_calls, "what is published is not fetched again"


@pytest.mark.parametrize("when", ["before publish", "after publish"])
def test_a_death_around_the_final_name_leaves_a_whole_video_or_none(
    sandbox: Sandbox, clip: Path, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*arguments: Any) -> Any:
        if when == "after publish":
            publish(*arguments)
        raise Killed

    run = generating(clip)
    with monkeypatch.context() as patch:
        patch.setattr("airflow_provider_siliconflow.archive.archiver.publish", die)
        assert run_to_end(run, sandbox).state == "killed"
    assert clip.exists() == (when == "after publish")

    assert run.retry().state == "success"
    assert is_archived(clip, sandbox)
    ledger = sandbox.ledger()
    assert (ledger.billed, ledger.fetched) == (1, 1 if when == "after publish" else 2)


@pytest.mark.parametrize(
    "forgets",
    [
        Fault("status", "not_found", times=0),
        Fault("status", "server_error", times=0),
        Fault("status", "answer", status=200, body='{"status": "Failed"}', times=0),
    ],
    ids=["not found", "server error", "failed"],
)
def test_what_is_archived_is_done_even_if_the_service_has_forgotten_it(
    sandbox: Sandbox, clip: Path, forgets: Fault
) -> None:
    run = generating(clip, timeout=0)
    run.work()
    sandbox.advance(FINISHED_AFTER)
    run.before = DiesBefore(comms.SetXCom, "'manifest'")
    assert run.work().state == "killed"
    sandbox.script(forgets)

    report = run.retry()

    assert report.state == "success"
    assert not run.record["closed"]
    assert run.xcoms["return_value"] == run.xcoms["manifest"]["path"] == str(clip)
    assert (sandbox.ledger().billed, sandbox.ledger().fetched) == (1, 1)


def test_a_triggerer_that_is_lost_costs_nothing(sandbox: Sandbox, clip: Path) -> None:
    run = generating(clip)
    run.work()
    assert run.fail_deferral().state == "up_for_retry"
    sandbox.advance(FINISHED_AFTER)
    assert run.retry().state == "success"
    assert sandbox.ledger().billed == 1


def test_a_clear_after_success_pays_only_where_the_new_video_has_a_place(sandbox: Sandbox, clip: Path) -> None:
    run = generating(clip)
    run_to_end(run, sandbox)
    report = run.clear()
    assert report.state == "failed"
    assert isinstance(report.error, DestinationError)
    assert sandbox.ledger().submit_calls == 1

    run.task.if_exists = "overwrite"
    run.max_tries += 1
    run.next_try()
    assert run_to_end(run, sandbox).state == "success"
    assert sandbox.ledger().billed == 2
    assert is_archived(clip, sandbox, job=1)


def test_an_id_that_could_not_be_kept_is_kept_by_the_next_process(sandbox: Sandbox, clip: Path) -> None:
    def fail(message: Any) -> None:
        if (written(message) or {}).get("request_id"):
            raise RuntimeError("the API server is away")

    run = generating(clip)
    run.before = fail
    assert run.work().state == "deferred"
    assert run.record["request_id"] is None
    run.before = lambda message: None
    paid = sandbox.ledger().jobs[0]["request_id"]

    report = run.resume({"status": "timed_out", "request_id": paid, "deadline": 1.0})

    assert type(report.error) is VideoTimeoutError
    assert run.record["request_id"] == paid
    sandbox.advance(FINISHED_AFTER)
    assert run.retry().state == "success"
    assert sandbox.ledger().billed == 1


def test_before_airflow_3_3_a_late_video_is_on_record_as_well(sandbox: Sandbox, clip: Path) -> None:
    run = generating(clip, timeout=0)
    run.has_store = False
    report = run.finish()
    assert type(report.error) is VideoTimeoutError
    assert "A retry of this task re-attaches to it, which costs nothing" in str(report.error)


def test_before_airflow_3_3_the_way_is_the_same_and_no_variable_of_the_task_is_left(
    sandbox: Sandbox, clip: Path
) -> None:
    run = generating(clip)
    run.has_store = False
    assert run_to_end(run, sandbox).state == "success"
    assert is_archived(clip, sandbox)
    assert [decode(value) for value in run.variables.values()] == ["control"]


def test_before_airflow_3_3_a_failure_is_told_all_the_same(sandbox: Sandbox, clip: Path) -> None:
    run = generating(clip, prompt=FAILS)
    run.has_store = False
    assert type(run_to_end(run, sandbox).error) is VideoFailedError
