"""Archive from the sandbox's storage, with its faults."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_siliconflow.archive.archiver import DownloadOptions, VideoFacts, archive_video
from airflow_provider_siliconflow.client.models import VideoState, VideoStatus
from airflow_provider_siliconflow.exceptions import UnsafeUrlError, VideoExpiredError, VideoIntegrityError
from airflow_provider_siliconflow.sandbox.faults import Fault
from airflow_provider_siliconflow.sandbox.server import Sandbox
from airflow_provider_siliconflow.sandbox.settings import Settings
from tests.unit.archive.files import names, read
from tests.unit.sandbox.caller import NOON, Caller

SIZE = 300_000


class ReadyVideo:
    """A sandbox with one video, ready at 600 s past noon."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.caller = Caller(sandbox)
        self.request_id, self.url = self.caller.ready()
        self.late = 600.0
        self.polls = 0

    def pass_time(self, seconds: float) -> None:
        self.sandbox.advance(seconds)
        self.late += seconds

    async def poll(self) -> VideoStatus:
        self.polls += 1
        return VideoStatus(self.request_id, VideoState.SUCCEED, urls=(self.caller.signed_url(self.request_id),))

    async def archive(self, folder: Path, **changes: Any) -> dict[str, Any]:
        network = DownloadOptions(self.sandbox.base_url, max_backoff=0, stall_timeout=1)
        given: dict[str, Any] = {"url": self.url, "options": network, "fresh_status": self.poll} | changes
        now = datetime.fromtimestamp(NOON, UTC) + timedelta(seconds=self.late)
        video = VideoFacts(request_id=self.request_id)
        return await archive_video(f"{folder}/", video=video, clock=lambda: now, **given)

    def assert_whole(self, folder: Path, manifest: dict[str, Any]) -> None:
        ledger = self.sandbox.ledger()
        (job,) = ledger.jobs
        assert hashlib.sha256(read(folder / f"{self.request_id}.mp4")).hexdigest() == job["sha256"]
        assert (manifest["sha256"], manifest["bytes"]) == (job["sha256"], SIZE)
        assert ledger.key_leaks == 0


@pytest.fixture
def ready(request: pytest.FixtureRequest) -> Iterator[ReadyVideo]:
    settings = Settings(tiny=True, body_bytes=SIZE, url_style=getattr(request, "param", "sigv4"), url_seconds=600)
    with Sandbox(settings, start=NOON) as sandbox:
        video = ReadyVideo(sandbox)
        yield video
        video.caller.close()


@pytest.mark.parametrize(
    "faults",
    [
        [],
        [Fault("download", "reset")],
        [Fault("download", "reset", at_byte=100_000)],
        [Fault("download", "cut", at_byte=100_000), Fault("download", "cut", at_byte=200_000)],
        [Fault("download", "stall", at_byte=100_000, seconds=30)],
        [Fault("download", "answer", status=503, times=3)],
        [Fault("download", "redirect")],
        [Fault("download", "no_length")],
    ],
    ids=lambda faults: "+".join(fault.kind for fault in faults) or "none",
)
async def test_every_byte_arrives(ready: ReadyVideo, tmp_path: Path, faults: list[Fault]) -> None:
    ready.sandbox.script(*faults)
    ready.assert_whole(tmp_path, await ready.archive(tmp_path))
    assert ready.polls == 0


@pytest.mark.parametrize("ready", ["oss", "sigv4"], indirect=True)
async def test_an_expired_url_is_renewed(ready: ReadyVideo, tmp_path: Path) -> None:
    ready.pass_time(601)
    ready.assert_whole(tmp_path, await ready.archive(tmp_path))
    assert ready.polls == 1
    assert ready.sandbox.ledger().download_calls == 1


async def test_an_expired_url_that_nobody_renews(ready: ReadyVideo, tmp_path: Path) -> None:
    ready.pass_time(601)
    with pytest.raises(VideoExpiredError, match="AccessDenied Request has expired"):
        await ready.archive(tmp_path, fresh_status=None)
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault("download", "garbage", times=0), VideoIntegrityError),
        (Fault("download", "cut", at_byte=1000, times=0), VideoIntegrityError),
        (Fault("download", "redirect", url="ftp://127.0.0.1/x"), UnsafeUrlError),
    ],
)
async def test_nothing_else_is_kept(ready: ReadyVideo, tmp_path: Path, fault: Fault, error: type[Exception]) -> None:
    ready.sandbox.script(fault)
    with pytest.raises(error):
        await ready.archive(tmp_path)
    assert names(tmp_path) == []


async def test_a_storage_without_range_starts_over(tmp_path: Path) -> None:
    with Sandbox(Settings(tiny=True, body_bytes=SIZE, ranges=False), start=NOON) as sandbox:
        ready = ReadyVideo(sandbox)
        sandbox.script(Fault("download", "cut", at_byte=100_000))
        ready.assert_whole(tmp_path, await ready.archive(tmp_path))
        ready.caller.close()
