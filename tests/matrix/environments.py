"""The environments of the matrix: which Airflow, which Python, which dependencies, and how each is made."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tests.system.processes import ROOT

FOLDER = ROOT / ".matrix"
UV = str(Path(sys.executable).with_name("uv"))
#: What users have beside ours, whose pins must not move.
PROVIDERS = tuple(
    f"apache-airflow-providers-{name}"
    for name in ("amazon", "celery", "common-io", "fab", "google", "microsoft-azure", "openlineage")
)
#: What the tests themselves import.
TOOLS = ("asyncpg", "hatchling", "hypothesis", "jsonschema", "psycopg2-binary", "pytest", "pytest-asyncio", "twine")
#: What uv says where the registry is away, or does not tell the days of uploads.
_NO_REGISTRY = re.compile(r"error sending request|Failed to fetch|dns error|missing an upload date", re.IGNORECASE)
#: Seconds for one call of the resolver or installer.
_PATIENCE = 900


class UnavailableError(Exception):
    """Raised when an environment cannot be had on this machine, which is no fault of the package."""


class BrokenError(Exception):
    """Raised when the package cannot be installed into an environment."""


@dataclass(frozen=True)
class Environment:
    """
    One column of versions.

    :param name: Its folder, and its name in the table.
    :param airflow: Version of Airflow; empty for the newest.
    :param date: Nothing uploaded on or after this day is taken, which is what Airflow's own constraints of a release
        come to; empty for no limit.
    :param python: Minor version of the interpreter.
    :param resolution: ``lowest-direct`` takes the lowest versions that our requirements name.
    """

    name: str
    airflow: str
    date: str = ""
    python: str = "3.11"
    resolution: Literal["highest", "lowest-direct"] = "highest"

    @property
    def folder(self) -> Path:
        """Everything of this environment."""
        return FOLDER / self.name

    @property
    def interpreter(self) -> Path:
        """Its interpreter."""
        return self.folder / "venv" / "bin" / "python"

    @property
    def constraints(self) -> Path:
        """The pins that Airflow and the providers have without our package."""
        return self.folder / "constraints.txt"

    def make(self, wheel: Path) -> None:
        """
        Install Airflow, a wheel of ours and the tools of the tests, under the constraints of the release.

        :param wheel: As it would be published.
        :raises BrokenError: if that has no solution.
        :raises UnavailableError: without an interpreter of this version.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        python = find_python(self.python)
        ours = f"airflow-provider-siliconflow[sandbox,label] @ {wheel.as_uri()}"
        if self.resolution == "lowest-direct":
            self._compile(self.constraints, ours, *self._airflow())
        else:
            self._compile(self.constraints, *self._airflow(), *PROVIDERS)
        _uv("venv", "--quiet", "--clear", "--python", python, str(self.folder / "venv"))
        self._install(ours, *self._airflow())
        self._install(*TOOLS)

    def add(self, *wanted: str) -> None:
        """
        Install more, under the constraints of the release.

        :param wanted: Requirements.
        :raises BrokenError: if that has no solution.
        """
        if wanted:
            self._install(*wanted)

    def check_providers(self, wheel: Path) -> None:
        """
        Check that our package moves no pin of Airflow or of the providers that users have beside it.

        :raises BrokenError: if it does.
        """
        wanted = (f"airflow-provider-siliconflow @ {wheel.as_uri()}", *self._airflow(), *PROVIDERS)
        self._compile(self.folder / "beside.txt", *wanted, constraints=self.constraints)

    def _airflow(self) -> tuple[str, ...]:
        if not self.airflow:
            return ("apache-airflow",)
        if not re.search(r"[abrc]", self.airflow):
            return (f"apache-airflow=={self.airflow}",)
        found = _uv("pip", "compile", "--quiet", "--no-header", "--no-annotate", "--prerelease", "allow", "-",
                    given=f"apache-airflow=={self.airflow}")  # fmt: skip
        return tuple(re.findall(r"^(apache-airflow(?:-core|-task-sdk|-\w+ctl)?==\S+)", found, re.MULTILINE))

    def _compile(self, into: Path, *wanted: str, constraints: Path | None = None) -> None:
        options = ["--no-header", "--no-annotate", "--python-version", self.python, *self._newer()]
        options += ["--resolution", self.resolution, "--upgrade", "--output-file", str(into)]
        options += ["--constraint", str(constraints)] if constraints else []
        _uv("pip", "compile", *options, "-", given="\n".join(wanted))

    def _install(self, *wanted: str) -> None:
        options = ("--python", str(self.interpreter), "--constraint", str(self.constraints), *self._newer())
        _uv("pip", "install", *options, *wanted)

    def _newer(self) -> tuple[str, ...]:
        return ("--exclude-newer", self.date) if self.date else ()


def newest_airflow() -> str:
    """Return the newest version that the registry has, released or not."""
    found = _uv("pip", "compile", "--quiet", "--no-header", "--no-deps", "--prerelease", "allow", "-",
                given="apache-airflow")  # fmt: skip
    return found.split("==")[1].split()[0]


def find_python(version: str) -> str:
    """
    Return the path of an interpreter.

    :param version: ``3.12``.
    :raises UnavailableError: if this machine has none.
    """
    pyenv = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser()
    found = [shutil.which(f"python{version}"), *sorted(map(str, pyenv.glob(f"versions/{version}.*/bin/python")))]
    for path in filter(None, found):
        # A shim of pyenv may be there for a version that is not selected.
        if subprocess.run([path, "-c", "import venv, ensurepip"], capture_output=True, check=False).returncode == 0:
            return path
    raise UnavailableError(f"no interpreter of Python {version} here")


def _uv(*argv: str, given: str = "") -> str:
    done = subprocess.run(
        [UV, *argv], input=given, capture_output=True, text=True, check=False, cwd=ROOT, timeout=_PATIENCE
    )
    if done.returncode:
        if found := _NO_REGISTRY.search(done.stderr):
            raise UnavailableError(f"no registry: {found[0]}")
        raise BrokenError(done.stderr.strip())
    return done.stdout


RELEASES = (
    Environment("3.0.6", "3.0.6", "2025-09-02"),
    Environment("3.1.8", "3.1.8", "2026-03-15"),
    Environment("3.2.2", "3.2.2", "2026-06-02"),
    Environment("3.3.2", "3.3.2", "2026-09-21"),
)
#: CI takes this one, so that it is red for what changed here; the whole matrix takes the newest of the day.
PRERELEASE = Environment("3.4.0b2", "3.4.0b2", "2026-11-28")
VARIATIONS = (
    Environment("3.3.2-python3.12", "3.3.2", "2026-09-21", python="3.12"),
    Environment("3.3.2-python3.13", "3.3.2", "2026-09-21", python="3.13"),
    Environment("3.3.2-lowest", "3.3.2", "2026-09-21", resolution="lowest-direct"),
    Environment("newest", ""),
)


def environments() -> list[Environment]:
    """Return all of the matrix; the newest Airflow of the registry among them, be it a beta."""
    newest = newest_airflow()
    known = (*RELEASES, PRERELEASE)
    is_known = newest in {environment.airflow for environment in known}
    return [*known, *([] if is_known else [Environment(newest, newest)]), *VARIATIONS]
