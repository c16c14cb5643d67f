"""The table of the matrix, for the terminal and for the documentation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tests.matrix.steps import Row

BEGIN, END = "<!-- matrix: begin -->", "<!-- matrix: end -->"
_HEAD = "| Airflow | what | result | seconds |\n|---|---|---|---|\n"


def table(rows: Sequence[Row]) -> str:
    """Return the rows as a table of Markdown."""
    return _HEAD + "".join(f"| {row.environment} | {row.step} | {row.result} | {row.seconds:.0f} |\n" for row in rows)


def write(rows: Sequence[Row], page: Path, day: str) -> None:
    """
    Put the table into a page, in the place of the one before.

    :param page: Made if it is not there; the table stands between two comments.
    :param day: Of the run.
    """
    text = page.read_text() if page.exists() else f"# Compatibility\n\n{BEGIN}\n{END}\n"
    if BEGIN not in text:
        text += f"\n{BEGIN}\n{END}\n"
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    page.write_text(f"{before}{BEGIN}\n`make matrix`, {day}:\n\n{table(rows)}{END}{after}")
