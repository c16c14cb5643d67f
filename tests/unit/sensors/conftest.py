"""Waits that take no time, and what they log."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest

from tests.unit.hooks.fixtures import Connect, call, connect, connected, server, sleeps
from tests.unit.hooks.scripted_server import ScriptedServer

__all__ = ["call", "connect", "connected", "server", "sleeps"]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch, connect: Connect, server: ScriptedServer) -> None:
    monkeypatch.setattr("airflow_provider_siliconflow.triggers.base.MIN_DEFERRAL_SECONDS", 0.0)
    # How long the poller rests after a failed poll is its own tests' matter.
    monkeypatch.setattr("airflow_provider_siliconflow.polling.scheduler.BACKOFF", 0.0)
    monkeypatch.setattr("airflow_provider_siliconflow.polling.scheduler.MAX_BACKOFF", 0.0)
    monkeypatch.setattr("airflow_provider_siliconflow.polling.poller.RENEWAL", 0.05)
    for name in ("REJECTION_GRACE", "CONNECTION_GRACE"):
        monkeypatch.setattr(f"airflow_provider_siliconflow.polling.decision.{name}", 0.6)
    for name in ("REJECTED_PAUSE", "MAX_REJECTED_PAUSE"):
        monkeypatch.setattr(f"airflow_provider_siliconflow.polling.worker.{name}", 0.01)
    connect(server.url, max_attempts=1, max_backoff=0, requests_per_minute=60_000)


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> Callable[[], str]:
    """Return all that was logged, however Airflow's logging is set up."""
    caplog.set_level(logging.DEBUG)
    return lambda: caplog.text + "".join(capfd.readouterr())
