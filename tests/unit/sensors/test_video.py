"""One table: in every mode of waiting, the same service gives the same final answer."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from airflow.sdk import DAG
from airflow.sdk.bases.operator import TriggerFailureReason
from airflow.sdk.exceptions import AirflowFailException, AirflowSensorTimeout, AirflowSkipException, TaskDeferred

from airflow_provider_siliconflow.exceptions import (
    InvalidArgumentError,
    VideoFailedPermanentlyError,
    VideoUnavailableError,
)
from airflow_provider_siliconflow.sensors.video import VideoReadySensor
from tests.unit.hooks.fixtures import Connect
from tests.unit.hooks.scripted_server import KEY, Script, ScriptedServer, Step, reply
from tests.unit.sensors.played import Played

ID = "gs6fhi8yrhxt"
URL = "https://s3/out%2Fclip.mp4?Expires=1741861920&Signature=s3cr3t"
RESULTS = {"videos": [{"url": URL}], "timings": {"inference": 41.5}, "seed": 7}
READY = reply(200, {"status": "Succeed", "reason": "", "results": RESULTS}, {"x-siliconcloud-trace-id": "ti_1"})
FAILED = reply(200, {"status": "Failed", "reason": "内容 违规"})
QUEUED = reply(200, {"status": "InQueue", "position": 3})
ODD = reply(200, {"status": "Reviewing"})
EMPTY = reply(200, {"status": "Succeed", "results": {"videos": []}})
FACTS = {
    "request_id": ID,
    "expires_at": "2025-03-13T10:32:00+00:00",
    "seed": 7,
    "inference_seconds": 41.5,
    "trace_id": "ti_1",
}
MODES: dict[str, dict[str, Any]] = {
    "poke": {"deferrable": False},
    "reschedule": {"deferrable": False, "mode": "reschedule"},
    "deferrable": {"deferrable": True},
    "deferrable reschedule": {"deferrable": True, "mode": "reschedule"},
}
FLAGS: dict[str, dict[str, Any]] = {"plain": {}, "soft_fail": {"soft_fail": True}, "never_fail": {"never_fail": True}}
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


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch, connect: Connect, server: ScriptedServer) -> None:
    monkeypatch.setattr("airflow_provider_siliconflow.triggers.video.MIN_DEFERRAL_SECONDS", 0.0)
    # How long the poller rests after a failed poll is its own tests' matter.
    monkeypatch.setattr("airflow_provider_siliconflow.polling.scheduler._BACKOFF", 0.0)
    monkeypatch.setattr("airflow_provider_siliconflow.polling.scheduler._MAX_BACKOFF", 0.0)
    monkeypatch.setattr("airflow_provider_siliconflow.polling.poller.RENEWAL", 0.05)
    for name in ("REJECTION_GRACE", "CONNECTION_GRACE"):
        monkeypatch.setattr(f"airflow_provider_siliconflow.polling.decision.{name}", 0.2)
    for name in ("_REJECTED_PAUSE", "_MAX_REJECTED_PAUSE"):
        monkeypatch.setattr(f"airflow_provider_siliconflow.polling.worker.{name}", 0.01)
    connect(server.url, max_attempts=1, max_backoff=0, requests_per_minute=60_000)


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> Callable[[], str]:
    """Return all that was logged, however Airflow's logging is set up."""
    caplog.set_level(logging.DEBUG)
    return lambda: caplog.text + "".join(capfd.readouterr())


def play(**kwargs: Any) -> Played:
    given: dict[str, Any] = {"task_id": "ready", "request_id": ID, "poke_interval": 0, "timeout": 60} | kwargs
    return Played(lambda: VideoReadySensor(**given))


def check(played: Played, error: type[Exception] | None, flag: str) -> None:
    if error is None:
        assert played.finish() == URL
        assert played.xcoms["video"] == FACTS
        return
    # What no retry can change is skipped in the same way as a time-out; what it can is not, but for never_fail.
    is_plain = flag == "plain" or (flag == "soft_fail" and error is VideoUnavailableError)
    with pytest.raises(error if is_plain else AirflowSkipException) as caught:
        played.finish()
    assert not is_plain or type(caught.value) is error
    assert "video" not in played.xcoms


