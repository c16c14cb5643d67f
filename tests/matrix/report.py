"""The table of the matrix, for the terminal and for the documentation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tests.matrix.results import NOT_RUN, Row

BEGIN, END = "<!-- matrix: begin -->", "<!-- matrix: end -->"
_HEAD = "| Airflow | what | result | seconds | day | commit |\n|---|---|---|---|---|---|\n"


def table(rows: Sequence[Row]) -> str:
    """Return the rows as a table of Markdown."""
    return _HEAD + "".join(f"| {' | '.join(_cells(row))} |\n" for row in rows)


def _cells(row: Row) -> tuple[str, ...]:
    seconds = f"{row.seconds:.0f}" if row.seconds else ""
    return (row.environment, row.step, row.result, seconds, row.day, row.commit)


def write(rows: Sequence[Row], page: Path) -> None:
    """
    Put the table into a page, in the place of the one before.

    :param page: Made if it is not there; the table stands between two comments.
    """
    text = page.read_text() if page.exists() else f"# Compatibility\n\n{BEGIN}\n{END}\n"
    if BEGIN not in text:
        text += f"\n{BEGIN}\n{END}\n"
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    page.write_text(f"{before}{BEGIN}\n\n{table(rows)}\n{END}{after}")


def read(page: Path) -> list[Row]:
    """
    Return what a page's table says was run.

    :param page: As :func:`write` wrote it; without it, or without a table, nothing was run.
    """
    lines = page.read_text().partition(BEGIN)[2].partition(END)[0].splitlines() if page.exists() else []
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")][2:]
    return [
        Row(environment, step, result, float(seconds or 0), day, commit)
        for environment, step, result, seconds, day, commit in cells
        if result != NOT_RUN
    ]
