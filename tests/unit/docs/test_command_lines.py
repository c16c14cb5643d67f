"""Each switch of a command line, fault and route of the sandbox is on its page, and the page names no other."""

from __future__ import annotations

import argparse
import dataclasses
import json
import re

import pytest
from aiohttp import web

from airflow_provider_siliconflow.label.__main__ import main as label
from airflow_provider_siliconflow.sandbox.cli import parser
from airflow_provider_siliconflow.sandbox.clock import Clock
from airflow_provider_siliconflow.sandbox.control import Control
from airflow_provider_siliconflow.sandbox.faults import KINDS, ROUTES, Fault, FaultBook
from airflow_provider_siliconflow.sandbox.ledger import Ledger
from airflow_provider_siliconflow.sandbox.server import Server
from airflow_provider_siliconflow.sandbox.settings import Settings
from tests.unit.docs.pages import by_name, shown, table, text_of

PAGE = "sandbox.md"
#: Defaults that are too long for a table.
LONG = {
    **dict.fromkeys(("--key", "--key-other", "--key-com"), "printed at the start"),
    "--models": "all documented",
}


def switches() -> dict[str, argparse.Action]:
    actions = (action for action in parser()._actions if action.dest != "help")  # noqa: SLF001  # nothing else lists them
    return {action.option_strings[0]: action for action in actions}


def default_of(value: object) -> str:
    return "none" if value in ("", [], ()) else shown(value)


def test_switches_are_on_the_page_with_their_defaults_and_no_other() -> None:
    expected = {name: LONG.get(name, default_of(action.default)) for name, action in switches().items()}
    assert {name: row.default for name, row in by_name(table(PAGE, "Switches")).items()} == expected


@pytest.mark.parametrize("name", [name for name, action in switches().items() if action.choices])
def test_choices_of_a_switch_are_on_the_page(name: str) -> None:
    meaning = by_name(table(PAGE, "Switches"))[name].cells[1]
    assert [choice for choice in switches()[name].choices or () if f"`{choice}`" not in meaning] == []


def test_fields_of_a_fault_are_on_the_page_with_their_defaults_and_no_other() -> None:
    required = dataclasses.MISSING
    expected = {
        field.name: "required" if field.default is required else default_of(field.default)
        for field in dataclasses.fields(Fault)
    }
    rows = by_name(table(PAGE, "Faults"))
    assert {name: row.default for name, row in rows.items()} == expected
    assert [route for route in ROUTES if f"`{route}`" not in rows["route"].cells[1]] == []


def test_kinds_of_faults_are_on_the_page_and_no_other() -> None:
    text = text_of(PAGE).partition("| kind | on |")[2].partition("\n## ")[0]
    rows = [line.split("|")[1] for line in text.splitlines()[2:] if line.startswith("|")]
    assert sorted(re.findall("`([a-z0-9_]+)`", "".join(rows))) == sorted(KINDS)


def test_routes_of_the_sandbox_are_on_the_page_and_no_other() -> None:
    app = web.Application()
    Control(Server(Settings(), Clock()).service, FaultBook(0)).add_routes(app.router)
    routes = {f"{route.method} {route.resource.canonical}" for route in app.router.routes() if route.resource}
    assert set(by_name(table(PAGE, "The ledger"))) == {route for route in routes if not route.startswith("HEAD")}


def test_the_ledger_on_the_page_has_the_fields_of_the_ledger() -> None:
    (example,) = re.findall(r"```json\n(.*?)```", text_of(PAGE), re.DOTALL)
    assert set(json.loads(example)) == {field.name for field in dataclasses.fields(Ledger)}


def test_commands_of_the_labels_are_on_the_page(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        label(["--help"])
    (commands,) = re.findall(r"\{([\w,]+)\}", capsys.readouterr().out.partition("\n\n")[0])
    page = text_of("guides/labels.md")
    assert re.findall(r"python -m airflow_provider_siliconflow\.label (\w+)", page) == commands.split(",")
    assert all(f"`{code}`" in page for code in (0, 1, 2)), "an exit code is missing"
