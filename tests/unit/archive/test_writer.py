from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import threading
from pathlib import Path

import pytest

from airflow_provider_siliconflow.archive.writer import BLOCK, FileWriter
from airflow_provider_siliconflow.exceptions import DestinationError
from tests.unit.archive.files import read


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


async def test_closing_waits_for_the_thread(stage: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, released = FileWriter._store, threading.Event()

    def slow(writer: FileWriter, chunks: list[bytes]) -> None:
        assert released.wait(10)
        real(writer, chunks)

    monkeypatch.setattr(FileWriter, "_store", slow)
    writer = FileWriter(stage)
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

    writer = FileWriter(stage)
    await writer.write(b"video")
    if call == "fsync":
        monkeypatch.setattr(os, "fsync", fail)
    else:
        file = writer._file
        monkeypatch.setattr(
            writer, "_file", type("Broken", (), {"write": file.write, "seek": fail, "close": file.close})()
        )
    with pytest.raises(DestinationError, match="Input/output error"):
        await (writer.finish() if call == "fsync" else writer.restart())
    await writer.close()


async def test_a_write_that_takes_only_a_part_is_continued(stage: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = FileWriter(stage)
    file = writer._file

    class Sipping:
        write = staticmethod(lambda rest: file.write(rest[:7]))
        fileno, close = file.fileno, file.close

    monkeypatch.setattr(writer, "_file", Sipping())
    await writer.write(bytes(range(100)))
    await writer.finish()
    await writer.close()
    assert read(stage) == bytes(range(100))
