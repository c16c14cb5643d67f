"""
Ready, failed, timed out: the same answer in every variant of waiting, and what Airflow makes of it.

Each case is run by Airflow's own worker code and, where it defers, by the real trigger, against the sandbox.
"""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG

from airflow_provider_siliconflow._airflow.names import AirflowFailException, AirflowSensorTimeout
from airflow_provider_siliconflow.billing import Billing
from airflow_provider_siliconflow.client.models import VideoRequest
from airflow_provider_siliconflow.exceptions import VideoFailedError, VideoTimeoutError
from airflow_provider_siliconflow.hooks.siliconflow import SiliconFlowHook
from airflow_provider_siliconflow.operators.video import GenerateVideoOperator
from airflow_provider_siliconflow.sandbox.server import Sandbox
from airflow_provider_siliconflow.sensors.video import VideoReadySensor
from tests.unit.conftest import Clock
from tests.unit.worker import MODEL, Report, TaskRun

pytestmark = pytest.mark.usefixtures("first_poll_at_once")

#: Ways of waiting that hold a worker; in the others time goes by between two worker processes.
IN_WORKER = ("poke", "one task, in the worker")
SENSOR: dict[str, dict[str, Any]] = {
    "poke": {"mode": "poke"},
    "reschedule": {"mode": "reschedule"},
    "deferred": {"deferrable": True},
}
ONE_TASK: dict[str, dict[str, Any]] = {
    "one task": {"deferrable": True},
    "one task, in the worker": {"deferrable": False},
}
SUCCESS, FAILED, RETRY, SKIPPED = "success", "failed", "up_for_retry", "skipped"

#: What Airflow makes of each answer, with retries to spare. A sensor's retry could only ask for the same id again; a
#: retry of the one task makes another video of a failed one, and waits again for a late one.
STATES = {
    ("ready", "sensor"): SUCCESS,
    ("ready", "one task"): SUCCESS,
    ("failed", "sensor"): FAILED,
    ("failed", "one task"): RETRY,
    ("timed out", "sensor"): FAILED,
    ("timed out", "one task"): RETRY,
}
CASES = [
    *product(("ready", "failed", "timed out"), SENSOR, (False, True), (0, 2), (False, True)),
    *product(("ready", "failed", "timed out"), ONE_TASK, (False,), (0, 2), (False, True)),
]


def state_of(answer: str, variant: str, soft_fail: bool, retries: int) -> str:
    state = STATES[answer, "sensor" if variant in SENSOR else "one task"]
    if soft_fail and state != SUCCESS:
        return SKIPPED
    return FAILED if state == RETRY and not retries else state


def task_for(variant: str, is_mapped: bool, varied: dict[str, Any], **arguments: Any) -> TaskRun:
    """Make a task; mapped over its one varied argument, or plain."""
    kind: Any = VideoReadySensor if variant in SENSOR else GenerateVideoOperator
    given = {"task_id": "video", **arguments, **(SENSOR | ONE_TASK)[variant]}
    with DAG("a_dag", schedule=None):
        if not is_mapped:
            return TaskRun(kind(**given, **varied))
        ((name, value),) = varied.items()
        return TaskRun(kind.partial(**given).expand(**{name: ["not this one", value]}), map_index=1)


def make(answer: str, variant: str, soft_fail: bool, retries: int, is_mapped: bool, folder: Path) -> TaskRun:
    prompt = "a cat [fail: too dark]" if answer == "failed" else "a cat"
    # Where time goes by between worker processes, no time goes by within one.
    interval, timeout = {(True, True): (5, 8), (True, False): (60, 1800), (False, True): (0.01, 0)}.get(
        (variant in IN_WORKER, answer == "timed out"), (0.01, 1800)
    )
    waits: dict[str, Any] = {"poke_interval": interval, "timeout": timeout, "retries": retries}
    if variant in SENSOR:
        request_id = SiliconFlowHook().submit_video(VideoRequest(MODEL, prompt, "1280x720")).request_id
        return task_for(variant, is_mapped, {"request_id": request_id}, **waits, soft_fail=soft_fail)
    request = {"model": MODEL, "image_size": "1280x720", "destination": f"{folder}/clip.mp4"}
    return task_for(variant, is_mapped, {"prompt": prompt}, **waits, **request)


def run_to_its_end(run: TaskRun, answer: str, variant: str, sandbox: Sandbox) -> Report:
    if answer != "timed out" and variant not in IN_WORKER:
        assert run.work().state in ("deferred", "up_for_reschedule"), "the wait is a real one"
        sandbox.advance(600)
    return run.finish()


@pytest.mark.parametrize(("answer", "variant", "soft_fail", "retries", "is_mapped"), CASES)
def test_answer(
    sandbox: Sandbox,
    clock: Clock,
    tmp_path: Path,
    answer: str,
    variant: str,
    soft_fail: bool,
    retries: int,
    is_mapped: bool,
) -> None:
    run = make(answer, variant, soft_fail, retries, is_mapped, tmp_path)

    report = run_to_its_end(run, answer, variant, sandbox)

    assert report.state == state_of(answer, variant, soft_fail, retries)
    (job,) = sandbox.ledger().jobs
    assert sandbox.ledger().billed == 1
    if answer == "ready":
        assert run.xcoms["video"]["request_id"] == job["request_id"]
        assert run.xcoms["video"]["seed"] == job["seed"]
    elif report.state != SKIPPED:
        check_error(report.error, answer, variant, job["request_id"])
    else:
        assert report.error is None
    assert bool(clock.sleeps) == (variant in IN_WORKER)


def check_error(error: BaseException | None, answer: str, variant: str, request_id: str) -> None:
    said = str(error)
    assert request_id in said
    if answer == "failed":
        assert isinstance(error, VideoFailedError)
        assert (error.request_id, error.reason) == (request_id, "too dark")
        assert said.startswith(f"SiliconFlow could not make video {request_id}: too dark")
        assert error.billing is Billing.FAILED
        assert isinstance(error, AirflowFailException) == (variant in SENSOR)
    else:
        assert isinstance(error, AirflowSensorTimeout if variant in SENSOR else VideoTimeoutError)
        assert said.startswith(f"Video {request_id} was not ready")
        assert "last polled as InQueue at position 1" in said
        assert "keeps running at the service and is billed: nothing can cancel it" in said
        assert "costs nothing" in said


@pytest.mark.parametrize("variant", [*SENSOR, *ONE_TASK])
def test_after_a_timeout_a_retry_waits_again_without_paying(
    sandbox: Sandbox, clock: Clock, tmp_path: Path, variant: str
) -> None:
    run = make("timed out", variant, False, 2, False, tmp_path)
    run_to_its_end(run, "timed out", variant, sandbox)
    sandbox.advance(600)
    again = run.clear() if variant in SENSOR else run.retry()
    assert again.state == "success"
    assert sandbox.ledger().billed == 1
