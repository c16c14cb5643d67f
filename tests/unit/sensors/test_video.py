"""One table: in every mode of waiting, the same service gives the same final answer."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from airflow.sdk import DAG

from airflow_provider_siliconflow._airflow.names import AirflowSensorTimeout
from airflow_provider_siliconflow.exceptions import (
    InvalidArgumentError,
    VideoFailedPermanentlyError,
    VideoUnavailableError,
)
from airflow_provider_siliconflow.sensors.video import VideoReadySensor
from tests.unit.hooks.fixtures import Connect
from tests.unit.hooks.scripted_server import KEY, Script, ScriptedServer, Step, reply
from tests.unit.sensors.waits import FAILED, FLAGS, ID, MODES, QUEUED, READY, URL, waiting
from tests.unit.worker import TaskRun

ODD = reply(200, {"status": "Reviewing"})
EMPTY = reply(200, {"status": "Succeed", "results": {"videos": []}})
FACTS = {
    "request_id": ID,
    "expires_at": "2025-03-13T10:32:00+00:00",
    "seed": 7,
    "inference_seconds": 41.5,
    "trace_id": "ti_1",
}
#: What the service says, in order; and how the wait ends. None is ready.
ENDS: dict[str, tuple[list[Script], type[Exception] | None]] = {
    "ready at once": ([READY], None),
    "ready later": ([QUEUED, QUEUED, READY], None),
    "failed at once": ([FAILED], VideoFailedPermanentlyError),
    "failed later": ([QUEUED, FAILED], VideoFailedPermanentlyError),
    "key rejected at once": ([reply(401, "Invalid token"), QUEUED, READY], None),
    "account rejected later": (
        [QUEUED, reply(403, {"code": 30001, "message": "poor"}), reply(402, "poor"), READY],
        None,
    ),
    "not known for a moment": ([reply(404, "404 page not found"), READY], None),
    "not known for a moment, later": ([QUEUED, reply(404, "404 page not found"), READY], None),
    "rejected in any way": ([*(reply(code, "no") for code in (302, 400, 404, 405, 410, 451)), READY], None),
    "not known": ([reply(404, "404 page not found")], VideoUnavailableError),
    "bad request": ([QUEUED, reply(400, {"code": 20015, "message": "bad"})], VideoUnavailableError),
    "unknown word": ([ODD, ODD, READY], None),
    "server errors": ([reply(500), reply(502, b"<html>"), reply(504, "timeout"), READY], None),
    "overloaded": ([reply(503, {"code": 50505, "message": "busy"}), reply(429, {"message": "slow"}), READY], None),
    "no answers": ([Step.RESET, Step.CLOSE, READY], None),
    "malformed": ([reply(200, b"<html>"), reply(200, []), EMPTY, READY], None),
}
#: With a time-out of nothing: what the service says for ever.
NEVER: dict[str, Script] = {"queued": QUEUED, "unknown word": ODD, "server error": reply(500), "no video": EMPTY}


def check(run: TaskRun, error: type[Exception] | None, flag: str) -> None:
    report = run.finish()
    if error is None:
        assert report.state == "success"
        assert run.xcoms["return_value"] == URL
        assert run.xcoms["video"] == FACTS
        return
    assert "video" not in run.xcoms
    # What no retry can change is skipped in the same way as a time-out; what it can is not, but for never_fail.
    if flag == "never_fail" or (flag == "soft_fail" and error is not VideoUnavailableError):
        assert report.state == "skipped"
    else:
        assert type(report.error) is error
        assert report.state == ("up_for_retry" if error is VideoUnavailableError else "failed")


@pytest.mark.parametrize("flag", FLAGS)
@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("mode", MODES)
def test_every_mode_gives_the_same_answer(server: ScriptedServer, mode: str, end: str, flag: str) -> None:
    steps, error = ENDS[end]
    server.script = list(steps)
    check(waiting(**MODES[mode], **FLAGS[flag]), error, flag)
    assert len(server.requests) >= len(steps)
    assert {request.target for request in server.requests} == {"/v1/video/status"}


@pytest.mark.parametrize("flag", FLAGS)
@pytest.mark.parametrize("state", NEVER)
@pytest.mark.parametrize("mode", MODES)
def test_every_mode_times_out_alike(server: ScriptedServer, mode: str, state: str, flag: str) -> None:
    server.script = [NEVER[state]]
    check(waiting(timeout=0, **MODES[mode], **FLAGS[flag]), AirflowSensorTimeout, flag)


@pytest.mark.parametrize("mode", MODES)
def test_a_time_out_tells_of_the_money(server: ScriptedServer, mode: str) -> None:
    server.script = [QUEUED]
    error = waiting(timeout=0, **MODES[mode]).finish().error
    assert type(error) is AirflowSensorTimeout
    for fact in (
        f"Video {ID} was not ready",
        "InQueue at position 3",
        "is billed",
        "A retry of this task, or clearing it, polls the same video again, which costs nothing.",
    ):
        assert fact in str(error)


@pytest.mark.parametrize("mode", MODES)
def test_a_failure_says_why_to_the_letter(server: ScriptedServer, mode: str) -> None:
    server.script = [FAILED]
    error = waiting(**MODES[mode]).finish().error
    assert isinstance(error, VideoFailedPermanentlyError)
    assert (error.reason, error.request_id) == ("内容 违规", ID)


@pytest.mark.parametrize("flag", ["soft_fail", "never_fail"])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("script", [[FAILED], [QUEUED, FAILED]], ids=["at once", "later"])
def test_a_skip_of_a_failed_video_says_why(
    server: ScriptedServer, script: list[Script], mode: str, flag: str, said: Callable[[], str]
) -> None:
    """Airflow's own words tell a failed video and a late one alike."""
    server.script = list(script)
    assert waiting(**MODES[mode], **FLAGS[flag]).finish().state == "skipped"
    told = said()
    assert "内容 违规" in told
    assert "was not ready" not in told