@pytest.mark.parametrize("flag", FLAGS)
@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("mode", MODES)
def test_every_mode_gives_the_same_answer(server: ScriptedServer, mode: str, end: str, flag: str) -> None:
    steps, error = ENDS[end]
    server.script = list(steps)
    check(play(**MODES[mode], **FLAGS[flag]), error, flag)
    assert len(server.requests) >= len(steps)
    assert {request.target for request in server.requests} == {"/v1/video/status"}


@pytest.mark.parametrize("flag", FLAGS)
@pytest.mark.parametrize("state", NEVER)
@pytest.mark.parametrize("mode", MODES)
def test_every_mode_times_out_alike(server: ScriptedServer, mode: str, state: str, flag: str) -> None:
    server.script = [NEVER[state]]
    check(play(timeout=0, **MODES[mode], **FLAGS[flag]), AirflowSensorTimeout, flag)


@pytest.mark.parametrize("mode", MODES)
def test_a_time_out_tells_of_the_money(server: ScriptedServer, mode: str) -> None:
    server.script = [QUEUED]
    with pytest.raises(AirflowSensorTimeout) as caught:
        play(timeout=0, **MODES[mode]).finish()
    for fact in (
        f"Video {ID} was not ready",
        "InQueue at position 3",
        "is billed",
        "A retry of this task, or clearing it, polls the same video again, which costs nothing.",
    ):
        assert fact in str(caught.value)


@pytest.mark.parametrize("mode", MODES)
def test_a_failure_says_why_to_the_letter(server: ScriptedServer, mode: str) -> None:
    server.script = [FAILED]
    with pytest.raises(VideoFailedPermanentlyError) as caught:
        play(**MODES[mode]).finish()
    assert (caught.value.reason, caught.value.request_id) == ("内容 违规", ID)


@pytest.mark.parametrize("flag", ["soft_fail", "never_fail"])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("script", [[FAILED], [QUEUED, FAILED]], ids=["at once", "later"])
def test_a_skip_of_a_failed_video_says_why(
    server: ScriptedServer, script: list[Script], mode: str, flag: str, said: Callable[[], str]
) -> None:
    """Airflow's own words tell a failed video and a late one alike."""
    server.script = list(script)
    with pytest.raises(AirflowSkipException):
        play(**MODES[mode], **FLAGS[flag]).finish()
    told = said()
    assert "内容 违规" in told
    assert "was not ready" not in told


@pytest.mark.parametrize("flag", ["soft_fail", "never_fail"])
@pytest.mark.parametrize("mode", MODES)
def test_a_skip_of_a_late_video_says_so(server: ScriptedServer, mode: str, flag: str, said: Callable[[], str]) -> None:
    server.script = [QUEUED]
    with pytest.raises(AirflowSkipException) as caught:
        play(timeout=0, **MODES[mode], **FLAGS[flag]).finish()
    assert f"Video {ID} was not ready" in said() + str(caught.value)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("never", [401, 402, 403, 404], ids=str)
def test_no_error_of_a_paid_video_leads_to_paying_twice(server: ScriptedServer, mode: str, never: int) -> None:
    server.script = [reply(never, "no")]
    with pytest.raises((AirflowSensorTimeout, VideoUnavailableError)) as caught:
        play(timeout=0 if mode == "reschedule" else 0.5, poke_interval=0.05, **MODES[mode]).finish()
    told = str(caught.value)
    for fact in (ID, "is billed: nothing can cancel it", "which costs nothing", f"HTTP {never}"):
        assert fact in told
    assert "clear the task" not in told
    assert not isinstance(caught.value, AirflowFailException)


@pytest.mark.parametrize("mode", MODES)
def test_a_connection_without_a_key_is_told_after_a_while_and_retried(
    connect: Connect, server: ScriptedServer, mode: str
) -> None:
    connect(server.url, password=None)
    with pytest.raises(VideoUnavailableError, match="has no API key") as caught:
        play(**MODES[mode]).finish()
    assert not isinstance(caught.value, AirflowFailException)
    assert server.requests == []


@pytest.mark.parametrize("mode", MODES)
def test_a_connection_that_is_not_found_is_told_after_a_while_and_retried(server: ScriptedServer, mode: str) -> None:
    with pytest.raises(VideoUnavailableError, match="isn't defined"):
        play(siliconflow_conn_id="of_nobody", **MODES[mode]).finish()


