"""What Airflow reads of the package: provider, connection form, hook."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

import jsonschema

from airflow_provider_siliconflow.provider_info import get_provider_info


def _schema(name: str) -> dict[str, Any]:
    schema: dict[str, Any] = json.loads((files("airflow") / name).read_text())
    return schema


def test_provider_info_is_what_airflow_reads() -> None:
    jsonschema.validate(get_provider_info(), _schema("provider_info.schema.json"))


def test_connection_form_is_what_airflow_reads() -> None:
    schema = _schema("provider.yaml.schema.json")
    jsonschema.validate(get_provider_info()["connection-types"], schema["properties"]["connection-types"])


def test_airflow_finds_hook_widgets_and_behaviours() -> None:
    from airflow.providers_manager import ProvidersManager
    from airflow.sdk.providers_manager_runtime import ProvidersManagerTaskRuntime

    hook = ProvidersManagerTaskRuntime().hooks["siliconflow"]
    assert hook
    assert hook.package_name == "airflow-provider-siliconflow"
    assert hook.hook_name == "SiliconFlow"
    (connection,) = get_provider_info()["connection-types"]
    manager = ProvidersManager()
    widgets = {name.removeprefix("extra__siliconflow__") for name in manager.connection_form_widgets}
    assert set(connection["conn-fields"]) <= widgets
    assert manager.field_behaviours["siliconflow"]["relabeling"] == connection["ui-field-behaviour"]["relabeling"]
