"""What is shipped, what it costs to import, and which package may know which."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pytest

from tests.conftest import ROOT

PACKAGE = "airflow_provider_siliconflow"

_JOBS = {"archive", "assets", "billing", "client", "hooks", "jobs", "label", "metrics", "polling", "spend_limit"}
#: Which packages a package may import from. All may import the errors and the version.
MAY_KNOW = {
    "__init__": set(),
    "provider_info": set(),
    "billing": set(),
    "exceptions": {"_airflow", "billing"},
    "_airflow": {"billing", "exceptions"},
    "client": {"billing"},
    "label": {"model_argument"},
    "spend_limit": {"model_argument"},
    "model_argument": set(),
    "fs": set(),
    "assets": set(),
    "metrics": {"_airflow"},
    "hooks": {"_airflow", "billing", "client", "label", "provider_info", "spend_limit"},
    "polling": {"_airflow", "billing", "client", "hooks", "metrics"},
    "archive": {"_airflow", "label", "billing", "client", "fs", "hooks", "metrics"},
    "jobs": {
        "_airflow",
        "label",
        "spend_limit",
        "archive",
        "assets",
        "billing",
        "client",
        "hooks",
        "metrics",
        "polling",
    },
    "gallery": {"_airflow", "archive", "client"},
    "sandbox": {"client"},
    # Each may know the jobs, and what defers its task.
    "operators": {"_airflow", "triggers", *_JOBS},
    "sensors": {"_airflow", "triggers", *_JOBS},
    # A decorated task has an operator do its work.
    "decorators": {"_airflow", "operators", *_JOBS},
    "triggers": {"_airflow", *_JOBS},
}
SOURCES = sorted((ROOT / PACKAGE).rglob("*.py"))
#: Lines of a module at most, and of a function without its docstring.
MODULE_LINES, FUNCTION_LINES = 250, 40
HTTP_LIBRARIES = ("aiohttp", "httpx", "requests", "urllib3")


def _imports(source: Path) -> Iterator[str]:
    """Yield the full names that a module imports, at its top or inside its functions."""
    for node in ast.walk(ast.parse(source.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{source}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _code_lines(source: str) -> Iterator[tuple[str, int]]:
    """Yield each function of a source with its lines, the docstring not counted."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[1 if ast.get_docstring(node) and len(node.body) > 1 else 0]
            yield node.name, (node.end_lineno or 0) - first.lineno + 1


def _modules_after(code: str) -> set[str]:
    """Return the names of the modules that a new interpreter has loaded after some code."""
    script = f"{code}\nimport sys; print('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines())


def test_discovery_imports_nothing_but_the_package() -> None:
    bare = _modules_after("")
    loaded = _modules_after(f"import {PACKAGE}.provider_info as info; info.get_provider_info()") - bare
    assert {name.partition(".")[0] for name in loaded} - set(sys.stdlib_module_names) == {PACKAGE}


def test_importing_operators_and_sensor_loads_no_http_library() -> None:
    sdk = "from airflow.sdk import BaseOperator, BaseSensorOperator"
    ours = f"{sdk}\nimport {PACKAGE}.operators.video, {PACKAGE}.sensors.video"
    loaded = {name.partition(".")[0] for name in _modules_after(ours) - _modules_after(sdk)}
    assert loaded.isdisjoint({*HTTP_LIBRARIES, "av", "PIL", "tenacity"})


def test_a_worker_that_submits_or_polls_loads_no_aiohttp() -> None:
    """To import aiohttp is a good part of what the process of a task costs."""
    packages = (
        "jobs.batch_archive",
        "jobs.batch_submit",
        "hooks.siliconflow",
        "triggers.batch",
        "triggers.video",
    )
    code = "; ".join(f"import {PACKAGE}.{package}" for package in ("operators.video", "sensors.video", *packages))
    assert "aiohttp" not in _modules_after(code)


@pytest.mark.parametrize("module", ["operators", "sensors", "triggers"])
def test_http_libraries_are_never_imported_by(module: str) -> None:
    for source in (ROOT / PACKAGE / module).rglob("*.py"):
        assert {name.partition(".")[0] for name in _imports(source)}.isdisjoint(HTTP_LIBRARIES), source


def test_packages_import_only_what_they_may() -> None:
    known: defaultdict[str, set[str]] = defaultdict(set)
    for source in (ROOT / PACKAGE).rglob("*.py"):
        package = source.relative_to(ROOT / PACKAGE).parts[0].removesuffix(".py")
        names = {name.split(".")[1] for name in _imports(source) if name.startswith(f"{PACKAGE}.")}
        known[package] |= names - {package, "exceptions", "__version__"}
    assert not set(known) - set(MAY_KNOW), "a new package: say what it may import"
    assert {package: names - MAY_KNOW[package] for package, names in known.items() if names - MAY_KNOW[package]} == {}


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: str(source.relative_to(ROOT / PACKAGE)))
def test_a_module_and_its_functions_are_short(source: Path) -> None:
    text = source.read_text()
    assert len(text.splitlines()) <= MODULE_LINES
    assert {name: lines for name, lines in _code_lines(text) if lines > FUNCTION_LINES} == {}


def test_no_operator_knows_another() -> None:
    shared = {"base", "prompt_files", "submitting"}
    for source in (ROOT / PACKAGE / "operators").glob("*.py"):
        if source.stem != "video":
            theirs = {name.split(".")[2] for name in _imports(source) if name.startswith(f"{PACKAGE}.operators.")}
            assert theirs <= shared, source


def test_sandbox_and_client_know_nothing_of_airflow() -> None:
    for package in ("client", "sandbox"):
        for source in (ROOT / PACKAGE / package).rglob("*.py"):
            assert not [name for name in _imports(source) if name.partition(".")[0] == "airflow"], source


def test_every_direct_dependency_is_pinned() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())
    project = declared["project"]
    wanted = [
        *project["dependencies"],
        *chain.from_iterable((project["optional-dependencies"] | declared["dependency-groups"]).values()),
    ]
    pinned = {line.partition("==")[0] for line in (ROOT / "constraints.txt").read_text().splitlines()}
    assert {re.split(r"[<>=\[]", name)[0] for name in wanted} <= pinned


def test_no_tracked_file_names_a_registry_a_machine_or_a_key() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    unwanted = re.compile(
        r"(pypi|pythonhosted|npmjs|golang|debian)\.(org|com|net)\b"  # package registries
        r"|(?<![\w.*])/(work|root|tmp/w)/"  # folders of one machine
        r"|\bsk-[a-z]{48}\b"  # the form of a real key
    )
    found = {}
    for name in filter(None, listed.stdout.split("\0")):
        path = ROOT / name
        match = path.exists() and unwanted.search(path.read_bytes().decode(errors="ignore"))
        if match:
            found[name] = match[0]
    assert found == {}
