"""The table of the matrix goes into the documentation's page, in the place of the one before."""

from __future__ import annotations

from pathlib import Path

from tests.matrix.environments import RELEASES
from tests.matrix.report import read, write
from tests.matrix.results import NOT_RUN, Results, Row
from tests.matrix.steps import all_rows

_ROW = "| 3.1.8 | demo | {} | {} | 2026-11-27 | abc |"


def test_a_page_is_made(tmp_path: Path) -> None:
    page = tmp_path / "compatibility.md"
    write([Row("3.1.8", "demo", "ok", 54.6, "2026-11-27", "abc")], page)
    assert _ROW.format("ok", 55) in page.read_text()
    assert page.read_text().startswith("# ")


def test_only_the_table_is_replaced(tmp_path: Path) -> None:
    page = tmp_path / "compatibility.md"
    write([Row("3.1.8", "demo", "failed", 9, "2026-11-26", "abc")], page)
    page.write_text(f"above\n{page.read_text()}below\n")
    write([Row("3.1.8", "demo", "ok", 55, "2026-11-27", "abc")], page)
    text = page.read_text()
    assert _ROW.format("ok", 55) in text
    assert "failed" not in text
    assert "2026-11-26" not in text
    assert text.startswith("above\n")
    assert text.endswith("below\n")


def test_what_other_machines_ran_stays_in_the_page(tmp_path: Path) -> None:
    page = tmp_path / "compatibility.md"
    assert read(page) == []
    ran = Row("3.1.8", "unit, what differs", "ok", 55, "2026-11-27", "abc")
    write([ran, Row("3.2.2", "demo", NOT_RUN)], page)
    results = Results(tmp_path / "results.json", "abc", read(page))
    assert results.last("3.1.8", "unit, what differs") == ran
    assert results.last("3.2.2", "demo") is None
    assert results.done("3.1.8", "unit, what differs") is None
    write(all_rows([environment for environment in RELEASES if environment.name == "3.1.8"], results), page)
    assert read(page) == [ran]
    results.put(Row("3.1.8", "unit, what differs", "failed", 5, "2026-11-28", "abd"))
    assert results.last("3.1.8", "unit, what differs") != ran
