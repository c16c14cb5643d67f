"""A list with videos that failed, whose outcome is unknown, or that were paid for another request."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_siliconflow.exceptions import (
    SiliconFlowError,
    SubmitConflictError,
    SubmitOutcomeUnknownError,
)
from airflow_provider_siliconflow.sandbox.faults import Fault
from airflow_provider_siliconflow.sandbox.server import Sandbox
from tests.releases import ReadRecord
from tests.unit.operators.batch.runs import (
    FAILS,
    FINISHED_AFTER,
    all_ids,
    batching,
    retried,
    run_to_end,
    states,
)


def test_a_failed_video_is_done_with_and_only_a_retry_pays_for_another(sandbox: Sandbox, tmp_path: Path) -> None:
    run = batching(tmp_path, ["a", FAILS], fail_on_partial_error=True)
    report = run_to_end(run, sandbox)
    assert isinstance(report.error, SiliconFlowError)
    assert report.state == "up_for_retry"
    assert "1 of 2 videos are archived: 1 failed" in str(report.error)
    assert states(run) == ["archived", "failed"]
    assert retried(run, sandbox).state == "up_for_retry"
    assert [job["prompt"] for job in sandbox.ledger().jobs] == ["a", FAILS, FAILS]


def test_a_record_that_cannot_be_closed_hides_nothing(sandbox: Sandbox, tmp_path: Path) -> None:
    run = batching(tmp_path, ["a", FAILS])
    assert run.work().state == "deferred"
    sandbox.advance(FINISHED_AFTER)

    def fail(message: Any) -> None:
        if isinstance(message, ReadRecord):
            raise RuntimeError("the database is away")

    run.before = fail
    assert run.work().state == "success"
    assert states(run) == ["archived", "failed"]


def test_an_unknown_outcome_is_never_resubmitted_by_itself(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.script(Fault("submit", "reset", after=True, match="dog"))
    run = batching(tmp_path, ["a cat", "a dog"])
    assert run_to_end(run, sandbox).state == "failed"
    assert retried(run, sandbox).state == "failed"
    assert states(run) == ["archived", "unknown"]
    assert sandbox.ledger().submit_calls == sandbox.ledger().billed == 2
    row = run.xcoms["manifest"]["videos"][1]
    assert "A video may be running and billed" in row["reason"]
    assert row["estimated_cost"] is None


def test_told_to_resubmit_a_retry_comes_about_and_does(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.script(Fault("submit", "reset", after=True, match="dog"))
    run = batching(tmp_path, ["a cat", "a dog"], on_unknown_submit="resubmit", retries=1)
    report = run_to_end(run, sandbox)
    assert report.state == "up_for_retry"
    assert "A retry submits it anew and may pay twice" in str(report.error)
    assert retried(run, sandbox).state == "success"
    assert states(run) == ["archived", "archived"]
    assert [job["prompt"] for job in sandbox.ledger().jobs] == ["a cat", "a dog", "a dog"]


def test_told_to_resubmit_the_last_try_keeps_what_it_has_and_fails(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.script(Fault("submit", "reset", after=True, match="dog"))
    run = batching(tmp_path, ["a cat", "a dog"], on_unknown_submit="resubmit", retries=0)
    report = run_to_end(run, sandbox)
    assert report.state == "failed"
    assert isinstance(report.error, SubmitOutcomeUnknownError)
    assert states(run) == ["archived", "unknown"]


def test_a_video_paid_for_another_connection_is_told_as_paid(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = batching(tmp_path, ["a cat"])
    assert run.work().state == "deferred"
    run.fail_deferral("gone")
    other = {"conn_type": "siliconflow", "password": sandbox.key_com, "host": sandbox.base_url_com}
    monkeypatch.setenv("AIRFLOW_CONN_SILICONFLOW_DEFAULT", json.dumps(other))
    run.next_try()
    report = run.work()
    assert report.state == "failed"
    assert isinstance(report.error, SubmitConflictError)
    (row,) = run.xcoms["manifest"]["videos"]
    assert (row["state"], row["billing"], row["request_id"]) == ("running", "running", *all_ids(sandbox))
    assert "already paid for" in row["reason"]
    assert sandbox.ledger().billed == 1
