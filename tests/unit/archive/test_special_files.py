"""FIFOs and devices where a video or its manifest goes: they neither hang the task nor fill its memory."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import ObjectStoragePath

from airflow_provider_siliconflow.archive.manifest import describes, read_manifest
from airflow_provider_siliconflow.archive.stores import read_small
from airflow_provider_siliconflow.exceptions import DestinationRefusedError

LIMIT = 1 << 20


@pytest.fixture(autouse=True)
def _bounded() -> Iterator[None]:
    def alarm(*_: Any) -> None:
        raise AssertionError("hangs")

    before = signal.signal(signal.SIGALRM, alarm)
    signal.alarm(10)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def special_files(folder: Path) -> list[Path]:
    os.mkfifo(folder / "fifo")
    (folder / "folder").mkdir()
    (folder / "link").symlink_to("/dev/zero")
    (folder / "broken").symlink_to(folder / "nowhere")
    return [*(folder / name for name in ("fifo", "folder", "link", "broken")), Path("/dev/zero"), Path("/dev/full")]


def test_a_manifest_that_is_no_plain_file_is_something_else(tmp_path: Path) -> None:
    for path in special_files(tmp_path):
        with pytest.raises(DestinationRefusedError, match="holds something else"):
            read_manifest(ObjectStoragePath(str(path)))


def test_what_is_no_plain_file_has_the_bytes_of_no_manifest(tmp_path: Path) -> None:
    for path in special_files(tmp_path):
        if path.exists():
            assert not describes({"bytes": 0, "sha256": ""}, ObjectStoragePath(str(path)))


def test_a_small_file_is_read_up_to_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "file"
    assert read_small(ObjectStoragePath(str(path)), LIMIT) is None
    for size, expected in ((0, 0), (5, 5), (LIMIT, LIMIT), (LIMIT + 1, 0)):
        path.write_bytes(b"x" * size)
        assert read_small(ObjectStoragePath(f"file://{path}"), LIMIT) == b"x" * expected
    # A file of /proc tells no size.
    assert read_small(ObjectStoragePath("/proc/self/status"), 10) == b""
