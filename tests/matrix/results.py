"""What the steps of the matrix have come to, kept between runs: a run of hours continues where it was stopped."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from tests.system.processes import ROOT

OK, FAILED, NOT_RUN = "ok", "failed", "not run"


@dataclass(frozen=True)
class Row:
    """
    One line of the table.

    :param environment: The name of the environment.
    :param step: What was done.
    :param result: ``ok``, ``failed``, ``not run``, or why it was not done.
    :param seconds: How long it took.
    :param day: ISO 8601 day of the run.
    :param commit: The commit that it was done on; with a ``+`` if files were changed.
    :param log: The file with its output, from the root of the repository; empty if there is none.
    """

    environment: str
    step: str
    result: str
    seconds: float = 0.0
    day: str = ""
    commit: str = ""
    log: str = ""


class Results:
    """
    The last result of each step.

    :param path: The file that they are kept in.
    :param commit: The commit of this run.
    :param before: Results of other machines, which count where there are none of this one.
    """

    def __init__(self, path: Path, commit: str, before: Sequence[Row] = ()) -> None:
        self._path = path
        self._commit = commit
        self._before = before
        self._rows = self._read()
        self._lock = threading.Lock()

    def last(self, environment: str, step: str) -> Row | None:
        """Return the last result of a step, of whatever commit and machine."""
        return _find([*self._rows, *self._before], environment, step)

    def done(self, environment: str, step: str) -> Row | None:
        """Return the result of a step that is green for this very commit, with no file changed."""
        row = _find(self._rows, environment, step)
        is_done = row and row.result != FAILED and row.commit == self._commit and not self._commit.endswith("+")
        return row if is_done else None

    def put(self, row: Row) -> None:
        """Keep a result, in the place of the one before."""
        with self._lock:
            others = [each for each in self._read() if (each.environment, each.step) != (row.environment, row.step)]
            self._rows = [*others, row]
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.write_text(json.dumps([asdict(each) for each in self._rows], indent=1))

    def _read(self) -> list[Row]:
        # Anew for each result, for two runs may be at it, each in its environment.
        return [Row(**row) for row in json.loads(self._path.read_text())] if self._path.exists() else []


def _find(rows: Sequence[Row], environment: str, step: str) -> Row | None:
    return next((row for row in rows if (row.environment, row.step) == (environment, step)), None)


def commit_here() -> str:
    """Return the short name of the commit, with a ``+`` if files are changed; ``+`` where there is no repository."""
    try:
        name = _git("rev-parse", "--short", "HEAD")
        return name + ("+" if _git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.CalledProcessError):
        return "+"


def today() -> str:
    """Return the day, as it is shown in the table."""
    return datetime.now(UTC).date().isoformat()


def _git(*argv: str) -> str:
    return subprocess.run(["git", *argv], cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()
