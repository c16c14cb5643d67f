import json
import os
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_siliconflow.sandbox.server import Sandbox
from tests.releases import RECORD_STORES
from tests.unit.hooks.fixtures import call, connect, connected, server, sleeps
from tests.unit.operators import tasks
from tests.unit.worker import TaskRun

__all__ = ["call", "connect", "connected", "server", "sleeps"]


@pytest.fixture(params=RECORD_STORES)
def submitting(request: pytest.FixtureRequest) -> Callable[..., TaskRun]:
    """Make a task that submits, with its record in each place where one may be."""

    def make(**arguments: Any) -> TaskRun:
        run = tasks.submitting(**arguments)
        run.has_store = request.param == "state store"
        return run

    return make


@pytest.fixture
def connection_extra(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Give the default connection further fields."""

    def set_fields(**fields: object) -> None:
        name = "AIRFLOW_CONN_SILICONFLOW_DEFAULT"
        connection = json.loads(os.environ[name])
        monkeypatch.setenv(name, json.dumps(connection | {"extra": connection["extra"] | fields}))

    return set_fields
