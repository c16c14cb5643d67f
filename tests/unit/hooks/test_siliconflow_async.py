"""What the asynchronous hook does besides its calls: its connection and its session."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest

from airflow_provider_siliconflow.client.models import VideoState
from airflow_provider_siliconflow.exceptions import (
    SiliconFlowConfigError,
)
from airflow_provider_siliconflow.hooks.siliconflow_async import SiliconFlowAsyncHook
from tests.unit.hooks.fixtures import (
    Connect,
)
from tests.unit.hooks.scripted_server import ScriptedServer, reply

ID = "gs6fhi8yrhxt"


async def test_the_async_hook_looks_a_connection_up_in_a_thread_if_it_must(
    connected: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow_provider_siliconflow.hooks import siliconflow_async

    async def no_connection(conn_id: str) -> None:
        raise RuntimeError("dag.test() does not see the database here")

    monkeypatch.setattr(siliconflow_async, "get_async_connection", no_connection)
    connected.script = [reply(200, {"status": "InQueue"})]
    async with SiliconFlowAsyncHook() as hook:
        assert (await hook.get_video_status(ID)).status is VideoState.IN_QUEUE


async def test_the_async_hook_closes_its_session(connected: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[aiohttp.ClientSession] = []
    new_session = aiohttp.ClientSession

    def keep(**kwargs: Any) -> aiohttp.ClientSession:
        made.append(new_session(**kwargs))
        return made[-1]

    monkeypatch.setattr(aiohttp, "ClientSession", keep)
    connected.script = [reply(200, {"status": "InQueue"})]
    async with SiliconFlowAsyncHook() as hook:
        await hook.get_video_status(ID)
        assert [session.closed for session in made] == [False]
    assert [session.closed for session in made] == [True]


async def test_the_async_hook_raises_on_entry_what_is_wrong_with_the_connection(connect: Connect) -> None:
    connect("https://api.siliconflow.cn/v1", password="")
    with pytest.raises(SiliconFlowConfigError, match="has no API key"):
        async with SiliconFlowAsyncHook():
            pass
