"""The sandbox's only source of time."""

from __future__ import annotations

import pytest

from airflow_provider_siliconflow.sandbox.clock import Clock


def test_a_clock_stands_still_until_moved_and_never_runs_back() -> None:
    clock = Clock(100.0)
    clock.advance(5)
    assert clock.now() == 105.0
    with pytest.raises(ValueError, match="backwards"):
        clock.advance(-1)
    assert Clock().now() > 1.6e9
