"""A small night of chance; the long one is ``python -m tests.system.chaos``."""

from __future__ import annotations

import pytest

from tests.system.chaos import run_nights
from tests.system.house import Tell

pytestmark = pytest.mark.system

SEED = 1


def test_a_night_of_chance(tell: Tell) -> None:
    wrong = run_nights(seed=SEED, videos=24, calm=0, minutes=15, tell=tell)
    assert not wrong, "\n".join([f"seed {SEED}", *wrong])
