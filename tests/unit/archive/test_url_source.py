from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from airflow_provider_siliconflow.archive.body import Downloaded
from airflow_provider_siliconflow.archive.download import download
from airflow_provider_siliconflow.archive.options import DownloadOptions
from airflow_provider_siliconflow.exceptions import SiliconFlowConnectionError, VideoExpiredError
from tests.unit.archive.files import read
from tests.unit.archive.origin import BODY, SECRET, Origin, Reply, Request, cut, honest, part, rejection, whole

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


class Service:
    """The service, which gives fresh URLs, or none, or fails."""

    def __init__(self, *urls: str | Exception | None) -> None:
        self.urls = list(urls)
        self.asked = 0

    async def __call__(self) -> str | None:
        self.asked += 1
        url = self.urls.pop(0)
        if isinstance(url, Exception):
            raise url
        return url


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


def signed_url(origin: Origin, name: str, lives: float) -> str:
    return origin.url(f"/{name}", expires=int((NOW + timedelta(seconds=lives)).timestamp()))


def names(origin: Origin) -> list[str]:
    return [request.target.partition("?")[0].strip("/") for request in origin.requests]


async def fetch(
    origin: Origin, stage: Path, url: str | None, service: Service | None, clock: Callable[[], datetime] | None = None
) -> Downloaded:
    network = DownloadOptions(origin.base_url, max_backoff=0, max_attempts=4, expiry_margin=15)
    return await download(url, stage, network, fresh_url=service, clock=clock or Clock())


@pytest.mark.parametrize("lives", [-600, -1, 0, 14, 15])
async def test_an_expiring_url_is_changed_before_it_is_used(stage: Path, lives: float) -> None:
    async with Origin() as origin:
        service = Service(signed_url(origin, "fresh", 600))
        await fetch(origin, stage, signed_url(origin, "old", lives), service)
        assert names(origin) == ["fresh"]


@pytest.mark.parametrize("url", [16, None])
async def test_a_valid_or_timeless_url_is_used_as_it_is(stage: Path, url: int | None) -> None:
    async with Origin() as origin:
        service = Service()
        await fetch(
            origin, stage, signed_url(origin, "old", url) if url else f"http://127.0.0.1:{origin.port}/old", service
        )
        assert (names(origin), service.asked) == (["old"], 0)


async def test_without_a_url_one_is_polled_for(stage: Path) -> None:
    async with Origin() as origin:
        await fetch(origin, stage, None, Service(signed_url(origin, "fresh", 600)))
        assert names(origin) == ["fresh"]
        with pytest.raises(VideoExpiredError, match=r"no URL of the video. .* gave none"):
            await fetch(origin, stage, None, Service(None))
        with pytest.raises(VideoExpiredError, match="No fresh URL could be asked for"):
            await fetch(origin, stage, None, None)
        with pytest.raises(SiliconFlowConnectionError):
            await fetch(origin, stage, None, Service(SiliconFlowConnectionError("down")))


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
async def test_a_rejected_url_is_changed_once(stage: Path, status: int) -> None:
    async with Origin([rejection(status)]) as origin:
        service = Service(signed_url(origin, "fresh", 600))
        got = await fetch(origin, stage, signed_url(origin, "old", 600), service)
        assert got.size == len(BODY)
        assert names(origin) == ["old", "fresh"]
        assert service.asked == 1


@pytest.mark.parametrize(
    ("fresh", "outcome"),
    [
        ("old", "gave the same URL"),
        (None, "gave none"),
        ("fresh", "this is its fresh URL"),
    ],
)
async def test_an_expired_url_is_an_error_with_what_is_known(stage: Path, fresh: str | None, outcome: str) -> None:
    async with Origin() as origin:
        origin.otherwise = lambda request: rejection()
        service = Service(signed_url(origin, fresh, -60) if fresh else None)
        with pytest.raises(VideoExpiredError) as caught:
            await fetch(origin, stage, signed_url(origin, "old", -60), service)
        said = str(caught.value)
        assert "HTTP 403 AccessDenied Request has expired." in said
        assert "It expired 2026-11-22T11:59:00+00:00, now it is 2026-11-22T12:00:00+00:00." in said
        assert outcome in said
        assert SECRET not in said
        assert service.asked == 1
        assert len(origin.requests) == 1


