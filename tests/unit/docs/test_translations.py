"""The pages that are translated have Chinese, but for the last small edits, which are listed."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.conftest import ROOT


def test_translated_pages_have_chinese() -> None:
    pytest.importorskip("sphinx", reason="`make docs` installs what builds the site")
    done = subprocess.run([sys.executable, "docs/translations.py"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
