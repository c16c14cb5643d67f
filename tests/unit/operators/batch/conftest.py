"""No list waits for its trigger's first poll, and none for a worker's patience."""

from __future__ import annotations

import pytest

from airflow_provider_siliconflow.jobs import batch_submit
from tests.unit.conftest import Clock


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow_provider_siliconflow.triggers.base.MIN_DEFERRAL_SECONDS", 0.0)
    monkeypatch.setattr(batch_submit, "SUBMIT_PATIENCE", 0.0)


@pytest.fixture
def patient(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Let the worker try again at a rejected submit, on a clock that nobody waits for."""
    monkeypatch.setattr(batch_submit, "SUBMIT_PATIENCE", 45.0)
    return clock
