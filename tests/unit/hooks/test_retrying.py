"""When a failed call is sent again, how long after, and how often."""

from __future__ import annotations

import logging

import pytest

from airflow_provider_siliconflow.exceptions import (
    SiliconFlowError,
    SiliconFlowRateLimitError,
)
from tests.unit.hooks.fixtures import (
    ATTEMPTS,
    CALLS,
    MAX_BACKOFF,
    VIDEO,
    Caller,
    Connect,
    call_async,
    call_sync,
    submit,
)
from tests.unit.hooks.scripted_server import KEY, ScriptedServer, Step, reply

ID = "gs6fhi8yrhxt"
LIMITED = {"message": "Request was rejected due to rate limiting.", "data": None}


@CALLS
def test_a_temporary_rejection_is_waited_out(
    route: str, ask: Caller, connected: ScriptedServer, sleeps: list[float]
) -> None:
    good = reply(200, {"requestId": ID, "status": "InQueue"})
    connected.script = [reply(429, LIMITED), reply(503, {"code": 50508, "message": "busy"}), good]
    ask()
    assert len(connected.requests) == 3
    assert len(sleeps) == 2
    assert all(0 <= slept <= MAX_BACKOFF for slept in sleeps)


@pytest.mark.parametrize(
    ("header", "slept"),
    [("0", 0.0), ("3", 3.0), ("3600", MAX_BACKOFF), ("Sat, 01 Aug 2026 12:00:02 GMT", 2.0)],
)
def test_retry_after_is_honoured_and_capped(
    connected: ScriptedServer, sleeps: list[float], header: str, slept: float
) -> None:
    limited = reply(429, LIMITED, {"Retry-After": header, "Date": "Sat, 01 Aug 2026 12:00:00 GMT"})
    connected.script = [limited, reply(200, {"requestId": ID})]
    submit(VIDEO)
    assert sleeps == [slept]


def test_back_off_without_retry_after_grows_and_has_jitter(
    connect: Connect, server: ScriptedServer, sleeps: list[float]
) -> None:
    connect(server.url, max_attempts=12, max_backoff=64)
    server.script = [reply(429, LIMITED)]
    with pytest.raises(SiliconFlowRateLimitError):
        submit(VIDEO)
    assert len(server.requests) == 12
    assert all(0 <= slept <= min(64, 2**retry) for retry, slept in enumerate(sleeps))
    assert len(set(sleeps)) == len(sleeps)


def test_an_unknown_outcome_after_a_rejection_ends_the_submit(connected: ScriptedServer, sleeps: list[float]) -> None:
    connected.script = [reply(429, LIMITED), Step.RESET, reply(200, {"requestId": ID})]
    with pytest.raises(SiliconFlowError, match="may be running and billed"):
        submit(VIDEO)
    assert connected.posts("/video/submit") == 2


def test_callers_may_set_the_number_of_tries(connected: ScriptedServer, sleeps: list[float]) -> None:
    connected.script = [reply(429, LIMITED)]
    with pytest.raises(SiliconFlowRateLimitError):
        call_sync("submit_video", VIDEO, attempts=1)
    with pytest.raises(SiliconFlowRateLimitError):
        call_async("get_video_status", ID, attempts=1)
    assert (len(connected.requests), sleeps) == (2, [])


def test_each_wait_is_logged_without_the_key(
    connected: ScriptedServer, sleeps: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    connected.script = [reply(429, LIMITED), reply(200, {"requestId": ID})]
    with caplog.at_level(logging.DEBUG):
        call_sync("submit_video", VIDEO)
    assert "rate limiting" in caplog.text
    assert KEY not in caplog.text


def test_attempts_come_from_the_connection(
    call: Caller, connect: Connect, server: ScriptedServer, sleeps: list[float]
) -> None:
    for attempts in (1, ATTEMPTS):
        connect(server.url, max_attempts=attempts)
        server.requests.clear()
        server.script = [reply(500, b"")]
        with pytest.raises(SiliconFlowError):
            call("get_video_status", ID)
        assert len(server.requests) == attempts
