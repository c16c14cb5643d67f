"""A list that is another one when the task resumes: each video stays with its own request."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from airflow.sdk.execution_time import comms

from airflow_provider_siliconflow.sandbox.faults import Fault
from airflow_provider_siliconflow.sandbox.server import Sandbox
from tests.unit.operators.batch.runs import FAILS, MADE, all_ids, archived, batching, made, retried, states


def prompts_of(place: Path) -> set[str]:
    return {json.loads(path.read_text())["prompt"] for path in place.glob("*.json")}


def test_in_another_order_the_records_are_their_own(still: Sandbox, tmp_path: Path) -> None:
    """The failed video's record is closed, and the good one's is not."""
    run = batching(tmp_path, [FAILS, "good"], fail_on_partial_error=True)
    assert run.work().state == "deferred"
    good = still.ledger().jobs[1]["request_id"]
    still.script(Fault("download", "storage_down", times=0, match=good))
    still.advance(MADE)
    run.task.requests = ["good", FAILS]

    assert run.work().state == "up_for_retry"

    assert states(run) == ["not_archived", "failed"]
    still.clear_faults()
    retried(run, still)
    assert [job["prompt"] for job in still.ledger().jobs].count("good") == 1
    assert good in archived(tmp_path)


def test_what_is_new_is_submitted_and_all_have_their_own_prompts(still: Sandbox, tmp_path: Path) -> None:
    run = batching(tmp_path, ["a", "b"])
    assert run.work().state == "deferred"
    run.task.requests = ["new", "a", "b"]
    still.advance(MADE)
    assert made(run, still).state == "success"
    assert states(run) == ["archived"] * 3
    assert archived(tmp_path) == all_ids(still)
    assert prompts_of(tmp_path) == {"a", "b", "new"}
    assert still.ledger().billed == 3


def test_what_is_asked_for_no_more_is_told(still: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = batching(tmp_path, ["a", "b"])
    assert run.work().state == "deferred"
    run.task.requests = ["b"]
    still.advance(MADE)
    assert run.work().state == "success"
    assert states(run) == ["archived"]
    gone, kept = (job["request_id"] for job in still.ledger().jobs)
    assert archived(tmp_path) == {kept}
    assert f"Video {gone} is asked for no more: it keeps running at the service, is billed" in capsys.readouterr().out


def test_a_video_that_is_archived_is_done_though_the_service_says_failed_by_now(still: Sandbox, tmp_path: Path) -> None:
    run = batching(tmp_path, ["a", "b"], fail_on_partial_error=True)
    assert run.work().state == "deferred"
    still.advance(MADE)
    assert run.work().state == "success"
    still.script(Fault("status", "answer", status=200, body='{"status": "Failed"}', times=0))
    assert retried(run, still).state == "success"
    assert states(run) == ["archived", "archived"]
    assert still.ledger().billed == 2


def test_a_record_that_cannot_be_kept_is_told_with_what_is_under_way(still: Sandbox, tmp_path: Path) -> None:
    def fail(message: object) -> None:
        if isinstance(message, comms.SetTaskStateStore) and still.ledger().accepted:
            raise RuntimeError("the API server is away")

    run = batching(tmp_path, ["a", "b"])
    run.before = fail
    report = run.work()
    assert report.state == "up_for_retry"
    (job,) = still.ledger().jobs
    for fact in (
        job["request_id"],
        "Nothing was submitted, nothing is billed. A retry submits it.",
        "1 are submitted, keep running at the service and are billed",
    ):
        assert fact in str(report.error)
