"""A list that is another one when the task resumes: each video stays with its own request."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.execution_time import comms

from airflow_provider_siliconflow.exceptions import SubmitConflictError
from airflow_provider_siliconflow.sandbox.faults import Fault
from airflow_provider_siliconflow.sandbox.server import Sandbox
from tests.releases import ReadRecord, WriteRecord
from tests.unit.operators.batch.runs import (
    FAILS,
    FINISHED_AFTER,
    all_ids,
    archived,
    batching,
    retried,
    run_to_end,
    states,
)
from tests.unit.worker import MODEL, DiesBefore


def prompts_of(folder: Path) -> set[str]:
    return {json.loads(path.read_text())["prompt"] for path in folder.glob("*.json")}


def test_in_another_order_the_records_are_their_own(sandbox: Sandbox, tmp_path: Path) -> None:
    """The failed video's record is closed, and the good one's is not."""
    run = batching(tmp_path, [FAILS, "good"], fail_on_partial_error=True)
    assert run.work().state == "deferred"
    good = sandbox.ledger().jobs[1]["request_id"]
    sandbox.script(Fault("download", "storage_down", times=0, match=good))
    sandbox.advance(FINISHED_AFTER)
    run.task.requests = ["good", FAILS]

    assert run.work().state == "up_for_retry"

    assert states(run) == ["failed", "not_archived"], "the list that the try began with holds"
    sandbox.clear_faults()
    retried(run, sandbox)
    assert [job["prompt"] for job in sandbox.ledger().jobs].count("good") == 1
    assert good in archived(tmp_path)


@pytest.mark.parametrize("now", [["new", "a", "b"], ["b"], ["x", "y", "z"], "no list", None])
def test_within_a_try_the_list_that_it_began_with_holds(sandbox: Sandbox, tmp_path: Path, now: Any) -> None:
    run = batching(tmp_path, ["a", "b"])
    assert run.work().state == "deferred"
    run.task.requests = now
    sandbox.advance(FINISHED_AFTER)
    assert run_to_end(run, sandbox).state == "success"
    assert states(run) == ["archived"] * 2
    assert archived(tmp_path) == all_ids(sandbox)
    assert prompts_of(tmp_path) == {"a", "b"}
    assert sandbox.ledger().billed == 2


def test_a_list_that_renders_anew_with_each_resume_is_paid_for_once(sandbox: Sandbox, tmp_path: Path) -> None:
    run = batching(tmp_path, ["0"])
    renderings = iter(range(1, 100))
    state = run.work().state
    while state == "deferred":
        sandbox.advance(FINISHED_AFTER)
        run.task.requests = [f"{next(renderings)}", f"{next(renderings)}"]
        state = run.work().state
    assert state == "success"
    assert sandbox.ledger().billed == 1


def test_a_list_that_renders_anew_with_each_try_is_a_conflict_and_its_paid_videos_are_archived(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    """As ``{{ ti.try_number }}``, ``now()``, ``uuid4()`` render."""
    run = batching(tmp_path, [f"{number} of try 1" for number in range(10)])
    assert run.work().state == "deferred"
    run.task.requests = [f"{number} of try 2" for number in range(10)]
    report = retried(run, sandbox)
    assert report.state == "failed"
    assert isinstance(report.error, SubmitConflictError)
    assert sandbox.ledger().billed == 10, "intended: 10"
    assert archived(tmp_path) == all_ids(sandbox)
    assert states(run) == ["not_submitted"] * 10 + ["archived"] * 10
    for fact in ("10 of 20 videos are archived", "asks for no more", "Clear the task", *all_ids(sandbox)):
        assert fact in str(report.error)


def test_an_unknown_submit_of_an_earlier_rendering_is_named(sandbox: Sandbox, tmp_path: Path) -> None:
    """Nobody could find it on the bill by its position in a list that renders differently now."""
    sandbox.script(Fault("submit", "reset", after=True, match="a dog, try 1"))
    run = batching(tmp_path, ["a cat, try 1", "a dog, try 1"])
    assert run.work().state == "deferred"
    run.task.requests = ["a cat, try 2", "a dog, try 2"]
    assert retried(run, sandbox).state == "failed"
    assert states(run) == ["not_submitted", "not_submitted", "archived", "unknown"]
    item = run.xcoms["manifest"]["videos"][3]
    assert item["billing"] == "unknown"
    for fact in ("'a dog, try 1'", MODEL, sandbox.base_url):
        assert fact in item["reason"]
    assert sandbox.ledger().billed == 2


def test_who_consents_pays_for_the_list_as_it_renders_now_and_no_more(sandbox: Sandbox, tmp_path: Path) -> None:
    run = batching(tmp_path, ["a1", "b1"], on_unknown_submit="resubmit")
    assert run.work().state == "deferred"
    run.task.requests = ["a2", "b2"]
    assert retried(run, sandbox).state == "success"
    assert sandbox.ledger().billed == 4
    assert archived(tmp_path) == all_ids(sandbox)


def test_a_list_that_becomes_none_between_the_tries_loses_no_paid_video(sandbox: Sandbox, tmp_path: Path) -> None:
    run = batching(tmp_path, ["a"])
    assert run.work().state == "deferred"
    run.task.requests = "no list"
    report = retried(run, sandbox)
    assert report.state == "failed"
    assert isinstance(report.error, SubmitConflictError)
    assert archived(tmp_path) == all_ids(sandbox)
    assert sandbox.ledger().billed == 1


def test_a_store_that_is_away_as_the_task_resumes_keeps_no_video_waiting(sandbox: Sandbox, tmp_path: Path) -> None:
    def fail(message: object) -> None:
        if isinstance(message, (ReadRecord, WriteRecord)):
            raise RuntimeError("the API server is away")

    run = batching(tmp_path, ["a", "b"], retries=0)
    assert run.work().state == "deferred"
    sandbox.advance(FINISHED_AFTER)
    run.before = fail
    assert run.work().state == "success"
    assert archived(tmp_path) == all_ids(sandbox)


def test_an_archived_video_is_done_though_the_service_says_failed_by_now(sandbox: Sandbox, tmp_path: Path) -> None:
    run = batching(tmp_path, ["a", "b"], fail_on_partial_error=True)
    assert run.work().state == "deferred"
    sandbox.advance(FINISHED_AFTER)
    run.before = DiesBefore(comms.SucceedTask)
    assert run.work().state == "killed"
    run.before = lambda message: None
    sandbox.script(Fault("status", "answer", status=200, body='{"status": "Failed"}', times=0))
    assert retried(run, sandbox).state == "success"
    assert states(run) == ["archived", "archived"]
    assert sandbox.ledger().billed == 2


def test_a_record_that_cannot_be_kept_is_told_with_what_is_under_way(sandbox: Sandbox, tmp_path: Path) -> None:
    def fail(message: object) -> None:
        if isinstance(message, WriteRecord) and sandbox.ledger().accepted:
            raise RuntimeError("the API server is away")

    run = batching(tmp_path, ["a", "b"])
    run.before = fail
    report = run.work()
    assert report.state == "up_for_retry"
    (job,) = sandbox.ledger().jobs
    for fact in (
        job["request_id"],
        "Nothing was submitted, nothing is billed. A retry submits it.",
        f"Video {job['request_id']} was submitted, keeps running at the service and is billed",
    ):
        assert fact in str(report.error)
