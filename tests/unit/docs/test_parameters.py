"""Each parameter of an operator or the sensor is on its page with its default, and the page names no other."""

from __future__ import annotations

import inspect
import tomllib
from dataclasses import fields

import pytest
from airflow.sdk import BaseOperator

from airflow_provider_siliconflow.client.models import VideoRequest
from airflow_provider_siliconflow.operators import video as operators
from airflow_provider_siliconflow.sensors.video import VideoReadySensor
from tests.conftest import ROOT
from tests.unit.docs.pages import by_name, shown, table

PAGES: dict[str, type[BaseOperator]] = {
    "operators/submit.md": operators.SubmitVideoOperator,
    "operators/sensor.md": VideoReadySensor,
    "operators/archive.md": operators.ArchiveVideoOperator,
    "operators/generate.md": operators.GenerateVideoOperator,
    "operators/batch.md": operators.GenerateVideoBatchOperator,
}
#: Defaults that are read from Airflow's configuration.
CONFIGURED = {"deferrable": "`[operators] default_deferrable`"}


def parameters(operator: type[BaseOperator]) -> dict[str, str]:
    """Return the parameters that this package gives an operator, with their defaults as the pages show them."""
    found: dict[str, str] = {}
    for base in operator.__mro__:
        if not base.__module__.startswith("airflow_provider_siliconflow") or "__init__" not in vars(base):
            continue
        for name, parameter in inspect.signature(vars(base)["__init__"]).parameters.items():
            if name == "self" or parameter.kind is parameter.VAR_KEYWORD:
                continue
            default = "required" if parameter.default is parameter.empty else shown(parameter.default)
            found.setdefault(name, CONFIGURED.get(name, default))
    return found


def test_every_operator_has_a_page() -> None:
    assert {operator.__name__ for operator in PAGES.values()} == {*operators.__all__, "VideoReadySensor"}


@pytest.mark.parametrize(("page", "operator"), PAGES.items())
def test_a_page_has_the_parameters_with_their_defaults(page: str, operator: type[BaseOperator]) -> None:
    rows = by_name(table(page, "Parameters"))
    assert {name: row.default for name, row in rows.items()} == parameters(operator)
    assert all(row.cells[1] for row in rows.values()), "a parameter without a meaning"


@pytest.mark.parametrize(("page", "operator"), PAGES.items())
def test_a_docstring_has_the_parameters(page: str, operator: type[BaseOperator]) -> None:
    told = "".join(base.__doc__ or "" for base in operator.__mro__ if base.__module__.startswith("airflow_provider"))
    assert [name for name in parameters(operator) if f":param {name}:" not in told] == []


def test_the_page_of_the_decorator_has_the_fields_of_a_request() -> None:
    told = (ROOT / "docs/operators/taskflow.md").read_text("utf-8")
    assert [field.name for field in fields(VideoRequest) if f"`{field.name}`" not in told] == []


def test_extras_are_those_of_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert sorted(by_name(table("getting-started.md", "Extras"))) == sorted(project["optional-dependencies"])
