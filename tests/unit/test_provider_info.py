"""What Airflow reads of the package: provider, connection form, hook."""

from __future__ import annotations

import inspect
import json
import tomllib
from importlib import import_module
from importlib.resources import files
from pkgutil import iter_modules
from typing import Any

import jsonschema
import pytest
import yaml  # type: ignore[import-untyped]
from airflow.sdk import BaseOperator, BaseOperatorLink, BaseSensorOperator
from airflow.triggers.base import BaseTrigger

from airflow_provider_siliconflow._airflow.connections import BaseHook
from airflow_provider_siliconflow.provider_info import get_provider_info
from tests.conftest import ROOT

PACKAGE = "airflow_provider_siliconflow"
KINDS = {"hooks": BaseHook, "operators": BaseOperator, "sensors": BaseSensorOperator, "triggers": BaseTrigger}
#: Bases of operators, which no DAG names.
BASES = {"base", "submitting"}


def _schema(name: str) -> dict[str, Any]:
    schema: dict[str, Any] = json.loads((files("airflow") / name).read_text())
    return schema


def test_provider_info_is_what_airflow_reads() -> None:
    jsonschema.validate(get_provider_info(), _schema("provider_info.schema.json"))


def test_connection_form_is_what_airflow_reads() -> None:
    schema = _schema("provider.yaml.schema.json")
    jsonschema.validate(get_provider_info()["connection-types"], schema["properties"]["connection-types"])


def test_what_the_form_of_airflows_own_providers_has_in_common_is_as_they_have_it() -> None:
    schema, info = _schema("provider.yaml.schema.json"), get_provider_info()
    common = set(schema["properties"]) & set(info)
    assert common > set(KINDS)
    for name in common:
        jsonschema.validate(info[name], schema["properties"][name])


@pytest.mark.parametrize("kind", KINDS)
def test_modules_are_those_of_the_package(kind: str) -> None:
    (listed,) = get_provider_info()[kind]
    (integration,) = get_provider_info()["integrations"]
    assert listed["integration-name"] == integration["integration-name"]
    package = import_module(f"{PACKAGE}.{kind}")
    modules = [name.name for name in iter_modules(package.__path__, f"{package.__name__}.")]
    defining = [name for name in modules if name.rpartition(".")[2] not in BASES and _classes(name, KINDS[kind])]
    assert sorted(listed["python-modules"]) == sorted(defining)


def _classes(module: str, kind: type) -> list[str]:
    """Return the classes of a kind that a module defines itself."""
    members = inspect.getmembers(import_module(module), inspect.isclass)
    return [name for name, each in members if issubclass(each, kind) and each.__module__ == module]


def test_links_of_operators_are_listed() -> None:
    (path,) = get_provider_info()["extra-links"]
    module, _, name = path.rpartition(".")
    assert issubclass(getattr(import_module(module), name), BaseOperatorLink)


def test_logo_and_guide_are_files_of_the_project() -> None:
    (integration,) = get_provider_info()["integrations"]
    source = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["urls"]["Source Code"]
    for address in (integration["logo"], *integration["how-to-guide"]):
        assert (ROOT / address.removeprefix(f"{source}/").split("/main/")[1]).is_file()


def test_the_registrys_file_names_what_users_import() -> None:
    told = yaml.safe_load((ROOT / ".airflow-registry.yaml").read_text())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert told["package-name"] == project["name"] == get_provider_info()["package-name"]
    assert (told["source-url"], told["docs-url"]) == (project["urls"]["Source Code"], project["urls"]["Documentation"])
    assert told["logo"] == get_provider_info()["integrations"][0]["logo"]
    operators = import_module(f"{PACKAGE}.operators.video")
    assert {entry["module"].rpartition(".")[2] for entry in told["operators"]} == set(operators.__all__)
    for kind in ("operators", "sensors", "hooks"):
        for entry in told[kind]:
            module, _, name = entry["module"].rpartition(".")
            described = getattr(import_module(module), name).__doc__ or ""
            assert kind == "hooks" or " ".join(described.split()).startswith(entry["description"]), name


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
