"""The table of the matrix goes into the documentation's page, in the place of the one before."""

from __future__ import annotations

from pathlib import Path

from tests.matrix.report import write
from tests.matrix.results import Row

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
