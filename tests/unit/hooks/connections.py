"""Connections as a form or an environment variable gives them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_siliconflow.hooks.connection import Settings
from airflow_provider_siliconflow.hooks.siliconflow import SiliconFlowHook
from tests.unit.hooks.fixtures import CONNECTION
from tests.unit.hooks.scripted_server import KEY

CN, COM = "https://api.siliconflow.cn/v1", "https://api.siliconflow.com/v1"


def read(monkeypatch: pytest.MonkeyPatch, connection: str) -> Settings:
    monkeypatch.setenv(CONNECTION, connection)
    return SiliconFlowHook().settings


def form(**fields: Any) -> str:
    return json.dumps({"conn_type": "siliconflow", "password": KEY} | fields)
