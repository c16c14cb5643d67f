"""Fixtures shared by tests of more than one package."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import airflow.sdk.bases.sensor
import pytest

from airflow_provider_siliconflow.jobs import batch as batch_state
from airflow_provider_siliconflow.jobs import batch_archive, batch_run, batch_submit
from airflow_provider_siliconflow.operators import base, batch, generate, submit, submitting
from airflow_provider_siliconflow.polling import worker
from airflow_provider_siliconflow.sandbox.server import Sandbox
from airflow_provider_siliconflow.sandbox.settings import Settings
from airflow_provider_siliconflow.sensors import video
from airflow_provider_siliconflow.triggers import resume
from airflow_provider_siliconflow.triggers import submit as submit_later


class Clock:
    """The time of task and sandbox alike; a sleep moves it forward and returns at once."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self.now = sandbox.clock.now()
        self.sleeps: list[float] = []

    def time(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.now += seconds
        self._sandbox.advance(seconds)

    async def sleep_on_loop(self, seconds: float) -> None:
        self.sleep(seconds)


@pytest.fixture
def clock(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Clock:
    random.seed(1)
    clock = Clock(sandbox)
    for module in (base, submitting, submit, generate, submit_later, worker, resume, video, airflow.sdk.bases.sensor):
        monkeypatch.setattr(module, "time", clock)
    for module in (batch, batch_state, batch_run, batch_submit, batch_archive):
        monkeypatch.setattr(module, "time", clock)
    monkeypatch.setattr(submit_later, "asyncio", SimpleNamespace(sleep=clock.sleep_on_loop))
    return clock


@pytest.fixture
def sandbox(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """
    Run a sandbox whose clock is frozen until advanced, and point the default connection at it.

    A test may give its settings as an indirect parameter.
    """
    with Sandbox(getattr(request, "param", Settings(tiny=True)), start=time.time()) as sandbox:
        extra = {"max_attempts": 2, "max_backoff": 0, "timeout": 20}
        connection = {"conn_type": "siliconflow", "password": sandbox.key, "host": sandbox.base_url, "extra": extra}
        monkeypatch.setenv("AIRFLOW_CONN_SILICONFLOW_DEFAULT", json.dumps(connection))
        yield sandbox


@pytest.fixture
def first_poll_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow_provider_siliconflow.triggers.base.MIN_DEFERRAL_SECONDS", 0.0)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return tmp_path / "clip.mp4"
