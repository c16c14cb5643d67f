"""A clear of a task that has paid: in Airflow's own worker code, against the sandbox's ledger."""

from __future__ import annotations

import pytest
from airflow.sdk.execution_time import comms

from airflow_provider_siliconflow.exceptions import (
    SubmitOutcomeUnknownError,
    SubmitRecordError,
)
from airflow_provider_siliconflow.sandbox.faults import Fault
from airflow_provider_siliconflow.sandbox.server import Sandbox
from tests.unit.operators.tasks import NewTask, failing, is_deleted_by_clear, pay_and_die
from tests.unit.worker import DiesBefore


def test_a_clear_submits_anew_and_says_that_it_pays_again(
    sandbox: Sandbox, submitting: NewTask, caplog: pytest.LogCaptureFixture
) -> None:
    run = submitting()
    first = pay_and_die(run)
    run.before = lambda message: None

    assert run.clear().state == "success"

    assert sandbox.ledger().billed == 2
    assert run.xcoms["return_value"] != first
    told = f"submits anew and pays the price of a video again. On record was video {first}"
    assert (told in caplog.text) is not is_deleted_by_clear(run)
    assert run.clear().state == "success", "where a success deletes the record as well"
    assert sandbox.ledger().billed == 3


def test_a_clear_reattaches_to_the_video_if_it_is_told_to(sandbox: Sandbox, submitting: NewTask) -> None:
    run = submitting(reuse_on_clear=True)
    run.finish()
    first = run.xcoms["return_value"]

    assert run.clear().state == run.clear().state == "success"

    assert sandbox.ledger().billed == 1
    assert run.xcoms["return_value"] == first


@pytest.mark.parametrize("retries", [0, 1])
def test_a_task_that_a_dead_scheduler_left_behind_is_no_cleared_one(
    sandbox: Sandbox, submitting: NewTask, retries: int
) -> None:
    """The next scheduler resets such a task whatever its retries: its tries grow beyond them, nobody paid again."""
    run = submitting(retries=retries)
    pay_and_die(run)
    for _ in range(3):
        assert run.retry(DiesBefore(comms.SucceedTask)).state == "killed"
    assert run.retry().state == "success"
    assert sandbox.ledger().billed == 1


@pytest.mark.parametrize("reuse", [False, True])
@pytest.mark.parametrize("version", ["1.1.8", "1.2.2", "1.3.2", "1.4.0b2", "2.0.0"])
def test_a_clear_pays_again_unless_reuse_on_clear_on_every_airflow(
    sandbox: Sandbox, submitting: NewTask, monkeypatch: pytest.MonkeyPatch, version: str, reuse: bool
) -> None:
    """From Airflow 3.4 on (Task SDK 1.4), a clear of task instances deletes the task state store."""
    monkeypatch.setattr("airflow.sdk.__version__", version)
    run = submitting(reuse_on_clear=reuse)
    assert run.finish().state == "success"
    assert run.clear().state == "success"
    assert sandbox.ledger().billed == (1 if reuse else 2)


def test_reuse_on_clear_pays_nothing_where_its_record_cannot_be_kept_beside_the_store(
    sandbox: Sandbox, submitting: NewTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow.sdk.__version__", "1.4.0")
    run = submitting(reuse_on_clear=True)
    run.before = failing(comms.PutVariable)
    report = run.finish()
    assert isinstance(report.error, SubmitRecordError)
    assert sandbox.ledger().submit_calls == 0
    assert submitting().finish().state == "success", "without it nothing is promised, so nothing is needed"


@pytest.mark.parametrize("resubmits", [False, True])
def test_a_clear_during_the_post_follows_on_unknown_submit_where_the_record_is_kept(
    sandbox: Sandbox, submitting: NewTask, resubmits: bool
) -> None:
    sandbox.script(Fault("submit", "reset", after=True))
    words = {"on_unknown_submit": "resubmit"} if resubmits else {}
    run = submitting(reuse_on_clear=True, **words)
    run.finish()
    report = run.clear()
    assert sandbox.ledger().billed == (2 if resubmits else 1)
    if not resubmits:
        assert isinstance(report.error, SubmitOutcomeUnknownError)
        assert "set on_unknown_submit='resubmit' for the next try" in str(report.error)
