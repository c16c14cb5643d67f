"""One task whose video fails, is late or cannot be archived: in Airflow's worker code, against the ledger."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_siliconflow._airflow.names import AirflowFailException
from airflow_provider_siliconflow.billing import Billing
from airflow_provider_siliconflow.exceptions import (
    VideoFailedError,
    VideoNotArchivedError,
    VideoTimeoutError,
    VideoUnavailableError,
)
from airflow_provider_siliconflow.sandbox.faults import Fault
from airflow_provider_siliconflow.sandbox.server import Sandbox
from tests.releases import ReadRecord, WriteRecord
from tests.unit.conftest import Clock
from tests.unit.operators.tasks import FAILS, FINISHED_AFTER, generating, is_archived, run_to_end
from tests.unit.worker import Report, TaskRun

pytestmark = pytest.mark.usefixtures("first_poll_at_once")


@pytest.mark.parametrize("deferrable", [True, False])
def test_a_failed_video_is_done_with_and_only_a_retry_pays_for_another(
    sandbox: Sandbox, clock: Clock, clip: Path, deferrable: bool
) -> None:
    run = generating(clip, prompt=FAILS, deferrable=deferrable, poke_interval=0.01 if deferrable else 15)

    report = run_to_end(run, sandbox) if deferrable else run.work()

    assert report.state == "up_for_retry"
    assert type(report.error) is VideoFailedError
    assert not isinstance(report.error, AirflowFailException)
    assert report.error.reason == "too dark"
    assert "too dark" in str(report.error)
    assert "may bill it all the same" in str(report.error)
    assert "too dark" in run.record["closed"]
    assert sandbox.ledger().billed == 1
    first = run.record["request_id"]

    run.task.prompt = "a dog"
    run.next_try()
    assert (run_to_end(run, sandbox) if deferrable else run.work()).state == "success"
    assert sandbox.ledger().billed == 2
    assert run.record["request_id"] != first
    assert is_archived(clip, sandbox, job=1)


def test_a_failure_is_told_even_if_its_record_cannot_be_closed(
    sandbox: Sandbox, clip: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(message: Any) -> None:
        if isinstance(message, WriteRecord):
            raise RuntimeError("the API server is away")

    run = generating(clip, prompt=FAILS)
    run.work()
    sandbox.advance(FINISHED_AFTER)
    run.before = fail
    assert type(run.work().error) is VideoFailedError
    assert f"The record of video {run.record['request_id']} cannot be closed" in caplog.text

    assert type(run.retry().error) is VideoFailedError, "the same video's failure once more"
    assert sandbox.ledger().billed == 1
    assert run.record["closed"]


@pytest.mark.parametrize("deferrable", [True, False])
def test_a_late_video_stays_on_record_and_a_retry_waits_for_it(
    sandbox: Sandbox, clock: Clock, clip: Path, deferrable: bool
) -> None:
    waits = {"timeout": 0} if deferrable else {"timeout": 45, "poke_interval": 15}
    run = generating(clip, deferrable=deferrable, **waits)

    report = run.finish()

    assert report.state == "up_for_retry"
    assert type(report.error) is VideoTimeoutError
    for fact in (
        run.record["request_id"],
        "keeps running at the service and is billed",
        "which costs nothing",
        "clearing",
    ):
        assert fact in str(report.error)
    assert not run.record["closed"]
    sandbox.advance(FINISHED_AFTER)
    assert run.retry().state == "success"
    assert sandbox.ledger().billed == 1
    assert is_archived(clip, sandbox)


def test_the_trigger_knows_when_the_video_was_submitted_though_another_try_did(sandbox: Sandbox, clip: Path) -> None:
    run = generating(clip)
    run.work()
    run.next_try()
    run.put_on_record(run.record | {"submitted_at": "2026-08-01T12:00:00+00:00"})
    report = run.work()
    assert report.message.trigger_kwargs["submitted_at"] == datetime(2026, 8, 1, 12, tzinfo=UTC).timestamp()


def test_a_place_that_is_taken_meanwhile_is_told_with_the_money(sandbox: Sandbox, clip: Path) -> None:
    run = generating(clip)
    run.work()
    clip.write_bytes(b"something of value")
    sandbox.advance(FINISHED_AFTER)
    report = run.work()
    assert report.state == "up_for_retry", "a paid video is never given up"
    assert isinstance(report.error, VideoNotArchivedError)
    assert report.error.billing is Billing.RUNNING
    for fact in (run.record["request_id"], "was submitted, keeps running", "clearing the task submits another video"):
        assert fact in str(report.error)


def test_a_record_that_cannot_be_read_at_the_end_hides_no_video(
    sandbox: Sandbox, clip: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(message: Any) -> None:
        if isinstance(message, ReadRecord):
            raise RuntimeError("the API server is away")

    run = generating(clip)
    run.work()
    sandbox.advance(FINISHED_AFTER)
    run.before = fail
    assert run.work().state == "success"
    assert is_archived(clip, sandbox)
    assert "Continues without the record of video" in caplog.text


def woken(run: TaskRun, status: str) -> Report:
    """Run the worker that the trigger wakes with a status."""
    assert run.deferral
    kwargs: Any = run.deferral.trigger_kwargs
    known = {name: kwargs[name] for name in ("request_id", "deadline")}
    return run.resume({"version": 1, "status": status, "first_poll_after": 0.0, **known})


@pytest.mark.parametrize("status", ["ready", "rejected", "timed_out"])
def test_a_key_that_is_no_longer_good_ends_no_wait(
    sandbox: Sandbox, clip: Path, monkeypatch: pytest.MonkeyPatch, status: str
) -> None:
    run = generating(clip, retries=0)
    run.work()
    sandbox.change_key("cn", "sk-renewed")
    sandbox.advance(FINISHED_AFTER)
    assert woken(run, status).state == "deferred"

    connection = {"conn_type": "siliconflow", "password": "sk-renewed", "host": sandbox.base_url}
    monkeypatch.setenv("AIRFLOW_CONN_SILICONFLOW_DEFAULT", json.dumps(connection))
    assert run.finish().state == "success"
    assert sandbox.ledger().billed == 1


@pytest.mark.parametrize("kind", ["payment_required", "forbidden"])
def test_an_account_that_is_rejected_ends_no_wait(sandbox: Sandbox, clip: Path, kind: str) -> None:
    """For one: who tops up the account and clears the task pays for another video."""
    sandbox.script(Fault("status", kind, times=2))
    run = generating(clip, retries=0)
    run.work()
    assert woken(run, "rejected").state == "deferred"
    sandbox.advance(FINISHED_AFTER)
    assert run.finish().state == "success"
    assert sandbox.ledger().billed == 1


def test_a_video_that_the_service_does_not_know_for_long_is_told_with_the_money(sandbox: Sandbox, clip: Path) -> None:
    sandbox.script(Fault("status", "not_found", times=0))
    run = generating(clip)
    run.work()
    report = woken(run, "rejected")
    assert report.state == "up_for_retry"
    assert type(report.error) is VideoUnavailableError
    said = f"Video {sandbox.ledger().jobs[0]['request_id']} was submitted, keeps running at the service and is billed"
    assert said in str(report.error)
    assert "A retry of this task re-attaches to it, which costs nothing" in str(report.error)
    sandbox.clear_faults()
    sandbox.advance(FINISHED_AFTER)
    assert run.retry().state == "success"
    assert sandbox.ledger().billed == 1


def test_a_worker_that_waits_asks_again_where_the_service_does_not_know_the_video(
    sandbox: Sandbox, clock: Clock, clip: Path
) -> None:
    sandbox.script(Fault("status", "not_found", times=4), Fault("status", "unauthorized", times=2))
    assert generating(clip, deferrable=False, poke_interval=15, retries=0).work().state == "success"
    assert sandbox.ledger().billed == 1


def test_a_storage_that_is_down_keeps_the_record(sandbox: Sandbox, clip: Path) -> None:
    sandbox.script(Fault("download", "storage_down", times=0))
    run = generating(clip)
    report = run_to_end(run, sandbox)
    assert report.state == "up_for_retry"
    assert report.error.billing is Billing.RUNNING  # type: ignore[union-attr]
    assert report.error.request_id == run.record["request_id"]  # type: ignore[union-attr]
    assert not clip.exists()
    sandbox.clear_faults()
    assert run.retry().state == "success"
    assert sandbox.ledger().billed == 1
    assert is_archived(clip, sandbox)


@pytest.mark.parametrize("status", [400, 404, 405, 410, 451, 302, 401, 402, 403])
@pytest.mark.parametrize("times", [1, 0], ids=["once", "for ever"])
def test_no_answer_to_a_poll_ends_a_paid_video(
    sandbox: Sandbox, clock: Clock, clip: Path, status: int, times: int
) -> None:
    sandbox.script(Fault("status", "answer", status=status, body='{"message": "no"}', times=times))
    run = generating(clip, deferrable=False, timeout=600 if times == 0 else 6000, poke_interval=15)
    report = run.finish()
    if times:
        assert report.state == "success"
        assert is_archived(clip, sandbox)
        return
    assert report.state == "up_for_retry", "a retry re-attaches"
    assert isinstance(report.error, VideoTimeoutError if status in (401, 402, 403) else VideoUnavailableError)
    assert report.error.billing is Billing.RUNNING
    assert report.error.request_id == sandbox.ledger().jobs[0]["request_id"]
    assert "Top up" not in str(report.error) or "clearing the task submits another video" in str(report.error)
    sandbox.clear_faults()
    assert run.retry().state == "success"
    assert sandbox.ledger().billed == 1
