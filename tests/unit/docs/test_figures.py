"""Every figure in the docs names the command that printed it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.docs.pages import text_of

#: Pages whose figures were measured; those of the other pages are settings and limits.
MEASURED = ("benchmarks.md", "reliability.md", "compatibility.md", "guides/triggerer.md")
FIGURE = re.compile(r"\b\d[\d,.]* ?(?:ms|s|seconds|minutes|kB|MiB|%)(?!\w)|\| *\d[\d,]* *\|")
COMMAND = re.compile(r"`(?:make [a-z]+|python -m tests\.[\w.]+)[^`]*`")


def sections(page: str) -> Iterator[tuple[str, str]]:
    """Yield the heading and the text of each section of a page."""
    for section in re.split(r"^#+ ", text_of(page), flags=re.MULTILINE)[1:]:
        heading, _, text = section.partition("\n")
        yield heading, text


SECTIONS = [(page, heading, text) for page in MEASURED for heading, text in sections(page) if FIGURE.search(text)]


def test_pages_of_figures_have_figures() -> None:
    assert {page for page, _, _ in SECTIONS} == set(MEASURED)


@pytest.mark.parametrize(
    "text", [text for *_, text in SECTIONS], ids=[f"{Path(page).stem}: {heading}" for page, heading, _ in SECTIONS]
)
def test_a_section_with_figures_names_its_command(text: str) -> None:
    assert COMMAND.search(text)
