"""What the documentation names exists: files, and tests as the proof of a promise."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.conftest import ROOT

PROMISES = ROOT / "docs" / "promises.md"
#: ``tests/….py`` or ``tests/….py::name``, also of several names: ``::a, ::b``.
_PROOF = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`|`::(\w+)`")


def proofs() -> list[tuple[str, str]]:
    """Return the files and functions that the page names; a name alone is in the file named before it."""
    found, file = [], ""
    for path, name, other in _PROOF.findall(PROMISES.read_text()):
        file = path or file
        found.append((file, name or other))
    return found


def test_the_page_names_proofs() -> None:
    assert len(proofs()) > 30


@pytest.mark.parametrize(("file", "name"), sorted(set(proofs())))
def test_the_proof_exists(file: str, name: str) -> None:
    source = Path(ROOT, file).read_text()
    assert not name or f"def {name}(" in source, f"{file} has no {name}"
