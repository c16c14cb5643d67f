"""Deferrals that fail, in Airflow's own worker code: what is ready is taken, what is said is true."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.bases.operator import TriggerFailureReason

from airflow_provider_siliconflow._airflow.names import AirflowSensorTimeout
from airflow_provider_siliconflow.client.models import VideoRequest
from airflow_provider_siliconflow.exceptions import VideoTimeoutError
from airflow_provider_siliconflow.hooks.siliconflow import SiliconFlowHook
from airflow_provider_siliconflow.jobs import batch_archive
from airflow_provider_siliconflow.operators.video import (
    GenerateVideoBatchOperator,
    GenerateVideoOperator,
    SubmitVideoOperator,
)
from airflow_provider_siliconflow.sandbox.faults import Fault
from airflow_provider_siliconflow.sandbox.server import Sandbox
from airflow_provider_siliconflow.sensors.video import VideoReadySensor
from tests.unit.worker import MODEL, TaskRun, in_dag

pytestmark = pytest.mark.usefixtures("first_poll_at_once")

TIMEOUT, FAILURE = TriggerFailureReason.TRIGGER_TIMEOUT, TriggerFailureReason.TRIGGER_FAILURE
REQUEST: dict[str, Any] = {"model": MODEL, "image_size": "1280x720", "deferrable": True, "retries": 2}
PACE = {"poke_interval": 0.01}
VARIANTS = ("sensor", "one task")


def waiting(variant: str, clip: Path, retries: int = 2) -> TaskRun:
    """Return a task that has left its worker to wait for its video."""
    if variant == "sensor":
        request_id = SiliconFlowHook().submit_video(VideoRequest(MODEL, "a cat", "1280x720")).request_id
        run = TaskRun(in_dag(VideoReadySensor, request_id=request_id, deferrable=True, **PACE, retries=retries))
    else:
        given = REQUEST | PACE | {"retries": retries}
        run = TaskRun(in_dag(GenerateVideoOperator, prompt="a cat", destination=str(clip), **given))
    assert run.work().state == "deferred"
    return run


@pytest.mark.parametrize("reason", [TIMEOUT, FAILURE])
@pytest.mark.parametrize("variant", VARIANTS)
def test_a_video_that_got_ready_meanwhile_is_taken(sandbox: Sandbox, clip: Path, variant: str, reason: str) -> None:
    run = waiting(variant, clip)
    sandbox.advance(600)
    assert run.fail_deferral(reason).state == "success"
    assert run.xcoms["return_value"]
    assert sandbox.ledger().billed == 1


@pytest.mark.parametrize(
    ("variant", "state", "error", "words"),
    [
        ("sensor", "failed", AirflowSensorTimeout, "A retry of this task, or clearing it, polls the same video again"),
        ("one task", "up_for_retry", VideoTimeoutError, "A retry of this task re-attaches to it, which costs nothing"),
    ],
)
def test_after_a_time_out_the_money_is_told(
    sandbox: Sandbox, clip: Path, variant: str, state: str, error: type[Exception], words: str
) -> None:
    run = waiting(variant, clip)
    report = run.fail_deferral(TIMEOUT)
    assert report.state == state
    assert type(report.error) is error
    (job,) = sandbox.ledger().jobs
    for fact in (job["request_id"], "keeps running at the service and is billed", words):
        assert fact in str(report.error)


@pytest.mark.parametrize("retries", [0, 2])
@pytest.mark.parametrize("variant", VARIANTS)
def test_a_video_whose_trigger_failed_is_waited_for_all_the_same(
    sandbox: Sandbox, clip: Path, variant: str, retries: int
) -> None:
    """As after an upgrade: a row of another release fails in the triggerer, and the task has no retries."""
    run = waiting(variant, clip, retries)
    for _ in range(2):
        assert run.fail_deferral(FAILURE).state == "deferred"
    sandbox.advance(600)
    assert run.finish().state == "success"
    assert sandbox.ledger().billed == 1


@pytest.mark.parametrize("event", [None, "ready", [], {}, {"status": "ready"}, {"version": 9, "status": "paused"}])
@pytest.mark.parametrize("variant", VARIANTS)
def test_a_video_whose_event_is_odd_is_waited_for_all_the_same(
    sandbox: Sandbox, clip: Path, variant: str, event: object
) -> None:
    run = waiting(variant, clip, 0)
    assert run.resume(event).state == "deferred"
    sandbox.advance(600)
    assert run.finish().state == "success"
    assert sandbox.ledger().billed == 1


def rewritten(run: TaskRun, **more: Any) -> None:
    """Let the stored trigger be of another release."""
    assert run.deferral
    kwargs: Any = run.deferral.trigger_kwargs
    run.deferral.trigger_kwargs = {name: value for name, value in (kwargs | more).items() if value != "gone"}


@pytest.mark.parametrize(
    "more",
    [
        pytest.param({"version": "gone", "first_poll_after": "gone", "submitted_at": "gone"}, id="version 0"),
        pytest.param({"version": 2, "priority": 3}, id="version 2"),
        pytest.param({"deadline": "gone"}, id="no deadline"),
        pytest.param({"deadline": "soon", "poke_interval": "never"}, id="odd deadline"),
    ],
)
@pytest.mark.parametrize("variant", VARIANTS)
def test_a_stored_trigger_of_another_release_loses_no_video(
    sandbox: Sandbox, clip: Path, variant: str, more: dict[str, Any]
) -> None:
    run = waiting(variant, clip, 0)
    rewritten(run, **more)
    sandbox.advance(600)
    assert run.finish().state == "success"
    assert sandbox.ledger().billed == 1


@pytest.mark.parametrize("kind", [SubmitVideoOperator, GenerateVideoOperator])
def test_a_submit_that_was_waited_with_was_not_made(sandbox: Sandbox, clip: Path, kind: type) -> None:
    sandbox.script(Fault("submit", "rate_limited"))
    more = {"destination": str(clip)} if kind is GenerateVideoOperator else {}
    run = TaskRun(in_dag(kind, prompt="a cat", **REQUEST, **more))
    assert run.work().state == "deferred"
    report = run.fail_deferral()
    assert report.state == "up_for_retry"
    assert str(report.error).endswith("Nothing was submitted, nothing is billed. A retry submits it.")
    assert sandbox.ledger().billed == 0


def test_a_batch_says_that_its_videos_keep_running(sandbox: Sandbox, tmp_path: Path) -> None:
    run = TaskRun(in_dag(GenerateVideoBatchOperator, requests=["a", "b"], destination=str(tmp_path), **REQUEST))
    assert run.work().state == "deferred"
    report = run.fail_deferral()
    assert report.state == "up_for_retry"
    for job in sandbox.ledger().jobs:
        assert job["request_id"] in str(report.error)
    assert "2 are paid for and not archived yet" in str(report.error)
    assert "A retry of this task" in str(report.error)
    sandbox.advance(600)
    run.next_try()
    assert run.work().state == "success"
    assert sandbox.ledger().billed == 2


@pytest.mark.parametrize("event", [None, "x", {}, {"state": {}}, {"ended": [], "state": {"version": 9}}, "failure"])
def test_a_batch_whose_trigger_failed_waits_all_the_same(sandbox: Sandbox, tmp_path: Path, event: object) -> None:
    given = REQUEST | PACE | {"retries": 0}
    run = TaskRun(in_dag(GenerateVideoBatchOperator, requests=["a", "b"], destination=str(tmp_path), **given))
    assert run.work().state == "deferred"
    assert (run.fail_deferral(FAILURE) if event == "failure" else run.resume(event)).state == "deferred"
    sandbox.advance(600)
    assert run.finish().state == "success"
    assert sandbox.ledger().billed == 2


def test_a_batch_archives_what_got_ready_meanwhile(sandbox: Sandbox, tmp_path: Path) -> None:
    run = TaskRun(in_dag(GenerateVideoBatchOperator, requests=["a", "b"], destination=str(tmp_path), **REQUEST))
    assert run.work().state == "deferred"
    sandbox.advance(600)
    assert run.fail_deferral().state == "success"
    assert [row["state"] for row in run.xcoms["return_value"]["videos"]] == ["archived", "archived"]


@pytest.mark.parametrize("has_store", [True, False])
@pytest.mark.parametrize("is_ready", [True, False])
def test_a_batch_whose_deferral_fails_pays_for_nothing_again(
    sandbox: Sandbox, tmp_path: Path, has_store: bool, is_ready: bool
) -> None:
    batch: Any = in_dag(GenerateVideoBatchOperator, requests=["a", "b"], destination=str(tmp_path), **REQUEST)
    run = TaskRun(batch, has_store=has_store)
    assert run.work().state == "deferred"
    if is_ready:
        sandbox.advance(600)
    assert run.fail_deferral(FAILURE).state == ("success" if is_ready else "deferred")
    assert sandbox.ledger().billed == 2


def test_a_batch_whose_trigger_fails_again_and_again_is_waited_for_in_the_worker(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where a triggerer of the release before runs on: with no retries, nothing paid is lost."""
    sleeps: list[float] = []

    def sleep(seconds: float) -> None:
        sleeps.append(seconds)
        sandbox.advance(seconds)

    monkeypatch.setattr(batch_archive, "time", SimpleNamespace(time=time.time, sleep=sleep))
    given = REQUEST | {"poke_interval": 15, "retries": 0}
    run = TaskRun(in_dag(GenerateVideoBatchOperator, requests=["a", "b"], destination=str(tmp_path), **given))
    assert run.work().state == "deferred"
    for _ in range(2):
        assert run.fail_deferral(FAILURE).state == "deferred"
    assert run.fail_deferral(FAILURE).state == "success"
    assert 2 <= len(sleeps) <= 60
    assert set(sleeps) == {15}
    assert sandbox.ledger().billed == 2
