"""A sensor that waits in the triggerer: how it leaves its worker, and every way back into one."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from airflow.sdk.bases.operator import TriggerFailureReason

from airflow_provider_siliconflow._airflow.names import AirflowSensorTimeout
from tests.unit.hooks.scripted_server import ScriptedServer, reply
from tests.unit.sensors.waits import FLAGS, ID, QUEUED, READY, URL, waiting
from tests.unit.worker import TaskRun, kwargs_of

#: What Airflow may hand to a task whose trigger could not even be created.
FAILURES: list[dict[str, Any]] = [
    {"error": TriggerFailureReason.TRIGGER_FAILURE, "traceback": ["Traceback", "TypeError: unexpected argument 'x'"]},
    {"error": "Trigger failure", "traceback": "no list"},
    {"error": None},
]


def deferred(**arguments: Any) -> TaskRun:
    run = waiting(deferrable=True, **arguments)
    assert run.work().state == "deferred"
    return run


def test_the_worker_is_left_after_one_poll_and_the_deferral_has_a_time_limit(server: ScriptedServer) -> None:
    server.script = [QUEUED]
    deferral = deferred(timeout=600).deferral
    assert len(server.requests) == 1
    assert deferral
    assert deferral.trigger_timeout
    # Airflow's own limit comes after the trigger's, so that the event that explains wins.
    assert timedelta(seconds=600) < deferral.trigger_timeout < timedelta(seconds=1200)


@pytest.mark.parametrize(("flag", "state"), [("plain", "failed"), ("soft_fail", "skipped"), ("never_fail", "skipped")])
def test_a_triggerer_that_gives_up_is_a_time_out(server: ScriptedServer, flag: str, state: str) -> None:
    server.script = [QUEUED]
    report = deferred(**FLAGS[flag]).fail_deferral(TriggerFailureReason.TRIGGER_TIMEOUT)
    assert report.state == state
    assert state == "skipped" or type(report.error) is AirflowSensorTimeout


@pytest.mark.parametrize("failure", FAILURES)
def test_a_failed_deferral_polls_and_defers_once_more(server: ScriptedServer, failure: dict[str, Any]) -> None:
    server.script = [QUEUED, QUEUED, READY]
    run = deferred()
    assert run.fail_deferral(**failure).state == "deferred"
    assert run.work().state == "success"
    assert run.xcoms["return_value"] == URL


@pytest.mark.parametrize("event", [None, "ready", [], {}, {"status": "ready"}, {"ending": "ready", "deadline": "x"}])
def test_an_event_of_another_release_polls_and_defers_once_more(server: ScriptedServer, event: Any) -> None:
    server.script = [QUEUED, QUEUED, READY]
    run = deferred()
    assert run.resume(event).state == "deferred"
    assert run.work().state == "success"
    assert run.xcoms["return_value"] == URL


def test_a_method_of_another_release_polls_and_defers_once_more(server: ScriptedServer) -> None:
    server.script = [QUEUED]
    assert deferred().resume_in("on_video_ready", {"event": {}}).state == "deferred"


def test_a_deferral_that_fails_again_and_again_keeps_one_deadline_and_ends_in_the_worker(
    server: ScriptedServer,
) -> None:
    server.script = [*[QUEUED] * 6, READY]
    run = deferred(poke_interval=0.01)
    for _ in range(2):
        assert run.fail_deferral(TriggerFailureReason.TRIGGER_FAILURE).state == "deferred"
    first, second = (kwargs_of(deferral)["deadline"] for deferral in run.deferrals[1:])
    assert first == second
    assert run.fail_deferral(TriggerFailureReason.TRIGGER_FAILURE).state == "success"
    assert run.xcoms["return_value"] == URL
    assert len(server.requests) == 7


def test_a_rejected_poll_of_the_woken_task_is_repeated(server: ScriptedServer) -> None:
    server.script = [QUEUED, READY, reply(404, "404 page not found"), READY]
    assert waiting(deferrable=True).finish().state == "success"
    assert len(server.requests) == 4


def test_the_woken_task_polls_for_a_fresh_url(server: ScriptedServer) -> None:
    stale = {"status": "Succeed", "results": {"videos": [{"url": "https://stale"}]}}
    server.script = [QUEUED, reply(200, stale), READY]
    run = waiting(deferrable=True)
    assert run.finish().state == "success"
    assert run.xcoms["return_value"] == URL
    assert len(server.requests) == 3


def test_a_task_woken_too_early_waits_again_until_the_same_deadline(server: ScriptedServer) -> None:
    server.script = [QUEUED, READY, QUEUED, READY]
    run = waiting(deferrable=True)
    assert run.finish().state == "success"
    first, second = (kwargs_of(deferral)["deadline"] for deferral in run.deferrals)
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
    run = deferred(timeout=600)
    event = {"version": 1, "status": status, "request_id": ID, "first_poll_after": 10.0, "min_wait": 10.0}
    event["deadline"] = run.trigger_kwargs["deadline"]
    again = []
    for _ in range(4):
        assert run.resume(event).state == "deferred"
        kwargs = run.trigger_kwargs
        assert kwargs["deadline"] == event["deadline"]
        event |= {name: kwargs[name] for name in ("first_poll_after", "min_wait") if kwargs[name] is not None}
        again.append((kwargs["first_poll_after"], kwargs["min_wait"]))
    assert again == delays
