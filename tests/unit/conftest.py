"""Fixtures shared by tests of more than one room."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest

from airflow_provider_siliconflow.sandbox.server import Sandbox
from airflow_provider_siliconflow.sandbox.settings import Settings


@pytest.fixture
def still(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """Run a sandbox whose clock stands still until advanced, and point the default connection at it."""
    with Sandbox(Settings(tiny=True), start=time.time()) as sandbox:
        extra = {"max_attempts": 2, "max_backoff": 0, "timeout": 20}
        connection = {"conn_type": "siliconflow", "password": sandbox.key, "host": sandbox.base_url, "extra": extra}
        monkeypatch.setenv("AIRFLOW_CONN_SILICONFLOW_DEFAULT", json.dumps(connection))
        yield sandbox