async def test_nobody_to_ask(stage: Path) -> None:
    async with Origin([rejection()]) as origin:
        with pytest.raises(VideoExpiredError, match=r"should be valid until .* No fresh URL could be asked for"):
            await fetch(origin, stage, signed_url(origin, "old", 600), None)
        origin.script = [rejection()]
        with pytest.raises(VideoExpiredError, match="does not tell when it expires"):
            await fetch(origin, stage, f"http://127.0.0.1:{origin.port}/x", None)


async def test_the_storages_clock_decides(stage: Path) -> None:
    async with Origin() as origin:
        url = signed_url(origin, "old", -60)
        await fetch(origin, stage, url, Service(url))
        down = Service(SiliconFlowConnectionError("API down", host="h"))
        await fetch(origin, stage, url, down)
        assert names(origin) == ["old", "old"]
        origin.script = [rejection()]
        with pytest.raises(VideoExpiredError, match="Asking for a fresh one failed: No answer from h: API down"):
            await fetch(origin, stage, url, Service(SiliconFlowConnectionError("API down", host="h")))


async def test_a_url_that_expires_between_attempts_is_changed_and_the_download_resumed(stage: Path) -> None:
    clock = Clock()

    def dies_meanwhile(request: Request) -> Reply:
        if "old" in request.target:
            clock.now += timedelta(seconds=100)
            return cut(50_000)
        return honest(request)

    async with Origin() as origin:
        origin.otherwise = dies_meanwhile
        await fetch(origin, stage, signed_url(origin, "old", 60), Service(signed_url(origin, "fresh", 600)), clock)
        assert names(origin) == ["old", "fresh"]
        assert origin.requests[1].headers["range"] == "bytes=50000-"
        assert read(stage) == BODY


@pytest.mark.parametrize("etag", ["", 'W/"v1"'])
async def test_without_a_strong_etag_a_fresh_url_starts_over(stage: Path, etag: str) -> None:
    first = cut(50_000, ETag=etag) if etag else Reply(200, BODY, send=50_000)
    async with Origin([first, rejection()]) as origin:
        await fetch(origin, stage, signed_url(origin, "old", 60), Service(signed_url(origin, "fresh", 600)))
        assert names(origin) == ["old", "old", "fresh"]
        assert "range" not in origin.requests[2].headers
        assert read(stage) == BODY


async def test_a_fresh_url_to_other_bytes_starts_over(stage: Path) -> None:
    other = BODY[:-1] + b"!"
    script = [cut(50_000), rejection(), whole(other, ETag='"v2"')]
    async with Origin(script) as origin:
        await fetch(origin, stage, signed_url(origin, "old", 60), Service(signed_url(origin, "fresh", 600)))
        assert origin.requests[2].headers["if-range"] == '"v1"'
        assert read(stage) == other


async def test_a_fresh_url_is_polled_for_again_only_after_bytes_came(stage: Path) -> None:
    script = [rejection(), cut(50_000), rejection(), part(50_000)]
    async with Origin(script) as origin:
        service = Service(signed_url(origin, "two", 600), signed_url(origin, "three", 600))
        await fetch(origin, stage, signed_url(origin, "one", 600), service)
        assert names(origin) == ["one", "two", "two", "three"]
        assert read(stage) == BODY
        origin.script = [rejection(), rejection()]
        with pytest.raises(VideoExpiredError):
            await fetch(
                origin, stage, signed_url(origin, "one", 600), Service(signed_url(origin, "two", 600), "unasked")
            )
