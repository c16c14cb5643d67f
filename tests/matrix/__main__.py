"""
Run the suites on every supported release of Airflow: ``python -m tests.matrix [--quick] [--resume] [NAME …]``.

It ends with a table of release, what, result and seconds, and with 1 if anything failed. The table of kills of one
release: ``python -m tests.matrix 3.1.8 --only killed``.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.matrix.environments import FOLDER, PRERELEASE, RELEASES, UV, Environment, environments
from tests.matrix.report import read, table, write
from tests.matrix.results import FAILED, Results, Row, commit_here
from tests.matrix.steps import INSTALLS, all_rows, rows_of, steps_of
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
    options = _options()
    known = [*RELEASES[:-1], PRERELEASE] if options.quick and not options.names else environments()
    wanted = [each for each in known if each.name in options.names] if options.names else known
    if unknown := set(options.names) - {each.name for each in known}:
        raise SystemExit(f"no such environment: {', '.join(sorted(unknown))}")
    page = ROOT / "docs" / "compatibility.md"
    wheel, results = build_wheel(), Results(FOLDER / "results.json", commit_here(), read(page))
    with ThreadPoolExecutor(options.jobs) as pool:
        done = pool.map(lambda environment: list(_do(environment, wheel, results, options)), wanted)
        rows = [row for each in done for row in each]
    if options.write:
        write(all_rows(environments(), results), page)
    print(f"\n{table(rows)}")
    return int(any(row.result == FAILED for row in rows))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m tests.matrix")
    parser.add_argument("names", nargs="*", metavar="NAME", help="environments (all by default): 3.0.6, newest, …")
    parser.add_argument("--quick", action="store_true", help="what CI does: what differs between releases, not all")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="so many environments side by side")
    parser.add_argument("--only", action="append", metavar="STEP", help="only steps whose name begins so; repeatable")
    parser.add_argument("--resume", action="store_true", help="leave out what is green for this commit")
    parser.add_argument("--write", action="store_true", help="put the table into docs/compatibility.md")
    return parser.parse_args()


def _do(environment: Environment, wheel: Path, results: Results, options: argparse.Namespace) -> Iterator[Row]:
    steps = steps_of(environment, wheel, quick=options.quick)
    if options.only:
        begins = tuple(options.only)
        steps = {name: act for name, act in steps.items() if name == INSTALLS or name.startswith(begins)}
    for row in rows_of(environment, steps, results, resume=options.resume):
        lines = (ROOT / row.log).read_text(errors="replace").splitlines() if row.log else []
        # Of a suite that passed, its tables: that of the kills.
        shown = lines[-_TAIL:] if row.result == FAILED else [line for line in lines if line.startswith("| ")]
        print("\n".join([f"{row.environment}: {row.step}: {row.result} ({row.seconds:.0f} s)", *shown]), flush=True)
        yield row


if __name__ == "__main__":
    sys.exit(main())