@pytest.mark.parametrize("request_id", ["", None, "None", " None "])
def test_an_id_that_is_missing_is_not_asked_for(server: ScriptedServer, request_id: str | None) -> None:
    with pytest.raises(InvalidArgumentError, match="there is no video to poll"):
        play(request_id=request_id).finish()
    assert server.requests == []


def test_the_worker_is_left_after_one_poll_and_the_deferral_has_a_time_limit(server: ScriptedServer) -> None:
    server.script = [QUEUED]
    with pytest.raises(TaskDeferred) as caught:
        play(deferrable=True, timeout=600).start()
    assert len(server.requests) == 1
    assert caught.value.timeout
    # Airflow's own limit comes after the trigger's, so that the event that explains wins.
    assert timedelta(seconds=600) < caught.value.timeout < timedelta(seconds=1200)


@pytest.mark.parametrize(
    ("flag", "error"),
    [("plain", AirflowSensorTimeout), ("soft_fail", AirflowSkipException), ("never_fail", AirflowSkipException)],
)
def test_a_triggerer_that_gives_up_is_a_time_out(server: ScriptedServer, flag: str, error: type[Exception]) -> None:
    server.script = [QUEUED]
    with pytest.raises(error):
        play(deferrable=True, **FLAGS[flag]).fail_deferral({"error": TriggerFailureReason.TRIGGER_TIMEOUT})


#: What Airflow may hand to a task whose trigger could not even be made.
FAILURES: list[Any] = [
    {"error": TriggerFailureReason.TRIGGER_FAILURE, "traceback": ["Traceback", "TypeError: unexpected argument 'x'"]},
    {"error": "Trigger failure", "traceback": "no list"},
    {"error": None},
    {"something": "else"},
    {},
    None,
    "text",
]


@pytest.mark.parametrize("failure", FAILURES)
def test_a_failed_deferral_polls_and_defers_once_more(server: ScriptedServer, failure: Any) -> None:
    server.script = [QUEUED, QUEUED, READY]
    played = play(deferrable=True)
    with pytest.raises(TaskDeferred):
        played.start()
    with pytest.raises(TaskDeferred) as deferral:
        played.fail_deferral(failure)
    played.deferrals.append(deferral.value)
    assert played.resume() == URL


@pytest.mark.parametrize("event", [None, "ready", [], {}, {"status": "ready"}, {"ending": "ready", "deadline": "x"}])
def test_an_event_of_another_release_polls_and_defers_once_more(server: ScriptedServer, event: Any) -> None:
    server.script = [QUEUED, READY]
    played = play(deferrable=True)
    with pytest.raises(TaskDeferred) as deferral:
        played.make().resume_execution("execute_complete", {"event": event}, {"ti": played})  # type: ignore[typeddict-item]
    played.deferrals.append(deferral.value)
    assert played.resume() == URL


def test_a_method_of_another_release_polls_and_defers_once_more(server: ScriptedServer) -> None:
    server.script = [QUEUED]
    with pytest.raises(TaskDeferred):
        play(deferrable=True).make().resume_execution("on_video_ready", {"event": {}}, {"ti": play()})  # type: ignore[typeddict-item]


def test_a_deferral_that_fails_again_and_again_keeps_one_deadline_and_ends_in_the_worker(
    server: ScriptedServer,
) -> None:
    server.script = [*[QUEUED] * 5, READY]
    played = play(deferrable=True, poke_interval=0.01)
    deadlines = []
    for _ in range(2):
        with pytest.raises(TaskDeferred) as deferral:
            played.fail_deferral({"error": TriggerFailureReason.TRIGGER_FAILURE})
        deadlines.append(deferral.value.trigger.serialize()[1]["deadline"])
    assert deadlines[0] == deadlines[1]
    assert played.fail_deferral({"error": TriggerFailureReason.TRIGGER_FAILURE}) == URL
    assert len(server.requests) == 6


def test_a_rejected_poll_of_the_woken_task_is_repeated(server: ScriptedServer) -> None:
    server.script = [QUEUED, READY, reply(404, "404 page not found"), READY]
    assert play(deferrable=True).finish() == URL
    assert len(server.requests) == 4


