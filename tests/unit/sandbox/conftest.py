"""Sandboxes whose clock is frozen until a test moves it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from airflow_provider_siliconflow.sandbox.server import Sandbox
from airflow_provider_siliconflow.sandbox.settings import Settings
from tests.unit.sandbox.caller import NOON, Caller

Start = Callable[..., Caller]


@pytest.fixture
def start() -> Iterator[Start]:
    """Return a function that starts a sandbox with these switches, and calls it as the .cn account."""
    with ExitStack() as ending:

        def begin(**switches: Any) -> Caller:
            settings = Settings(**{"tiny": True, **switches})
            caller = Caller(ending.enter_context(Sandbox(settings, start=NOON)))
            ending.callback(caller.close)
            return caller

        yield begin


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Make the sandbox write down how long it would wait, instead of waiting."""
    written: list[float] = []
    sleep = asyncio.sleep

    async def write_down(seconds: float) -> None:
        written.append(seconds)
        await sleep(0)

    monkeypatch.setattr(asyncio, "sleep", write_down)
    return written


@pytest.fixture(scope="module")
def shared() -> Iterator[Caller]:
    """Return the caller of a plain sandbox, for tests that leave nothing behind."""
    with Sandbox(Settings(tiny=True), start=NOON) as sandbox:
        caller = Caller(sandbox)
        yield caller
        caller.close()
