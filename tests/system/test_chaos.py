"""A small chaos scenario; the long one is ``python -m tests.system.chaos``."""

from __future__ import annotations

import pytest

from tests.system.chaos import run_scenarios
from tests.system.cluster import Echo

pytestmark = pytest.mark.system

#: One whose failing videos are of operators that do not submit a failed video again, which would take minutes.
SEED = 37


def test_a_chaos_scenario(echo: Echo) -> None:
    violations = run_scenarios(seed=SEED, videos=26, calm=0, minutes=15, echo=echo)
    assert not violations, "\n".join([f"seed {SEED}", *violations])
