"""The tables of the documentation, read as a reader sees them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tests.conftest import ROOT

DOCS = ROOT / "docs"
_CODE = re.compile(r"`([^`]+)`")
_CELL = re.compile(r"(?<!\\)\|")


@dataclass(frozen=True)
class Row:
    """
    A row of a table.

    :param cells: Its cells, without the spaces around them.
    """

    cells: tuple[str, ...]

    @property
    def names(self) -> list[str]:
        """Return what the first cell names as code."""
        return _CODE.findall(self.cells[0])

    @property
    def default(self) -> str:
        """Return the last cell."""
        return self.cells[-1]


def text_of(page: str) -> str:
    return (DOCS / page).read_text("utf-8")


def table(page: str, heading: str) -> list[Row]:
    """
    Return the rows of the first table below a heading.

    :param page: Path of the page below ``docs``.
    :param heading: Text of the heading.
    :return: The rows, without the table's head.
    """
    _, found, below = text_of(page).partition(f"# {heading}\n")
    assert found, f"{page} has no heading {heading!r}"
    lines = below.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("|"))
    rows = []
    for line in lines[start:]:
        if not line.startswith("|"):
            break
        rows.append(Row(tuple(cell.strip() for cell in _CELL.split(line)[1:-1])))
    return rows[2:]


def by_name(rows: list[Row]) -> dict[str, Row]:
    """Return the row of each name; a name has one row."""
    named = [(name, row) for row in rows for name in row.names]
    twice = {name for name, _ in named if [other for other, _ in named].count(name) > 1}
    assert not twice, f"two rows for {twice}"
    return dict(named)


def shown(value: object) -> str:
    """Return how the tables show a default."""
    return "none" if value is None else f"`{value}`"
