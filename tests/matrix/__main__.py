"""
Run the suites on every supported release of Airflow: ``python -m tests.matrix [--quick] [--write] [NAME …]``.

It ends with a table of release, what, result and seconds, and with 1 if anything failed.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from tests.matrix.environments import FOLDER, RELEASES, UV, environments
from tests.matrix.report import table, write
from tests.matrix.steps import Row, rows_of
from tests.system.processes import ROOT

#: Of a log that failed, so many last lines are printed.
_TAIL = 60


def build_wheel() -> Path:
    """Build the wheel that is installed everywhere."""
    folder = FOLDER / "dist"
    subprocess.run([UV, "build", "--quiet", "--wheel", "--clear", "--out-dir", str(folder), str(ROOT)], check=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


def main() -> int:
    """Run the matrix."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m tests.matrix")
    parser.add_argument("names", nargs="*", metavar="NAME", help="environments (all by default): 3.0.6, newest, …")
    parser.add_argument("--quick", action="store_true", help="what CI does: what differs between releases, not all")
    parser.add_argument("--write", action="store_true", help="put the table into docs/compatibility.md")
    options = parser.parse_args()
    # The suite itself runs on the pinned release, so CI has nothing to repeat there.
    wanted = [each for each in environments() if each.name in options.names or not options.names]
    if options.quick and not options.names:
        wanted = [
            each for each in wanted if each.airflow and each.python == "3.11" and each.airflow != RELEASES[-1].airflow
        ]
    if unknown := set(options.names) - {each.name for each in wanted}:
        parser.error(f"no such environment: {', '.join(sorted(unknown))}")
    wheel, rows = build_wheel(), list[Row]()
    for environment in wanted:
        for row in rows_of(environment, wheel, quick=options.quick):
            print(f"{row.environment}: {row.step}: {row.result} ({row.seconds:.0f} s)", flush=True)
            if row.result == "failed" and row.log:
                print(*row.log.read_text(errors="replace").splitlines()[-_TAIL:], sep="\n", flush=True)
            rows.append(row)
    if options.write:
        write(rows, ROOT / "docs" / "compatibility.md", datetime.now(UTC).date().isoformat())
    print(f"\n{table(rows)}")
    return int(any(row.result == "failed" for row in rows))


if __name__ == "__main__":
    sys.exit(main())
