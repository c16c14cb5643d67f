"""No list waits for its trigger's first poll, and none for a worker's patience."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from airflow_provider_siliconflow.jobs import batch as batch_state
from airflow_provider_siliconflow.jobs import batch_archive, batch_submit
from airflow_provider_siliconflow.operators import base, batch
from tests.unit.conftest import Clock


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow_provider_siliconflow.triggers.base.MIN_DEFERRAL_SECONDS", 0.0)
    monkeypatch.setattr(batch_submit, "_PATIENCE", 0.0)


@pytest.fixture
def patient(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Let the worker try again at a rejected submit, on a clock that nobody waits for."""
    time = SimpleNamespace(time=clock.time, monotonic=clock.time, sleep=clock.sleep)
    for module in (base, batch, batch_state, batch_submit, batch_archive):
        monkeypatch.setattr(module, "time", time)
    monkeypatch.setattr(batch_submit, "_PATIENCE", 45.0)
    return clock
