"""Deferrals that come to nothing, in Airflow's own worker code: what is ready is taken, what is said is true."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.bases.operator import TriggerFailureReason
from airflow.sdk.exceptions import AirflowSensorTimeout

from airflow_provider_siliconflow.client.models import VideoRequest
from airflow_provider_siliconflow.exceptions import SiliconFlowError, VideoTimeoutError
from airflow_provider_siliconflow.hooks.siliconflow import SiliconFlowHook
from airflow_provider_siliconflow.operators.video import (
    GenerateVideoBatchOperator,
    GenerateVideoOperator,
    SubmitVideoOperator,
)
from airflow_provider_siliconflow.sandbox.faults import Fault
from airflow_provider_siliconflow.sandbox.server import Sandbox
from airflow_provider_siliconflow.sensors.video import VideoReadySensor
from tests.unit.worker import MODEL, TaskRun, in_dag

pytestmark = pytest.mark.usefixtures("first_look_at_once")

TIMEOUT, FAILURE = TriggerFailureReason.TRIGGER_TIMEOUT, TriggerFailureReason.TRIGGER_FAILURE
REQUEST = {"model": MODEL, "image_size": "1280x720", "retries": 2}
WAYS = ("sensor", "one task")


def waiting(way: str, clip: Path) -> TaskRun:
    """Return a task that has left its worker to wait for its video."""
    if way == "sensor":
        request_id = SiliconFlowHook().submit_video(VideoRequest(MODEL, "a cat", "1280x720")).request_id
        run = TaskRun(in_dag(VideoReadySensor, request_id=request_id, deferrable=True, retries=2))
    else:
        run = TaskRun(in_dag(GenerateVideoOperator, prompt="a cat", destination=str(clip), **REQUEST))
    assert run.work().state == "deferred"
    return run


@pytest.mark.parametrize("reason", [TIMEOUT, FAILURE])
@pytest.mark.parametrize("way", WAYS)
def test_a_video_that_got_ready_meanwhile_is_taken(still: Sandbox, clip: Path, way: str, reason: str) -> None:
    run = waiting(way, clip)
    still.advance(600)
    assert run.fail_deferral(reason).state == "success"
    assert run.xcoms["return_value"]
    assert still.ledger().billed == 1


@pytest.mark.parametrize(
    ("way", "reason", "state", "error", "words"),
    [
        ("sensor", TIMEOUT, "failed", AirflowSensorTimeout, "Clear this task to wait for it again"),
        ("sensor", FAILURE, "up_for_retry", SiliconFlowError, "A retry of this task takes up the wait at no cost"),
        ("one task", TIMEOUT, "up_for_retry", VideoTimeoutError, "A retry of this task goes on waiting for it"),
        ("one task", FAILURE, "up_for_retry", SiliconFlowError, "A retry of this task goes on waiting for it"),
    ],
)
def test_of_a_video_that_is_not_ready_the_money_is_told(
    still: Sandbox, clip: Path, way: str, reason: str, state: str, error: type[Exception], words: str
) -> None:
    run = waiting(way, clip)
    report = run.fail_deferral(reason)
    assert report.state == state
    assert type(report.error) is error
    (job,) = still.ledger().jobs
    for fact in (job["request_id"], "keeps running at the service and is billed", words):
        assert fact in str(report.error)


@pytest.mark.parametrize("kind", [SubmitVideoOperator, GenerateVideoOperator])
def test_a_submit_that_was_waited_with_was_not_made(still: Sandbox, clip: Path, kind: type) -> None:
    still.script(Fault("submit", "rate_limited"))
    more = {"destination": str(clip)} if kind is GenerateVideoOperator else {}
    run = TaskRun(in_dag(kind, prompt="a cat", **REQUEST, **more))
    assert run.work().state == "deferred"
    report = run.fail_deferral()
    assert report.state == "up_for_retry"
    assert str(report.error).endswith("Nothing was submitted, nothing is billed. A retry submits it.")
    assert still.ledger().billed == 0


def test_a_batch_says_that_its_videos_go_on(still: Sandbox, tmp_path: Path) -> None:
    run = TaskRun(in_dag(GenerateVideoBatchOperator, requests=["a", "b"], destination=str(tmp_path), **REQUEST))
    assert run.work().state == "deferred"
    report = run.fail_deferral()
    assert report.state == "up_for_retry"
    for job in still.ledger().jobs:
        assert job["request_id"] in str(report.error)
    assert "2 are submitted, keep running at the service and are billed" in str(report.error)
    assert "A retry of this task takes them up at no cost" in str(report.error)
    still.advance(600)
    run.next_try()
    assert run.work().state == "success"
    assert still.ledger().billed == 2


def test_a_batch_archives_what_got_ready_meanwhile(still: Sandbox, tmp_path: Path) -> None:
    run = TaskRun(in_dag(GenerateVideoBatchOperator, requests=["a", "b"], destination=str(tmp_path), **REQUEST))
    assert run.work().state == "deferred"
    still.advance(600)
    assert run.fail_deferral().state == "success"
    assert [row["state"] for row in run.xcoms["return_value"]["videos"]] == ["archived", "archived"]


def test_without_a_store_a_broken_wait_does_not_say_that_a_retry_is_free(still: Sandbox, tmp_path: Path) -> None:
    run = TaskRun(in_dag(GenerateVideoOperator, prompt="a", destination=str(tmp_path), **REQUEST), has_store=False)
    assert run.work().state == "deferred"
    said = str(run.fail_deferral(FAILURE).error)
    assert "makes another video and pays for it" in said
    assert "costs nothing" not in said


def test_without_a_store_a_batch_does_not_say_that_a_retry_is_free(still: Sandbox, tmp_path: Path) -> None:
    batch: Any = in_dag(GenerateVideoBatchOperator, requests=["a"], destination=str(tmp_path), **REQUEST)
    run = TaskRun(batch, has_store=False)
    assert run.work().state == "deferred"
    said = str(run.fail_deferral(FAILURE).error)
    assert "a retry makes others and pays for them" in said
    assert "no cost" not in said
