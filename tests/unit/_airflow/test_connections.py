"""A connection is looked up from an event loop by the way that blocks nothing on this release."""

from __future__ import annotations

import asyncio
import threading
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_siliconflow._airflow import connections
from airflow_provider_siliconflow._airflow.connections import get_async_connection


class Hook:
    """Play Airflow's hook, and note who is asked, and on which thread."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, bool]] = []

    def get_connection(self, conn_id: str) -> str:
        self.asked.append(("sync", conn_id, threading.current_thread() is threading.main_thread()))
        return "found"

    async def aget_connection(self, conn_id: str) -> str:
        self.asked.append(("async", conn_id, threading.current_thread() is threading.main_thread()))
        return "found"


@pytest.mark.parametrize(
    ("connection", "asked"),
    [
        (SimpleNamespace(aextra_dejson=None), ("async", "a_connection", True)),
        (SimpleNamespace(), ("sync", "a_connection", False)),
    ],
    ids=["3.3.2 and later", "before 3.3.2: its own asynchronous look-up deadlocks"],
)
def test_which_look_up_is_used(connection: Any, asked: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    hook = Hook()
    monkeypatch.setattr(connections, "BaseHook", hook)
    monkeypatch.setattr(connections, "Connection", connection)
    found: Any = asyncio.run(get_async_connection("a_connection"))
    assert (found, hook.asked) == ("found", [asked])
