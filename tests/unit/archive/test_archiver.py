from __future__ import annotations

import asyncio
import errno
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_siliconflow import __version__
from airflow_provider_siliconflow.archive import archiver, store_calls
from airflow_provider_siliconflow.archive import claim as claims
from airflow_provider_siliconflow.archive.archiver import DownloadOptions, VideoFacts, archive_video
from airflow_provider_siliconflow.archive.claim_file import Claim
from airflow_provider_siliconflow.archive.destination import understand
from airflow_provider_siliconflow.archive.writer import FileWriter
from airflow_provider_siliconflow.client.models import VideoState, VideoStatus
from airflow_provider_siliconflow.exceptions import (
    DestinationError,
    DestinationRefusedError,
    SiliconFlowError,
    VideoExpiredError,
    VideoFailedPermanentlyError,
)
from tests.unit.archive.boxes import box, mp4
from tests.unit.archive.files import names, read
from tests.unit.archive.origin import BODY, SECRET, SHA256, Origin, Reply, Request, cut, honest, rejection, whole

OWNER = "a_dag/run/video/-1"
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def status(word: VideoState = VideoState.SUCCEED, *urls: str, reason: str = "") -> VideoStatus:
    return VideoStatus("abc", word, word.value, reason, urls=urls, inference_seconds=2.5, seed=7, trace_id="t2")


async def archive(origin: Origin, destination: object, store_timeout: float = 60, **changes: Any) -> dict[str, Any]:
    given: dict[str, Any] = {
        "url": origin.url(),
        "video": VideoFacts(request_id="abc"),
        "options": DownloadOptions(origin.base_url, max_backoff=0, max_attempts=2, store_timeout=store_timeout),
        "clock": lambda: NOW,
    }
    return await archive_video(str(destination), **(given | changes))


async def test_archives_with_a_manifest_of_all_that_is_known(tmp_path: Path) -> None:
    video = VideoFacts("abc", "Wan", "一只猫", 42, 3.5, ("t1",))
    async with Origin() as origin:
        manifest = await archive(origin, f"{tmp_path}/", video=video)
    assert manifest == {
        "schema_version": 1,
        "request_id": "abc",
        "model": "Wan",
        "prompt": "一只猫",
        "seed": 42,
        "inference_seconds": 3.5,
        "trace_ids": ["t1"],
        "path": f"{tmp_path}/abc.mp4",
        "bytes": len(BODY),
        "sha256": SHA256,
        "content_type": "video/mp4",
        "url": f"http://127.0.0.1:{origin.port}/v%2Fclip.mp4?***",
        "archived_at": "2026-11-22T12:00:00+00:00",
        "provider_version": __version__,
    }
    assert read(tmp_path / "abc.mp4") == BODY
    assert json.loads(read(tmp_path / "abc.mp4.json")) == manifest


async def test_a_poll_for_a_url_tells_the_newest_of_a_video(tmp_path: Path) -> None:
    async with Origin([rejection()]) as origin:

        async def poll() -> VideoStatus:
            return status(VideoState.SUCCEED, origin.url("/fresh"))

        manifest = await archive(origin, tmp_path, fresh_status=poll)
        assert (manifest["seed"], manifest["inference_seconds"], manifest["trace_ids"]) == (7, 2.5, ["t2"])
        assert manifest["url"].endswith("/fresh?***")
        assert "prompt" not in manifest
        given = VideoFacts("other", seed=0, inference_seconds=0.0, trace_ids=("t1",))
        manifest = await archive(origin, tmp_path, url=None, fresh_status=poll, video=given)
        assert (manifest["seed"], manifest["inference_seconds"], manifest["trace_ids"]) == (7, 2.5, ["t1", "t2"])


@pytest.mark.parametrize(
    ("seen", "error", "words"),
    [
        (status(VideoState.FAILED, reason="bad prompt"), VideoFailedPermanentlyError, "abc failed: bad prompt"),
        (status(VideoState.FAILED), VideoFailedPermanentlyError, "no reason given"),
        (status(VideoState.IN_PROGRESS), VideoExpiredError, "gave none"),
    ],
)
async def test_no_video_to_archive(
    tmp_path: Path, seen: VideoStatus, error: type[SiliconFlowError], words: str
) -> None:
    async def poll() -> VideoStatus:
        return seen

    async with Origin() as origin:
        with pytest.raises(error, match=words):
            await archive(origin, tmp_path, url=None, fresh_status=poll)
        assert origin.requests == []
    assert names(tmp_path) == []


async def test_a_repeat_after_success_downloads_nothing(tmp_path: Path) -> None:
    async with Origin() as origin:
        first = await archive(origin, tmp_path)
        assert await archive(origin, tmp_path, url=None) == first
        assert len(origin.requests) == 1
        with pytest.raises(DestinationRefusedError):
            await archive(origin, tmp_path / "abc.mp4", video=VideoFacts("other"))
        with pytest.raises(DestinationRefusedError, match="if_exists is 'maybe'"):
            await archive(origin, tmp_path, if_exists="maybe")
        assert len(origin.requests) == 1


async def test_nothing_has_the_final_name_before_the_end(tmp_path: Path) -> None:
    seen: list[list[str]] = []

    def watch(request: Request) -> Reply:
        seen.append(names(tmp_path))
        return cut(100_000) if len(seen) == 1 else honest(request)

    async with Origin() as origin:
        origin.otherwise = watch
        await archive(origin, tmp_path / "clip.mp4")
    assert len(seen) == 2
    assert all(len(found) == 1 and found[0].startswith(".siliconflow-") for found in seen)