@pytest.mark.parametrize("flag", ["soft_fail", "never_fail"])
@pytest.mark.parametrize("mode", MODES)
def test_a_skip_of_a_late_video_says_so(server: ScriptedServer, mode: str, flag: str, said: Callable[[], str]) -> None:
    server.script = [QUEUED]
    assert waiting(timeout=0, **MODES[mode], **FLAGS[flag]).finish().state == "skipped"
    assert f"Video {ID} was not ready" in said()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("never", [401, 402, 403, 404], ids=str)
def test_no_error_of_a_paid_video_leads_to_paying_twice(server: ScriptedServer, mode: str, never: int) -> None:
    server.script = [reply(never, "no")]
    report = waiting(timeout=0 if mode == "reschedule" else 0.5, poke_interval=0.05, **MODES[mode]).finish()
    assert type(report.error) in (AirflowSensorTimeout, VideoUnavailableError)
    for fact in (ID, "is billed: nothing can cancel it", "which costs nothing", f"HTTP {never}"):
        assert fact in str(report.error)
    assert "clear the task" not in str(report.error)


@pytest.mark.parametrize("mode", MODES)
def test_a_connection_without_a_key_is_told_after_a_while_and_retried(
    connect: Connect, server: ScriptedServer, mode: str
) -> None:
    connect(server.url, password=None)
    report = waiting(**MODES[mode]).finish()
    assert report.state == "up_for_retry"
    assert "has no API key" in str(report.error)
    assert server.requests == []


@pytest.mark.parametrize("mode", MODES)
def test_a_connection_that_is_not_found_is_told_after_a_while_and_retried(server: ScriptedServer, mode: str) -> None:
    report = waiting(siliconflow_conn_id="of_nobody", **MODES[mode]).finish()
    assert report.state == "up_for_retry"
    assert "isn't defined" in str(report.error)


@pytest.mark.parametrize("request_id", ["", None, "None", " None "])
def test_an_id_that_is_missing_is_not_asked_for(server: ScriptedServer, request_id: str | None) -> None:
    report = waiting(request_id=request_id).finish()
    assert type(report.error) is InvalidArgumentError
    assert "there is no video to poll" in str(report.error)
    assert server.requests == []


def test_the_hook_is_made_once() -> None:
    sensor = VideoReadySensor(task_id="ready", request_id=ID)
    assert sensor.hook is sensor.hook


def test_the_key_is_read_anew_after_it_was_rejected(server: ScriptedServer, connect: Connect) -> None:
    rotated = "sk-rotated-" + "x" * 20

    def rotate(_: object) -> bytes:
        connect(server.url, password=rotated, max_attempts=1)
        return reply(401, "no")

    server.script = [rotate, READY]
    assert waiting().finish().state == "success"
    assert [request.headers["authorization"] for request in server.requests][1] == f"Bearer {rotated}"


@pytest.mark.parametrize("policy", [60.0, timedelta(minutes=1), 15, 15.0])
def test_an_interval_set_by_a_cluster_policy_is_obeyed(server: ScriptedServer, policy: Any) -> None:
    server.script = [QUEUED]
    run = waiting(deferrable=True, poke_interval=None)
    run.task.poke_interval = policy
    assert run.work().state == "deferred"
    assert run.trigger_kwargs["poke_interval"] == (15.0 if policy in (15, 15.0) else 60.0)


@pytest.mark.parametrize("duration", [90, timedelta(seconds=90)])
def test_durations_are_seconds_or_timedelta(server: ScriptedServer, duration: Any) -> None:
    server.script = [QUEUED]
    run = waiting(deferrable=True, poke_interval=duration, timeout=duration)
    assert run.work().state == "deferred"
    assert run.trigger_kwargs["poke_interval"] == 90.0
    assert run.trigger_kwargs["deadline"] - run.trigger_kwargs["submitted_at"] == 90.0


def test_no_key_and_no_url_in_the_logs(server: ScriptedServer, said: Callable[[], str]) -> None:
    server.script = [QUEUED, READY]
    run = waiting(deferrable=True)
    assert run.finish().state == "success"
    told = said() + repr(run.task) + repr(run.deferrals)
    assert f"Video {ID}: last polled as" in told
    assert KEY not in told
    assert "s3cr3t" not in told


def test_sensors_map() -> None:
    with DAG("dag", schedule=None):
        mapped = VideoReadySensor.partial(task_id="ready", poke_interval=0).expand(request_id=["a", "b"])
    assert mapped.task_id == "ready"


def test_by_default_it_waits_half_an_hour_on_the_worker() -> None:
    sensor = VideoReadySensor(task_id="ready", request_id="{{ params.nothing }}")
    assert (sensor.timeout, sensor.deferrable, sensor.mode) == (1800, False, "poke")
    assert set(sensor.template_fields) == {"request_id", "siliconflow_conn_id"}
