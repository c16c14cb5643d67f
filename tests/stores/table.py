"""
Run the tests on every store and print what each was seen to do: ``python -m tests.stores.table``.

A cell tells that the test named in its row passed on that store, and in how many seconds; ``-`` where the row does not
concern the store.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from tests.stores.each import KINDS
from tests.stores.file_kinds import PlainSftpKind


class Cells:
    """Collects outcomes; a plugin of pytest."""

    def __init__(self) -> None:
        self.found: dict[str, dict[str, str]] = defaultdict(dict)

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.when != "call" and report.outcome == "passed":
            return
        name, _, parameters = report.nodeid.rpartition("::")[2].partition("[")
        columns = [kind.name for kind in (*KINDS, PlainSftpKind) if parameters.rstrip("]").endswith(kind.name)]
        column = max(columns, key=len, default="")
        row = " ".join([name.removeprefix("test_").replace("_", " "), parameters.rstrip("]").removesuffix(column)])
        word = {"passed": f"yes, {report.duration:.1f} s", "skipped": "skipped"}.get(report.outcome, "NO")
        self.found[row.strip(" -")][column] = word


def main() -> int:
    cells = Cells()
    code = pytest.main(["-q", "-p", "no:cacheprovider", str(Path(__file__).with_name("test_stores.py"))], [cells])
    names = [kind.name for kind in (*KINDS, PlainSftpKind)]
    print("\n| | " + " | ".join(names) + " |\n|---" * 1 + "|---" * len(names) + "|")
    for row, found in cells.found.items():
        print(f"| {row} | " + " | ".join(found.get(name, "-") for name in names) + " |")
    return int(code)


if __name__ == "__main__":
    sys.exit(main())
