"""The time that a download may take, by its size."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_provider_siliconflow.archive.options import DownloadOptions
from airflow_provider_siliconflow.exceptions import (
    SiliconFlowConnectionError,
)
from tests.unit.archive.fetching import fetch
from tests.unit.archive.origin import (
    Origin,
    Reply,
    cut,
)


def test_the_limit_is_by_size() -> None:
    options = DownloadOptions("http://localhost/v1", timeout=100, min_rate=1000)
    assert [options.time_for(size) for size in (0, 50_000, 10**6)] == [100, 150, 1100]


@pytest.mark.parametrize("reply", [cut(1000, "stall"), Reply(503)], ids=["a stalled body", "a storage that is away"])
async def test_a_slow_storage_has_a_limit(stage: Path, reply: Reply) -> None:
    async with Origin() as origin:
        origin.otherwise = lambda request: reply
        with pytest.raises(SiliconFlowConnectionError, match=r"bytes came within 0 s, .*download_timeout.*min_rate"):
            await fetch(origin, stage, max_attempts=10**6, timeout=0.2, min_rate=1e7, stall_timeout=0.01)


async def test_bytes_that_trickle_have_a_limit(stage: Path) -> None:
    async with Origin() as origin:
        origin.trickle = 0.01
        with pytest.raises(SiliconFlowConnectionError, match=r"\d+ of \d+ bytes came within"):
            await fetch(origin, stage, timeout=0.2, min_rate=1e7)
