"""A limit on spending: what tasks at their limit submit, by the sandbox's ledger."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from airflow_provider_siliconflow.billing import Billing
from airflow_provider_siliconflow.client.video_record import KEY
from airflow_provider_siliconflow.exceptions import SpendLimitError, SubmitOutcomeUnknownError
from airflow_provider_siliconflow.sandbox.faults import Fault
from airflow_provider_siliconflow.sandbox.server import Sandbox
from airflow_provider_siliconflow.spend_limit import SpendLimit
from tests.releases import WriteRecord
from tests.unit.conftest import Clock
from tests.unit.operators.batch.runs import batching, kwargs_of, state_of, states
from tests.unit.operators.batch.runs import run_to_end as run_batch_to_end
from tests.unit.operators.tasks import generating, run_to_end, submitting
from tests.unit.worker import DiesBefore

pytestmark = pytest.mark.usefixtures("first_poll_at_once")


@pytest.fixture
def limit(tmp_path: Path) -> dict[str, Any]:
    return {"folder": str(tmp_path / "limits"), "max_videos_per_run": 1}


def test_at_the_limit_nothing_is_submitted(sandbox: Sandbox, limit: dict[str, Any], connection_extra: Any) -> None:
    connection_extra(price="2.00 CNY")
    assert submitting(spend_limit=SpendLimit(**limit), task_id="first").work().state == "success"
    run = submitting(spend_limit=limit, task_id="second")
    report = run.work()
    assert isinstance(report.error, SpendLimitError)
    assert report.error.billing is Billing.NOT_SUBMITTED
    assert "it allows 1 video (estimated 2.00 CNY), used: 1. It counts a DAG run, so it does not reset." in str(
        report.error
    )
    assert str(report.error).endswith("A retry submits it if the limit allows it then.")
    assert run.record is None
    assert run.xcoms[KEY]["state"] == "not_submitted"
    assert sandbox.ledger().submit_calls == 1


def test_the_limit_of_the_connection_counts_all_its_tasks(
    sandbox: Sandbox, limit: dict[str, Any], connection_extra: Any
) -> None:
    connection_extra(spend_limit=limit)
    assert submitting(task_id="first").work().state == "success"
    assert isinstance(submitting(task_id="second").work().error, SpendLimitError)
    assert sandbox.ledger().billed == 1


def test_a_rejected_submit_gives_its_slot_back(sandbox: Sandbox, limit: dict[str, Any]) -> None:
    sandbox.script(Fault("submit", "bad_parameter"))
    assert submitting(spend_limit=limit, task_id="first").work().error
    assert submitting(spend_limit=limit, task_id="second").work().state == "success"


def test_an_unknown_outcome_keeps_its_slot(sandbox: Sandbox, limit: dict[str, Any]) -> None:
    sandbox.script(Fault("submit", "reset", after=True))
    assert isinstance(submitting(spend_limit=limit, task_id="first").work().error, SubmitOutcomeUnknownError)
    assert isinstance(submitting(spend_limit=limit, task_id="second").work().error, SpendLimitError)
    assert sandbox.ledger().billed == 1


def test_a_deliberate_resubmit_needs_another_slot(sandbox: Sandbox, limit: dict[str, Any]) -> None:
    sandbox.script(Fault("submit", "reset", after=True))
    run = submitting(spend_limit=limit, on_unknown_submit="resubmit")
    assert run.work().state == "up_for_retry"
    run.next_try()
    assert isinstance(run.work().error, SpendLimitError)
    assert sandbox.ledger().billed == 1


def test_a_retry_after_a_kill_between_claim_and_intent_takes_its_slot_over(
    sandbox: Sandbox, limit: dict[str, Any]
) -> None:
    run = submitting(spend_limit=limit)
    run.before = DiesBefore(WriteRecord, "fingerprint")
    run.work()
    assert sandbox.ledger().submit_calls == 0
    run.before = lambda message: None
    assert isinstance(submitting(spend_limit=limit, task_id="another").work().error, SpendLimitError)
    run.next_try()
    assert run.work().state == "success"
    assert sandbox.ledger().billed == 1


def test_a_cleared_task_needs_another_slot(sandbox: Sandbox, limit: dict[str, Any]) -> None:
    run = submitting(spend_limit=limit)
    assert run.work().state == "success"
    assert isinstance(run.clear().error, SpendLimitError)
    assert sandbox.ledger().billed == 1


def test_a_limit_that_cannot_be_read_fails_closed(sandbox: Sandbox, tmp_path: Path, limit: dict[str, Any]) -> None:
    (tmp_path / "limits").write_text("a file in place of the folder")
    error = submitting(spend_limit=limit).work().error
    assert isinstance(error, SpendLimitError)
    assert "cannot be read" in str(error)
    assert sandbox.ledger().submit_calls == 0


def test_a_task_that_defers_continues_when_the_day_has_ended(
    sandbox: Sandbox, tmp_path: Path, clock: Clock, clip: Path
) -> None:
    limit = {"folder": str(tmp_path / "limits"), "max_videos_per_day": 1, "on_limit": "defer"}
    assert (
        run_to_end(generating(tmp_path / "first.mp4", spend_limit=limit, task_id="first"), sandbox).state == "success"
    )
    run = generating(clip, spend_limit=limit, task_id="second")
    report = run.work()
    assert report.state == "deferred"
    assert report.message.classpath.endswith("SubmitRetryTrigger")
    assert sandbox.ledger().billed == 1
    assert 0 < run.trigger_kwargs["wait"] <= 86460


def test_a_dry_run_skips_and_tells_what_it_would_cost(
    sandbox: Sandbox, tmp_path: Path, clip: Path, limit: dict[str, Any]
) -> None:
    dry = limit | {"dry_run": True}
    assert generating(clip, spend_limit=dry, task_id="one").work().state == "skipped"
    report = batching(tmp_path / "videos", ["a", "b"], spend_limit=dry, task_id="batch").work()
    assert report.state == "skipped"
    assert sandbox.ledger().submit_calls == 0
    assert list(tmp_path.glob(".siliconflow-*")) == []


def test_a_batch_submits_up_to_its_limit(sandbox: Sandbox, tmp_path: Path, limit: dict[str, Any]) -> None:
    run = batching(tmp_path / "videos", ["a", "b", "c"], spend_limit=limit | {"max_videos_per_run": 2})
    report = run_batch_to_end(run, sandbox)
    assert sandbox.ledger().billed == 2
    assert states(run) == ["archived", "archived", "not_submitted"]
    assert report.state == "up_for_retry"
    assert "spend limit" in run.xcoms["manifest"]["videos"][2]["reason"]


@pytest.mark.parametrize("limit", [{"folder": "/data"}, {"max_videos_per_day": 1}, 7])
def test_a_limit_that_cannot_be_understood_costs_nothing(sandbox: Sandbox, limit: Any) -> None:
    error = submitting(spend_limit=limit).work().error
    assert "spend_limit" in str(error)
    assert "Nothing was submitted" in str(error)
    assert sandbox.ledger().submit_calls == 0


def test_a_batch_that_waits_for_the_next_day_leaves_its_worker(
    sandbox: Sandbox, tmp_path: Path, limit: dict[str, Any]
) -> None:
    limit = {"folder": limit["folder"], "max_videos_per_day": 0, "on_limit": "defer"}
    run = batching(tmp_path / "videos", ["a"], spend_limit=limit, deferrable=False)
    assert run.work().state == "deferred"
    assert sandbox.ledger().submit_calls == 0


def test_the_wait_for_the_next_day_is_no_time_of_rejected_submits(
    sandbox: Sandbox, tmp_path: Path, limit: dict[str, Any]
) -> None:
    limit = {"folder": limit["folder"], "max_videos_per_day": 0, "on_limit": "defer"}
    run = batching(tmp_path / "videos", ["a"], spend_limit=limit)
    assert run.work().state == "deferred"
    assert state_of(run)["accepted_at"] == pytest.approx(kwargs_of(run)["wake_at"], abs=5)


def test_a_batch_that_waits_for_the_next_day_archives_what_is_paid(
    sandbox: Sandbox, tmp_path: Path, limit: dict[str, Any]
) -> None:
    limit = {"folder": limit["folder"], "max_videos_per_day": 10, "on_limit": "defer"}
    run = batching(tmp_path / "videos", [f"cat {number}" for number in range(12)], spend_limit=limit)
    for _ in range(3):
        assert run.work().state == "deferred"
        sandbox.advance(600)
        if sandbox.ledger().fetched == 10:
            break
    assert sandbox.ledger().billed == sandbox.ledger().fetched == 10
    assert len(list((tmp_path / "videos").glob("*.mp4"))) == 10
    assert kwargs_of(run)["wake_at"] > 0
