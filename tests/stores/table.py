"""
Run the tests on every store and print what each was seen to do: ``python -m tests.stores.table``.

Each cell is what a test noted of its store, and is shown if the test passed; a store that is refused before paying
is tried no further.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.stores.each import ALL_KINDS
from tests.stores.file_kinds import PlainSftpKind

NAMES = [kind.name for kind in (*ALL_KINDS, PlainSftpKind)]


class Cells:
    """Collects what the tests noted; a plugin of pytest."""

    def __init__(self) -> None:
        self.found: dict[str, dict[str, str]] = defaultdict(dict)

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.when != "call" and report.outcome == "passed":
            return
        inside = report.nodeid.rpartition("[")[2].rstrip("]")
        column = max((name for name in NAMES if inside.endswith(name)), key=len, default="")
        for kind, (row, seen) in report.user_properties:
            if kind == "cell":
                self.found[row][column] = seen if report.outcome == "passed" else f"NOT: {seen}"


def main() -> int:
    cells, folder = Cells(), str(Path(__file__).parent)
    code = pytest.main(["-q", "-p", "no:cacheprovider", "-n4", "--dist=worksteal", folder], [cells])
    print(f"\nSeen on {datetime.now(UTC):%Y-%m-%d} by `python -m tests.stores.table`:\n")
    print("| | " + " | ".join(NAMES) + " |\n|---" + "|---" * len(NAMES) + "|")
    for row, found in cells.found.items():
        print(f"| {row} | " + " | ".join(found.get(name, "not tried") for name in NAMES) + " |")
    return int(code)


if __name__ == "__main__":
    sys.exit(main())
