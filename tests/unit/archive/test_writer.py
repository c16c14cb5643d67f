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
    sink = FileWriter(stage)
    for chunk in chunks:
        await sink.write(chunk)
    assert await sink.finish() == hashlib.sha256(b"".join(chunks)).hexdigest()
    await sink.close()
    assert read(stage) == b"".join(chunks)
    assert (sink.size, sink.received, sink.head) == (6_000_000, 6_000_000, bytes(64))


async def test_starts_over_with_nothing_left_of_before(stage: Path) -> None:
    sink = FileWriter(stage)
    await sink.write(bytes(2 * BLOCK))
    await sink.write(b"rest")
    await sink.restart()
    await sink.write(b"video")
    assert await sink.finish() == hashlib.sha256(b"video").hexdigest()
    await sink.close()
    assert read(stage) == b"video"
    assert (sink.size, sink.received, sink.head) == (5, 2 * BLOCK + 9, b"video")


async def test_closing_waits_for_the_thread(stage: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, go_on = FileWriter._store, threading.Event()

    def slow(sink: FileWriter, chunks: list[bytes]) -> None:
        assert go_on.wait(10)
        real(sink, chunks)

    monkeypatch.setattr(FileWriter, "_store", slow)
    sink = FileWriter(stage)
    await sink.write(bytes(BLOCK))
    closing = asyncio.create_task(sink.close())
    await asyncio.wait({closing}, timeout=0.05)
    assert not closing.done()
    go_on.set()
    await asyncio.wait_for(closing, 10)
    assert len(read(stage)) == BLOCK


async def test_a_full_disk_shows_at_the_next_block() -> None:
    sink = FileWriter(Path("/dev/full"))
    await sink.write(bytes(BLOCK))
    with pytest.raises(DestinationError, match="/dev/full: no space left"):
        await sink.write(bytes(BLOCK))
    await sink.close()


@pytest.mark.parametrize("call", ["fsync", "truncate"])
async def test_other_failures_of_the_disk(stage: Path, call: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    sink = FileWriter(stage)
    await sink.write(b"video")
    if call == "fsync":
        monkeypatch.setattr(os, "fsync", fail)
    else:
        file = sink._file
        monkeypatch.setattr(
            sink, "_file", type("Broken", (), {"write": file.write, "seek": fail, "close": file.close})()
        )
    with pytest.raises(DestinationError, match="Input/output error"):
        await (sink.finish() if call == "fsync" else sink.restart())
    await sink.close()


async def test_a_write_that_takes_only_a_part_is_continued(stage: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sink = FileWriter(stage)
    file = sink._file

    class Sipping:
        write = staticmethod(lambda rest: file.write(rest[:7]))
        fileno, close = file.fileno, file.close

    monkeypatch.setattr(sink, "_file", Sipping())
    await sink.write(bytes(range(100)))
    await sink.finish()
    await sink.close()
    assert read(stage) == bytes(range(100))