def test_the_woken_task_polls_for_a_fresh_url(server: ScriptedServer) -> None:
    stale = {"status": "Succeed", "results": {"videos": [{"url": "https://stale"}]}}
    server.script = [QUEUED, reply(200, stale), READY]
    played = play(deferrable=True)
    assert played.finish() == URL
    assert len(server.requests) == 3


def test_a_task_woken_too_early_waits_again_until_the_same_deadline(server: ScriptedServer) -> None:
    server.script = [QUEUED, READY, QUEUED, READY]
    played = play(deferrable=True)
    assert played.finish() == URL
    first, second = (deferral.trigger.serialize()[1]["deadline"] for deferral in played.deferrals)
    assert first == second


@pytest.mark.parametrize(
    ("status", "delays"),
    [
        # Only what is rare is put off: a video that gets ready meanwhile is not held up by a clock that is ahead.
        ("timed_out", [(None, 20), (None, 40), (None, 80), (None, 160)]),
        ("rejected", [(None, 20), (None, 40), (None, 80), (None, 160)]),
        ("ready", [(20, 10), (40, 10), (80, 10), (120, 10)]),
    ],
)
def test_an_event_that_does_not_hold_defers_again_and_the_next_comes_later(
    server: ScriptedServer, status: str, delays: list[tuple[float | None, float]]
) -> None:
    """As where triggerer and worker have other clocks or connections: neither a failure, nor a worker each moment."""
    server.script = [QUEUED]
    played = play(deferrable=True, timeout=600)
    with pytest.raises(TaskDeferred) as first:
        played.start()
    event = {"version": 1, "status": status, "request_id": ID, "first_poll_after": 10.0, "min_wait": 10.0}
    event["deadline"] = first.value.trigger.serialize()[1]["deadline"]
    again = []
    for _ in range(4):
        with pytest.raises(TaskDeferred) as deferral:
            played.make().resume_execution("execute_complete", {"event": event}, {"ti": played})  # type: ignore[typeddict-item]
        kwargs = deferral.value.trigger.serialize()[1]
        assert kwargs["deadline"] == event["deadline"]
        event |= {name: kwargs[name] for name in ("first_poll_after", "min_wait") if kwargs[name] is not None}
        again.append((kwargs["first_poll_after"], kwargs["min_wait"]))
    assert again == delays


def test_the_hook_is_made_once_and_asks_anew_after_a_rejected_key(
    server: ScriptedServer, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    sensor = play().make()
    assert sensor.hook is sensor.hook
    server.script = [reply(401, "no"), READY]
    context: Any = {"ti": play()}
    assert sensor.poke(context) is False
    connect(server.url, password="sk-rotated-" + "x" * 20, max_attempts=1)
    assert sensor.poke(context)
    assert [request.headers["authorization"] for request in server.requests][1] == "Bearer sk-rotated-" + "x" * 20


@pytest.mark.parametrize("policy", [60.0, timedelta(minutes=1)])
def test_an_interval_set_by_a_cluster_policy_is_obeyed(server: ScriptedServer, policy: Any) -> None:
    server.script = [QUEUED]
    sensor = VideoReadySensor(task_id="ready", request_id=ID, deferrable=True)
    sensor.poke_interval = policy
    with pytest.raises(TaskDeferred) as deferral:
        sensor.execute({"ti": play()})  # type: ignore[typeddict-item]
    assert deferral.value.trigger.serialize()[1]["poke_interval"] == 60.0


@pytest.mark.parametrize("duration", [90, timedelta(seconds=90)])
def test_durations_are_seconds_or_timedelta(server: ScriptedServer, duration: Any) -> None:
    server.script = [QUEUED]
    sensor = VideoReadySensor(task_id="ready", request_id=ID, deferrable=True, poke_interval=duration, timeout=duration)
    with pytest.raises(TaskDeferred) as deferral:
        sensor.execute({"ti": play()})  # type: ignore[typeddict-item]
    kwargs = deferral.value.trigger.serialize()[1]
    assert kwargs["poke_interval"] == 90.0
    assert kwargs["deadline"] - kwargs["submitted_at"] == 90.0


def test_no_key_and_no_link_in_the_logs(server: ScriptedServer, said: Callable[[], str]) -> None:
    server.script = [QUEUED, READY]
    played = play(deferrable=True)
    played.finish()
    told = said() + repr(played.make()) + repr(played.deferrals[0].trigger)
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
