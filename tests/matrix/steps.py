"""What is done in each environment, and what came of it."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tests.matrix.environments import BrokenError, Environment, UnavailableError
from tests.system.processes import ROOT

#: Unit tests that reach into Airflow; all others are the same on every release.
UNIT = ("_airflow", "gallery", "hooks", "jobs", "operators", "sensors", "triggers")
#: Those of them that show what differs between releases.
QUICK_UNIT = ("_airflow", "sensors/test_video.py")
_KILLS = "tests/system/test_durability.py::test_a_task_killed_at_any_moment[local]"


@dataclass(frozen=True)
class Row:
    """
    One line of the table.

    :param result: ``ok``, ``failed``, or why it was not done.
    """

    environment: str
    step: str
    result: str
    seconds: float = 0.0
    log: Path | None = None


@dataclass(frozen=True)
class Command:
    """
    A step that is a command in an environment.

    :param argv: Of Python.
    :param patience: Seconds after which it has failed.
    :param quick: Whether CI does it for each release.
    :param since: The first minor version of Airflow on which it means something.
    :param here: Whether it sees the source tree; else it sees what is installed alone.
    """

    name: str
    argv: tuple[str, ...]
    patience: float
    quick: bool = False
    since: tuple[int, int] = (3, 0)
    here: bool = True


def _pytest(*paths: str) -> tuple[str, ...]:
    return ("-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *paths)


COMMANDS = (
    Command("discovery and form", (str(ROOT / "tests/matrix/discovery.py"),), 600, quick=True, here=False),
    Command("unit, what differs", _pytest(*(f"tests/unit/{name}" for name in QUICK_UNIT)), 600, quick=True),
    Command("unit", _pytest(*(f"tests/unit/{name}" for name in UNIT)), 1800),
    Command("examples", _pytest("tests/unit/test_example_dags.py"), 900),
    Command("packaging", _pytest("tests/unit/test_packaging.py", "tests/unit/test_distribution.py"), 600),
    Command("demo", ("-m", "tests.system.demo"), 600, quick=True),
    # Airflow 3.0 retries no task whose process was killed.
    Command("killed at every point", (*_pytest(_KILLS), "-m", "system"), 1800, since=(3, 1)),
)


def rows_of(environment: Environment, wheel: Path, *, quick: bool) -> Iterator[Row]:
    """
    Do all steps in an environment, and yield what came of each.

    :param quick: Only what CI does.
    """
    made = _timed(environment, "installs with its constraints", lambda: environment.make(wheel))
    yield made
    if made.result != "ok":
        return
    if environment.resolution == "highest":
        yield _timed(environment, "beside the providers", lambda: environment.check_providers(wheel))
    for command in COMMANDS:
        if command.quick if quick else command.name != "unit, what differs":
            yield _run(environment, command)


def _timed(environment: Environment, step: str, act: Callable[[], None]) -> Row:
    started, result, log = time.monotonic(), "ok", environment.folder / f"{step}.log"
    try:
        act()
    except UnavailableError as missing:
        result = str(missing)
    except (BrokenError, subprocess.TimeoutExpired) as broken:
        log.write_text(str(broken))
        result = "failed"
    return Row(environment.name, step, result, time.monotonic() - started, log if result == "failed" else None)


def _run(environment: Environment, command: Command) -> Row:
    if environment.airflow and _minor(environment.airflow) < command.since:
        return Row(environment.name, command.name, f"not before {'.'.join(map(str, command.since))}")
    started, log = time.monotonic(), environment.folder / f"{command.name}.log"
    home = environment.folder / "home"
    home.mkdir(exist_ok=True)
    env = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW_", "PYTHON"))}
    env |= {"AIRFLOW_HOME": str(home), "PYTHONPATH": str(ROOT) if command.here else "", "NO_COLOR": "1"}
    with ExitStack() as files:
        output = files.enter_context(log.open("w"))
        process = subprocess.Popen(
            [str(environment.interpreter), *command.argv],
            cwd=ROOT if command.here else home,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            code = process.wait(command.patience)
        except subprocess.TimeoutExpired:
            process.terminate()  # the parts of a stack end with it
            code = process.wait(60)
    return Row(environment.name, command.name, "failed" if code else "ok", time.monotonic() - started, log)


def _minor(version: str) -> tuple[int, int]:
    major, minor = version.split(".")[:2]
    return int(major), int(minor)
