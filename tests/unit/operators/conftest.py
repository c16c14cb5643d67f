import json
import os
from collections.abc import Callable

import pytest

from airflow_provider_siliconflow.sandbox.server import Sandbox
from tests.unit.hooks.fixtures import call, connect, connected, server, sleeps

__all__ = ["call", "connect", "connected", "server", "sleeps"]


@pytest.fixture
def connection_extra(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Give the default connection further fields."""

    def set_fields(**fields: object) -> None:
        name = "AIRFLOW_CONN_SILICONFLOW_DEFAULT"
        connection = json.loads(os.environ[name])
        monkeypatch.setenv(name, json.dumps(connection | {"extra": connection["extra"] | fields}))

    return set_fields
