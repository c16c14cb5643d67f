"""
Polls of a paid video that the service rejects: the same answer in every variant of waiting, and nothing paid twice.

Each case is run by Airflow's own worker code and, where it defers, by the real trigger, against the sandbox.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from airflow_provider_siliconflow._airflow.names import AirflowFailException
from airflow_provider_siliconflow.client.models import VideoRequest
from airflow_provider_siliconflow.exceptions import SiliconFlowError
from airflow_provider_siliconflow.hooks.siliconflow import SiliconFlowHook
from airflow_provider_siliconflow.operators.video import GenerateVideoBatchOperator, GenerateVideoOperator
from airflow_provider_siliconflow.sandbox.faults import Fault
from airflow_provider_siliconflow.sandbox.server import Sandbox
from airflow_provider_siliconflow.sensors.video import VideoReadySensor
from tests.unit.conftest import Clock
from tests.unit.worker import MODEL, Report, TaskRun, in_dag

pytestmark = pytest.mark.usefixtures("first_poll_at_once")

VARIANTS: dict[str, dict[str, Any]] = {
    "poke": {"mode": "poke"},
    "reschedule": {"mode": "reschedule"},
    "deferred": {"deferrable": True},
    "one task": {"deferrable": True},
    "one task, in the worker": {"deferrable": False},
    "batch": {"deferrable": True},
    "batch, in the worker": {"deferrable": False},
}
IN_WORKER = ("poke", "one task, in the worker", "batch, in the worker")
#: Say something of the account, and nothing of the video.
ACCOUNT = (401, 402, 403)
PERMANENT = (302, 400, 404, 405, 410, 451)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch, variant: str) -> None:
    package = "airflow_provider_siliconflow"
    monkeypatch.setattr(f"{package}.triggers.base.MIN_DEFERRAL_SECONDS", 0.0)
    monkeypatch.setattr(f"{package}.triggers.batch.COALESCE_SECONDS", 0.0)
    monkeypatch.setattr(f"{package}.polling.poller.RENEWAL", 0.05)
    # A worker polls a list at its interval; all others repeat a rejected poll soon, or do not wait for real time.
    grace = 50.0 if variant == "batch, in the worker" else 0.4
    monkeypatch.setattr(f"{package}.polling.decision.REJECTION_GRACE", grace)
    for name in ("scheduler.BACKOFF", "worker.FAILED_PAUSE"):
        monkeypatch.setattr(f"{package}.polling.{name}", 0.0)
    for name in ("REJECTED_PAUSE", "MAX_REJECTED_PAUSE"):
        monkeypatch.setattr(f"{package}.polling.worker.{name}", 0.02)


def task(variant: str, folder: Path, retries: int) -> TaskRun:
    # A worker that waits sleeps on a clock that nobody waits for.
    interval = 15 if variant in IN_WORKER else 0.01
    given: dict[str, Any] = {"poke_interval": interval, "retries": retries, **VARIANTS[variant]}
    if variant in ("poke", "reschedule", "deferred"):
        request_id = SiliconFlowHook().submit_video(VideoRequest(MODEL, "a cat", "1280x720")).request_id
        return TaskRun(in_dag(VideoReadySensor, request_id=request_id, **given))
    given |= {"model": MODEL, "image_size": "1280x720"}
    if variant.startswith("batch"):
        return TaskRun(in_dag(GenerateVideoBatchOperator, requests=["a cat"], destination=f"{folder}/", **given))
    return TaskRun(in_dag(GenerateVideoOperator, prompt="a cat", destination=f"{folder}/clip.mp4", **given))


def run_to_its_end(run: TaskRun, sandbox: Sandbox) -> Report:
    """Run the worker processes of a try, with a video that gets ready after the first."""
    report = run.work()
    sandbox.advance(600)
    return report if report.state not in ("deferred", "up_for_reschedule") else run.finish()


def rejection(code: int, times: int) -> Fault:
    return Fault("status", "answer", status=code, body='{"message": "no"}', times=times)


@pytest.mark.parametrize("code", [*ACCOUNT, *PERMANENT])
@pytest.mark.parametrize("variant", VARIANTS)
def test_a_few_rejected_polls_cost_nothing_but_time(
    sandbox: Sandbox, clock: Clock, tmp_path: Path, variant: str, code: int
) -> None:
    run = task(variant, tmp_path, retries=0)
    sandbox.script(rejection(code, times=3))
    assert run_to_its_end(run, sandbox).state == "success"
    assert sandbox.ledger().billed == 1


@pytest.mark.parametrize("code", PERMANENT)
@pytest.mark.parametrize("variant", VARIANTS)
def test_a_rejection_that_stays_is_an_error_whose_retry_pays_nothing(
    sandbox: Sandbox, clock: Clock, tmp_path: Path, variant: str, code: int
) -> None:
    run = task(variant, tmp_path, retries=2)
    sandbox.script(rejection(code, times=0))
    report = run_to_its_end(run, sandbox)
    assert report.state == "up_for_retry"
    assert isinstance(report.error, SiliconFlowError)
    assert not isinstance(report.error, AirflowFailException)
    (job,) = sandbox.ledger().jobs
    told = str(report.error)
    for fact in (job["request_id"], "billed", f"HTTP {code}"):
        assert fact in told
    assert "costs nothing" in told or "at no cost" in told
    assert "clear the task" not in told
    sandbox.clear_faults()
    sandbox.advance(600)
    assert run.retry().state == "success"
    assert sandbox.ledger().billed == 1
