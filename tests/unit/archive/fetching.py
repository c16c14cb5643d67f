"""Downloads from an origin, and what they must give."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from airflow_provider_siliconflow.archive.body import Downloaded
from airflow_provider_siliconflow.archive.download import download
from airflow_provider_siliconflow.archive.options import DownloadOptions
from tests.unit.archive.files import read
from tests.unit.archive.origin import (
    BODY,
    SHA256,
    Origin,
)


def network(origin: Origin) -> DownloadOptions:
    return DownloadOptions(origin.base_url, max_backoff=0, stall_timeout=10, max_attempts=4)


async def fetch(origin: Origin, stage: Path, **changes: object) -> Downloaded:
    return await download(origin.url(), stage, replace(network(origin), **changes))  # type: ignore[arg-type]


def assert_is_body(got: Downloaded, stage: Path) -> None:
    assert read(stage) == BODY
    assert (got.size, got.sha256) == (len(BODY), SHA256)
