"""Users' own calls: a session that keeps the key at home, and routes that have no method."""

from __future__ import annotations

import logging

import pytest

from airflow_provider_siliconflow.exceptions import (
    InvalidArgumentError,
    SiliconFlowConnectionError,
    SiliconFlowRateLimitError,
    SiliconFlowServerError,
)
from airflow_provider_siliconflow.hooks import http
from airflow_provider_siliconflow.hooks.siliconflow import SiliconFlowHook
from tests.unit.hooks.fixtures import ATTEMPTS, CALLS, Caller
from tests.unit.hooks.scripted_server import KEY, ScriptedServer, Step, reply

LIMITED = reply(429, {"message": "slow down"})


def test_any_route_can_be_called(connected: ScriptedServer) -> None:
    connected.script = [reply(200, {"data": [1]}), reply(200, [2])]
    hook = SiliconFlowHook()
    assert hook.run("get", "/models?type=image") == {"data": [1]}
    assert hook.run("POST", "/images/generations", {"prompt": "a cat"}) == [2]
    first, second = connected.requests
    assert (first.method, first.target, first.body) == ("GET", "/v1/models?type=image", b"")
    assert (second.method, second.target, second.json()) == ("POST", "/v1/images/generations", {"prompt": "a cat"})
    assert second.headers["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize(("method", "sent"), [("GET", ATTEMPTS), ("POST", 1), ("DELETE", 1)])
def test_what_may_be_paid_is_not_sent_again(
    connected: ScriptedServer, sleeps: list[float], method: str, sent: int
) -> None:
    connected.script = [Step.RESET]
    with pytest.raises(SiliconFlowConnectionError):
        SiliconFlowHook().run(method, "/images/generations", {})
    assert len(connected.requests) == sent


def test_a_temporary_rejection_is_waited_out_by_any_method(connected: ScriptedServer, sleeps: list[float]) -> None:
    connected.script = [LIMITED]
    with pytest.raises(SiliconFlowRateLimitError):
        SiliconFlowHook().run("POST", "/images/generations", {})
    assert len(connected.requests) == ATTEMPTS


def test_an_answer_that_is_no_json(connected: ScriptedServer, sleeps: list[float]) -> None:
    connected.script = [reply(200, b"<html>")]
    with pytest.raises(SiliconFlowServerError, match="not JSON"):
        SiliconFlowHook().run("POST", "/x")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "models"),
        ("GET", ""),
        ("GET", "https://evil.test/"),
        ("GET", "/a b"),
        ("GET", "/a\r\nX: y"),
        ("G T", "/"),
        ("", "/"),
    ],
)
def test_what_is_no_route_is_refused(connected: ScriptedServer, method: str, path: str) -> None:
    with pytest.raises(InvalidArgumentError):
        SiliconFlowHook().run(method, path)
    assert connected.requests == []


@CALLS
def test_an_oddity_is_logged_once(
    route: str,
    ask: Caller,
    connected: ScriptedServer,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(http, "_logged_oddities", set())
    connected.script = [
        reply(200, {"data": {"requestId": "gs6fhi8yrhxt", "status": "SUCCEED", "videos": ["https://h/a?b=c"]}})
    ]
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            ask()
    lines = [record.getMessage() for record in caplog.records if "Undocumented" in record.getMessage()]
    assert len(lines) == 1
    assert "gs6fhi8yrhxt" in lines[0]
    assert "b=c" not in lines[0]
