"""The system suite's kill points and guards name functions that exist, for they are resolved in a task process only."""

from __future__ import annotations

import pkgutil

import pytest

from tests.system.faults import GUARDS, KILL_POINTS

NAMES = {*(name for point in KILL_POINTS.values() for name in point.functions), *(name for name, _ in GUARDS.values())}


@pytest.mark.parametrize("name", sorted(NAMES))
def test_the_function_exists(name: str) -> None:
    assert callable(pkgutil.resolve_name(name))
