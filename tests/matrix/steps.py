"""What is done in each environment, and what came of it."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from tests.matrix.environments import RELEASES, VARIATIONS, BrokenError, Environment, UnavailableError
from tests.matrix.results import FAILED, NOT_RUN, OK, Results, Row, commit_here, today
from tests.system.processes import ROOT

#: Unit tests that reach into Airflow; all others are the same on every release.
UNIT = ("_airflow", "decorators", "gallery", "hooks", "jobs", "operators", "sensors", "triggers")
#: Those that show what differs between releases: names, PyAV, SQLAlchemy, the record and its places, the end of a
#: deferral.
QUICK_UNIT = (
    "_airflow",
    "archive/test_poster_fork.py",
    "gallery/test_videos.py",
    "hooks/test_connection.py",
    "jobs/test_variable_store.py",
    "operators/test_prompt_files.py",
    "operators/test_submit_clears.py",
    "operators/test_submit_durable.py",
    "sensors/test_video_resume.py",
)
INSTALLS, BESIDE, QUICK = "installs with its constraints", "beside the providers", "unit, what differs"
_KILLS = "tests/system/test_durability.py::test_a_task_killed_at_any_moment[local]"
_LINEAGE = "tests/unit/jobs/test_announce.py"
_CELERY = ("apache-airflow-providers-celery", "celery<5.7", "playwright", "redis")
_OPENLINEAGE, _FAB = (f"apache-airflow-providers-{name}" for name in ("openlineage", "fab"))


@dataclass(frozen=True)
class Command:
    """
    A step that is a command in an environment.

    :param argv: Of Python.
    :param patience: Seconds after which it has failed.
    :param quick: Whether CI does it for each release.
    :param since: The first minor version of Airflow on which it means something.
    :param here: Whether it sees the source tree; else it sees what is installed alone.
    :param needs: What is installed for it first.
    :param differs: With what its result can differ: with Python and the lowest dependencies, too; with the ``release``
        of Airflow and of the newest dependencies alone; with neither (``once``), so that the main release is enough.
    """

    name: str
    argv: tuple[str, ...]
    patience: float
    quick: bool = False
    since: tuple[int, int] = (3, 0)
    here: bool = True
    needs: tuple[str, ...] = ()
    differs: Literal["everywhere", "release", "once"] = "everywhere"

    def fits(self, environment: Environment) -> bool:
        """Return whether it shows something in an environment that no other one shows."""
        if self.differs == "once":
            return environment == RELEASES[-1]
        # The newest dependencies are there under no other release.
        return self.differs == "everywhere" or environment not in VARIATIONS or not environment.airflow


def _pytest(*paths: str) -> tuple[str, ...]:
    return ("-m", "pytest", "-q", "-p", "no:cacheprovider", *paths)


COMMANDS = (
    Command("discovery and form", (str(ROOT / "tests/matrix/discovery.py"),), 600, quick=True, here=False),
    Command(QUICK, _pytest(*(f"tests/unit/{name}" for name in QUICK_UNIT)), 600, quick=True),
    Command("unit", _pytest(*(f"tests/unit/{name}" for name in UNIT)), 1800),
    Command("examples", _pytest("tests/unit/test_example_dags.py"), 900),
    Command("packaging", _pytest("tests/unit/test_packaging.py", "tests/unit/test_distribution.py"), 600),
    Command("demo", ("-m", "tests.system.demo"), 600, quick=True),
    # Airflow 3.0 retries no task whose process was killed.
    Command("killed at every point", _pytest(_KILLS), 1800, since=(3, 1), differs="release"),
    Command("repeated on Celery", _pytest("-m", "repeated", "tests/system"), 1800, needs=_CELERY, differs="once"),
    # Airflow 3.0 has no place for a page of a provider's.
    Command(
        "gallery in a browser",
        _pytest("tests/system/test_gallery.py"),
        900,
        since=(3, 1),
        needs=("playwright",),
        differs="release",
    ),
    Command(
        "asset events and lineage",
        _pytest("tests/system/test_main_job.py", _LINEAGE),
        900,
        needs=(_OPENLINEAGE,),
        differs="release",
    ),
    # Last, for it brings Airflow's other auth manager.
    Command(
        "rights with FAB",
        _pytest("tests/system/test_gallery_fab.py"),
        900,
        since=(3, 1),
        needs=(_FAB,),
        differs="release",
    ),
)


#: What a step comes to: a result, and the file with its output.
Outcome = tuple[str, Path | None]


def steps_of(environment: Environment, wheel: Path, *, quick: bool) -> dict[str, Callable[[], Outcome]]:
    """
    Return what is done in an environment, by name and in order.

    :param quick: Only what CI does.
    """
    steps = {INSTALLS: lambda: _attempt(environment, INSTALLS, lambda: environment.make(wheel))}
    if environment.resolution == "highest":
        steps[BESIDE] = lambda: _attempt(environment, BESIDE, lambda: environment.check_providers(wheel))
    for command in COMMANDS:
        if command.fits(environment) and (command.quick if quick else command.name != QUICK):
            steps[command.name] = partial(_run, environment, command)
    return steps


def rows_of(
    environment: Environment, steps: Mapping[str, Callable[[], Outcome]], results: Results, *, resume: bool
) -> Iterator[Row]:
    """
    Do all steps in an environment, and yield what came of each.

    :param steps: As :func:`steps_of` returns them, or fewer of them.
    :param results: Where they are kept.
    :param resume: Whether a step is left out that is green for this commit.
    """
    for name, act in steps.items():
        done = results.done(environment.name, name) if resume else None
        if done and (name != INSTALLS or environment.interpreter.exists()):
            yield done
            continue
        started = time.monotonic()
        result, log = act()
        shown = str(log.relative_to(ROOT)) if log else ""
        row = Row(environment.name, name, result, time.monotonic() - started, today(), commit_here(), shown)
        results.put(row)
        yield row
        if name == INSTALLS and result != OK:
            return


def all_rows(environments: Collection[Environment], results: Results) -> list[Row]:
    """Return a row for each environment and step, the last result or that there is none; quick ones if they ran."""
    names = (INSTALLS, BESIDE, *(command.name for command in COMMANDS))
    return [
        results.last(environment.name, name) or Row(environment.name, name, NOT_RUN)
        for environment in environments
        for name in names
        if results.last(environment.name, name) or name in steps_of(environment, Path(), quick=False)
    ]


def _attempt(environment: Environment, step: str, act: Callable[[], None]) -> Outcome:
    log = environment.folder / f"{step}.log"
    try:
        act()
    except UnavailableError as missing:
        return str(missing), None
    except (BrokenError, subprocess.TimeoutExpired) as broken:
        log.write_text(str(broken))
        return FAILED, log
    return OK, None


def _run(environment: Environment, command: Command) -> Outcome:
    if environment.airflow and _minor(environment.airflow) < command.since:
        return f"not before {'.'.join(map(str, command.since))}", None
    log = environment.folder / f"{command.name}.log"
    try:
        environment.add(*command.needs)
    except UnavailableError as missing:
        return str(missing), None
    except (BrokenError, subprocess.TimeoutExpired) as broken:
        log.write_text(str(broken))
        return FAILED, log
    env = _variables(environment, here=command.here)
    with log.open("w") as output:
        process = subprocess.Popen(
            [str(environment.interpreter), *command.argv],
            cwd=ROOT if command.here else env["AIRFLOW_HOME"],
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            code = process.wait(command.patience)
        except subprocess.TimeoutExpired:
            process.terminate()  # the parts of a stack end with it
            code = process.wait(60) or 1
    return FAILED if code else OK, log


def _variables(environment: Environment, *, here: bool) -> dict[str, str]:
    home, screenshots = environment.folder / "home", environment.folder / "screenshots"
    for folder in (home, screenshots):
        folder.mkdir(exist_ok=True)
    env = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW_", "PYTHON"))}
    env |= {"AIRFLOW_HOME": str(home), "PYTHONPATH": str(ROOT) if here else "", "NO_COLOR": "1"}
    return env | {"SCREENSHOTS": str(screenshots.relative_to(ROOT)), "DEMO_VIDEOS": str(environment.folder / "videos")}


def _minor(version: str) -> tuple[int, int]:
    major, minor = version.split(".")[:2]
    return int(major), int(minor)
