"""A service behind every poller."""

from __future__ import annotations

import pytest

from airflow_provider_siliconflow.polling import poller
from tests.unit.polling.fakes import Service


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Service:
    """Put a service behind every poller, and forget what was learned before."""
    service = Service()
    monkeypatch.setattr(poller, "SiliconFlowAsyncHook", service.open)
    monkeypatch.setattr(poller, "estimators", {})
    return service