@pytest.mark.parametrize("reply", [cut(1000), cut(1000, "reset"), whole(b"<html>"), Reply(500), rejection()])
async def test_a_failed_download_leaves_nothing(tmp_path: Path, reply: Reply) -> None:
    async with Origin() as origin:
        origin.otherwise = lambda _: reply
        with pytest.raises(SiliconFlowError):
            await archive(origin, tmp_path)
    assert names(tmp_path) == []


async def test_a_cancelled_download_leaves_nothing(tmp_path: Path) -> None:
    begun = asyncio.Event()

    def begin(_: Request) -> Reply:
        begun.set()
        return cut(len(BODY) - 1, "stall")

    async with Origin() as origin:
        origin.otherwise = begin
        task = asyncio.create_task(archive(origin, tmp_path))
        await asyncio.wait_for(begun.wait(), 10)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.wait_for(task, 10)
    assert task.cancelled()
    assert names(tmp_path) == []


async def test_a_disk_that_gets_full_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(FileWriter, "_store", full)
    async with Origin() as origin:
        with pytest.raises(DestinationError, match=rf"{tmp_path}/.*no space left"):
            await archive(origin, tmp_path)
        assert len(origin.requests) == 1
    assert names(tmp_path) == []


async def test_archives_many_at_once(tmp_path: Path) -> None:
    async with Origin() as origin:
        manifests = await asyncio.gather(
            *(archive(origin, f"{tmp_path}/", video=VideoFacts(f"id{number}")) for number in range(50))
        )
    assert {manifest["sha256"] for manifest in manifests} == {SHA256}
    assert len({manifest["path"] for manifest in manifests}) == 50
    assert len(names(tmp_path)) == 100


async def test_no_manifest_shows_a_signature(tmp_path: Path) -> None:
    async with Origin() as origin:
        manifest = await archive(origin, tmp_path)
    assert SECRET not in str(manifest)
    assert SECRET.encode() not in read(tmp_path / "abc.mp4.json")


@pytest.fixture
def big(tmp_path: Path) -> Iterator[tuple[str, int]]:
    """Serve a large video from another thread; give its API's base URL and its size."""
    size = int(os.environ.get("ARCHIVE_TEST_BYTES", 256 << 20))
    source = tmp_path / "source.mp4"
    with source.open("wb") as file:
        head = mp4()[: -len(box(b"mdat", b"frames"))]
        file.write(head + box(b"mdat", wide=True, length=size - len(head)))
        file.truncate(size)
    head = f'HTTP/1.1 200 OK\r\nContent-Length: {size}\r\nETag: "big"\r\nConnection: close\r\n\r\n'.encode()
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(240)

        def serve() -> None:
            with suppress(OSError):
                connection, _ = server.accept()
                with connection, source.open("rb") as file:
                    connection.recv(65536)
                    connection.sendall(head)
                    connection.sendfile(file)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/v1", size
    thread.join(60)


def test_memory_does_not_grow_with_the_video(big: tuple[str, int], tmp_path: Path) -> None:
    """Archive in a process of its own; see ``grown.py``. ``ARCHIVE_TEST_BYTES`` sets the size, 256 MiB if unset."""
    base_url, size = big
    run = subprocess.run(
        [sys.executable, "-m", "tests.unit.archive.grown", base_url, str(tmp_path / "clip.mp4")],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert run.returncode == 0, run.stderr
    told = json.loads(run.stdout.splitlines()[-1])
    assert told["bytes"] == size == (tmp_path / "clip.mp4").stat().st_size
    assert told["grown"] < 64 << 20


async def test_a_try_that_failed_late_leaves_the_claim_of_the_next(tmp_path: Path) -> None:
    """A try of which Airflow has lost sight ends after the next one began."""
    path = understand(f"{tmp_path}/clip.mp4", None).path
    taken: list[Claim] = []

    async def next_try_begins() -> VideoStatus:
        taken.append(claims.take(path, OWNER))
        return status(VideoState.FAILED)

    async with Origin() as origin:
        with pytest.raises(VideoFailedPermanentlyError):
            await archive(origin, path.path, url=None, fresh_status=next_try_begins, owner=OWNER)
    claims.check(path, taken[0])


@pytest.mark.parametrize("step", ["understand", "resolve_existing", "_take_claim", "sweep"])
async def test_a_store_that_hangs_has_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    over = threading.Event()
    monkeypatch.setattr(store_calls if step == "_take_claim" else archiver, step, lambda *_: over.wait(30))
    try:
        async with Origin() as origin:
            with pytest.raises(DestinationError, match="did not answer within"):
                await archive(origin, tmp_path / "clip.mp4", owner=OWNER, store_timeout=0.05)
    finally:
        over.set()


async def test_a_claim_that_cannot_be_released_in_time_fails_no_archive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    over = threading.Event()
    monkeypatch.setattr(claims, "release_quietly", lambda *_, **__: over.wait(30))
    try:
        async with Origin() as origin:
            manifest = await archive(origin, tmp_path / "clip.mp4", owner=OWNER, store_timeout=0.2)
        assert manifest["bytes"] == len(BODY)
    finally:
        over.set()
