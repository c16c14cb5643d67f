"""Every block of code in the READMEs and pages is a file that the tests run, or is run or read here."""

from __future__ import annotations

import importlib.util
import json
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from airflow.sdk import DAG, Connection

from airflow_provider_siliconflow.hooks.connection import Settings
from airflow_provider_siliconflow.sandbox import cli
from airflow_provider_siliconflow.sandbox.server import Sandbox
from tests.conftest import ROOT
from tests.unit.docs.pages import DOCS
from tests.unit.operators.tasks import run_to_end
from tests.unit.worker import TaskRun

READMES = [ROOT / "README.md", ROOT / "README.zh-CN.md", ROOT / "CONTRIBUTING.md"]
PAGES = [*READMES, *sorted(path for path in DOCS.rglob("*.md") if "_build" not in path.parts)]
_BLOCK = re.compile(r"^```([^\n]+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
#: A command inside a sentence or a table.
_INLINE = re.compile(r"`((?:make|python -m) [^`]+)`")
#: What a snippet leaves out of an operator, and the names that it takes for granted.
LEFT_OUT = (
    'task_id="t", prompt="A cat", model="Wan-AI/Wan2.2-T2V-A14B", image_size="1280x720", destination="/tmp/cat.mp4",'
)
BEFORE = """
from airflow.sdk import DAG, task
from airflow_provider_siliconflow.operators.video import *
from airflow_provider_siliconflow.sensors.video import *
dag = DAG("page")
dag.__enter__()
"""


def blocks(kind: str) -> Iterator[tuple[str, str]]:
    for page in PAGES:
        for number, (found, body) in enumerate(_BLOCK.findall(page.read_text("utf-8"))):
            if found.split()[0] == kind:
                yield f"{page.relative_to(ROOT)}, block {number}", f"{found}\n{body}"


def parametrized(kind: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("body", [pytest.param(body, id=name) for name, body in blocks(kind)])


def test_blocks_are_of_kinds_that_are_checked() -> None:
    checked = {"bash", "json", "python", "text"}
    found = {kind.split()[0] for page in PAGES for kind, _ in _BLOCK.findall(page.read_text("utf-8"))}
    assert {kind for kind in found if not kind.startswith("{")} <= checked


def test_files_that_pages_show_are_run_by_the_tests() -> None:
    for page in PAGES:
        for shown in re.findall(r"```\{literalinclude\} (\S+)", page.read_text("utf-8")):
            file = (page.parent / shown).resolve().relative_to(ROOT)
            assert (ROOT / file).exists()
            assert file.parts[0] == "example_dags" or file.name.startswith("test_"), f"{page}: nothing runs {file}"


@parametrized("python")
def test_a_python_block_runs(body: str) -> None:
    code = BEFORE + body.partition("\n")[2].replace("    ...,", f"    {LEFT_OUT}")
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("readme", READMES[:2], ids=lambda path: path.name)
@pytest.mark.usefixtures("first_poll_at_once")
def test_the_first_dag_of_a_readme_makes_a_video(readme: Path, sandbox: Sandbox, tmp_path: Path) -> None:
    (code,) = (body for kind, body in _BLOCK.findall(readme.read_text("utf-8")) if kind == "python")
    (task,) = _tasks_of(code, tmp_path)
    task.poke_interval = 0.01
    assert run_to_end(TaskRun(task), sandbox).state == "success"
    assert sandbox.ledger().billed == len(list(tmp_path.rglob("*.mp4"))) == 1


def _tasks_of(code: str, folder: Path) -> list[Any]:
    """Return the tasks of the DAG that a file of this code would define."""
    names: dict[str, object] = {}
    with_name = re.sub(r'(with DAG\("[^\n]*)\):', r"\1) as dag:", code).replace("s3://my_aws_conn@videos", str(folder))
    exec(with_name, names)
    dag = names["dag"]
    assert isinstance(dag, DAG)
    return list(dag.tasks)


@parametrized("json")
def test_a_json_block_is_what_it_stands_for(body: str) -> None:
    value = json.loads(body.partition("\n")[2].replace("sk-…", "sk-sandbox"))
    if "conn_type" in value:
        read_connection(json.dumps(value))


def read_connection(text: str) -> None:
    text = text.replace("sk-…", "sk-sandbox")
    read = Connection.from_json if text.startswith("{") else Connection.from_uri
    connection = read(text, conn_id="of_a_page")
    if connection.conn_type == "siliconflow":
        Settings.from_connection(connection)


def commands(body: str) -> Iterator[list[str]]:
    """Yield the words of each command of a shell block."""
    pending = ""
    for line in body.splitlines()[1:]:
        pending += line.removesuffix("\\") + "\n"
        try:
            words = shlex.split(pending, comments=True)
        except ValueError:  # a quotation that ends on a later line
            continue
        if not line.endswith("\\"):
            pending = ""
            if words:
                yield words


@parametrized("bash")
def test_the_commands_of_a_shell_block_exist(body: str) -> None:
    for words in commands(body):
        check(words)


def test_commands_inside_sentences_exist() -> None:
    for page in PAGES:
        for command in _INLINE.findall(page.read_text("utf-8")):
            if "NAME" not in command:
                check(command.split())


def check(words: list[str]) -> None:
    """Check one command; of one that is not known here nobody can say that it exists."""
    name = words[0].rpartition("/")[2]
    assert name in CHECKS, f"nothing checks the command {words}"
    CHECKS[name](words[1:])


def _make(words: list[str]) -> None:
    (phony,) = re.findall(r"^\.PHONY: (.*)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    targets = [word for word in words if "=" not in word]
    assert set(targets) <= set(phony.split()), f"no such target: {targets}"


def _pip(words: list[str]) -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for word in words:
        match = re.fullmatch(r"(?:airflow-provider-siliconflow|\.)\[([\w,]+)\]", word)
        assert not match or set(match[1].split(",")) <= set(extras), word


def _python(words: list[str]) -> None:
    assert words[0] == "-m", words
    module = words[1].rstrip(".")
    assert importlib.util.find_spec(module), f"no module {module}"
    if module == "pytest":
        assert [word for word in words if word.startswith("tests/") and not (ROOT / word).exists()] == []


def _sandbox(words: list[str]) -> None:
    cli.parser().parse_args(words)


def _airflow(words: list[str]) -> None:
    from airflow.cli.cli_parser import get_parser

    get_parser().parse_args(words)


def _export(words: list[str]) -> None:
    from airflow.configuration import conf

    for name, _, value in (word.partition("=") for word in words):
        if name.startswith("AIRFLOW_CONN_"):
            read_connection(value)
        elif name.startswith("AIRFLOW__"):
            section, option = name.removeprefix("AIRFLOW__").lower().split("__")
            if section == "celery" and not importlib.util.find_spec("airflow.providers.celery"):
                # Its options are those of its provider, which the group system alone installs.
                continue
            assert option in conf.configuration_description[section]["options"], f"Airflow has no option {name}"


def _curl(words: list[str]) -> None:
    (address,) = (word for word in words if word.startswith("localhost:"))
    url = urlsplit(f"http://{address}")
    assert url.port == cli.PORT
    page = (DOCS / "sandbox.md").read_text("utf-8")
    method = words[words.index("-X") + 1] if "-X" in words else "GET"
    assert f"`{method} {url.path}`" in page, words


def _anything(words: list[str]) -> None:
    """Accept what is of the shell, or not of this project."""


CHECKS: dict[str, Callable[[list[str]], None]] = {
    "make": _make,
    "pip": _pip,
    "python": _python,
    "python3": _python,
    "siliconflow-sandbox": _sandbox,
    "airflow": _airflow,
    "export": _export,
    "curl": _curl,
    ".": _anything,
    "find": _anything,
}
