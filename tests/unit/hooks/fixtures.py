"""Fixtures and callers shared by the tests of hooks, sensor, trigger and operators."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from airflow_provider_siliconflow.client.models import VideoRequest
from airflow_provider_siliconflow.hooks import siliconflow, siliconflow_async
from airflow_provider_siliconflow.hooks.retrying import policy
from airflow_provider_siliconflow.hooks.siliconflow import SiliconFlowHook
from airflow_provider_siliconflow.hooks.siliconflow_async import SiliconFlowAsyncHook
from tests.unit.hooks.scripted_server import KEY, ScriptedServer

CONNECTION = "AIRFLOW_CONN_SILICONFLOW_DEFAULT"
VIDEO = VideoRequest("Wan-AI/Wan2.2-T2V-A14B", "a cat", "1280x720")
ATTEMPTS = 3
MAX_BACKOFF = 4.0

#: Calls a method of a hook: the name of the method, then its arguments.
Caller = Callable[..., Any]
#: Sets the connection that both hooks read: host, then extra fields.
Connect = Callable[..., None]


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as running:
        yield running


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Connect:
    def set_connection(host: str | None, password: str | None = KEY, **extra: Any) -> None:
        extra = {"max_attempts": ATTEMPTS, "max_backoff": MAX_BACKOFF, "timeout": 10} | extra
        fields = {"conn_type": "siliconflow", "host": host, "password": password, "extra": extra}
        monkeypatch.setenv(CONNECTION, json.dumps(fields))

    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    return set_connection


@pytest.fixture
def connected(server: ScriptedServer, connect: Connect) -> ScriptedServer:
    """Return a server that the default connection leads to."""
    connect(server.url)
    return server


class _OverAtOnce:
    """Be over at once, whether awaited or not."""

    def __await__(self) -> Iterator[None]:
        return iter(())


@pytest.fixture
def sleeps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return the seconds that the hooks would have slept between tries; nobody sleeps."""
    slept: list[float] = []

    def sleep(seconds: float) -> _OverAtOnce:
        slept.append(seconds)
        return _OverAtOnce()

    for hooks in (siliconflow, siliconflow_async):
        monkeypatch.setattr(hooks, "policy", lambda *args, **kwargs: policy(*args, **kwargs) | {"sleep": sleep})
    return slept


def call_sync(method: str, *args: Any, **kwargs: Any) -> Any:
    return getattr(SiliconFlowHook(), method)(*args, **kwargs)


def call_async(method: str, *args: Any, **kwargs: Any) -> Any:
    async def call() -> Any:
        async with SiliconFlowAsyncHook() as hook:
            return await getattr(hook, method)(*args, **kwargs)

    return asyncio.run(call())


def submit(video: VideoRequest = VIDEO, **kwargs: Any) -> Any:
    """Submit with the one hook that does; the other only polls."""
    return call_sync("submit_video", video, **kwargs)


@pytest.fixture(params=[call_sync, call_async], ids=["sync", "async"])
def call(request: pytest.FixtureRequest) -> Caller:
    """Poll with either hook, one after the other."""
    caller: Caller = request.param
    return caller


#: Each call there is, with the route it takes.
CALLS = pytest.mark.parametrize(
    ("route", "ask"),
    [
        ("submit", submit),
        ("status", partial(call_sync, "get_video_status", "gs6fhi8yrhxt")),
        ("status", partial(call_async, "get_video_status", "gs6fhi8yrhxt")),
    ],
    ids=["submit", "poll", "async poll"],
)
