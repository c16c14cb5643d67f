from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import threading
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_siliconflow.archive.writer import BLOCK, FileWriter
from airflow_provider_siliconflow.exceptions import DestinationError
from tests.unit.archive.files import read


class OpensAs:
    """A path that opens as a file with other methods."""

    def __init__(self, path: Path, **methods: Any) -> None:
        self._path = path
        self._methods = methods

    def open(self, *args: Any, **kwargs: Any) -> Any:
        file = self._path.open(*args, **kwargs)
        own = {name: getattr(file, name) for name in ("write", "seek", "truncate", "fileno", "close")}
        return SimpleNamespace(**own | {name: partial(method, file) for name, method in self._methods.items()})

    def __str__(self) -> str:
        return str(self._path)


def writer_of(path: Path, **methods: Any) -> FileWriter:
    """Return a writer whose file has other methods."""
    return FileWriter(OpensAs(path, **methods))  # type: ignore[arg-type]


async def test_writes_and_hashes_what_it_takes_in_order(stage: Path) -> None:
    chunks = [bytes([number]) * 300_000 for number in range(20)]
    writer = FileWriter(stage)
    for chunk in chunks:
        await writer.write(chunk)
    assert await writer.finish() == hashlib.sha256(b"".join(chunks)).hexdigest()
    await writer.close()
    assert read(stage) == b"".join(chunks)
    assert (writer.size, writer.received, writer.head) == (6_000_000, 6_000_000, bytes(64))


async def test_starts_over_with_nothing_left_of_before(stage: Path) -> None:
    writer = FileWriter(stage)
    await writer.write(bytes(2 * BLOCK))
    await writer.write(b"rest")
    await writer.restart()
    await writer.write(b"video")
    assert await writer.finish() == hashlib.sha256(b"video").hexdigest()
    await writer.close()
    assert read(stage) == b"video"
    assert (writer.size, writer.received, writer.head) == (5, 2 * BLOCK + 9, b"video")


async def test_closing_waits_for_the_thread(stage: Path) -> None:
    released = threading.Event()

    def slow(file: Any, chunk: Any) -> Any:
        assert released.wait(10)
        return file.write(chunk)

    writer = writer_of(stage, write=slow)
    await writer.write(bytes(BLOCK))
    closing = asyncio.create_task(writer.close())
    await asyncio.wait({closing}, timeout=0.05)
    assert not closing.done()
    released.set()
    await asyncio.wait_for(closing, 10)
    assert len(read(stage)) == BLOCK


async def test_a_full_disk_shows_at_the_next_block() -> None:
    writer = FileWriter(Path("/dev/full"))
    await writer.write(bytes(BLOCK))
    with pytest.raises(DestinationError, match="/dev/full: no space left"):
        await writer.write(bytes(BLOCK))
    await writer.close()


@pytest.mark.parametrize("call", ["fsync", "truncate"])
async def test_other_failures_of_the_disk(stage: Path, call: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    writer = writer_of(stage, truncate=fail)
    await writer.write(b"video")
    if call == "fsync":
        monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(DestinationError, match="Input/output error"):
        await (writer.finish() if call == "fsync" else writer.restart())
    await writer.close()


async def test_a_write_that_takes_only_a_part_is_continued(stage: Path) -> None:
    writer = writer_of(stage, write=lambda file, rest: file.write(rest[:7]))
    await writer.write(bytes(range(100)))
    await writer.finish()
    await writer.close()
    assert read(stage) == bytes(range(100))
