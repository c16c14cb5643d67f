"""A sandbox that runs on a loop, or on a thread of its own."""

from __future__ import annotations

import asyncio
import os
import signal
import threading

import pytest

from airflow_provider_siliconflow.sandbox import cli
from airflow_provider_siliconflow.sandbox.server import Sandbox
from airflow_provider_siliconflow.sandbox.settings import Settings


async def test_it_serves_until_it_is_told_to_end(capsys: pytest.CaptureFixture[str]) -> None:
    serving = asyncio.create_task(cli.serve(Settings(tiny=True), "127.0.0.1", 0))
    said = ""
    async with asyncio.timeout(30):
        while not said:
            await asyncio.sleep(0.01)
            said = capsys.readouterr().out
        os.kill(os.getpid(), signal.SIGTERM)
        await serving
    assert said.count("\n") == 1
    assert all(key in said for key in (Settings.key, Settings.key_other, Settings.key_com))


def test_a_sandbox_whose_port_is_taken_leaves_nothing_running() -> None:
    before = threading.active_count()
    with Sandbox(Settings(tiny=True)) as first, pytest.raises(OSError, match="address already in use"):
        Sandbox(Settings(tiny=True), port=first.port).__enter__()
    assert threading.active_count() == before
