from __future__ import annotations

import asyncio
import gzip
import hashlib
import logging
from dataclasses import replace
from pathlib import Path

import pytest

from airflow_provider_siliconflow.archive.download import download
from airflow_provider_siliconflow.archive.url_policy import UrlPolicy
from airflow_provider_siliconflow.exceptions import (
    DestinationError,
    SiliconFlowConnectionError,
    SiliconFlowError,
    UnsafeUrlError,
    VideoExpiredError,
    VideoIntegrityError,
)
from tests.unit.archive.boxes import WEBM, box, mp4
from tests.unit.archive.fetching import assert_is_body, fetch, network
from tests.unit.archive.files import read
from tests.unit.archive.origin import (
    BODY,
    ETAG,
    SECRET,
    Origin,
    Reply,
    Request,
    chunked,
    cut,
    honest,
    part,
    rejection,
    whole,
)


async def test_tells_what_was_downloaded(stage: Path) -> None:
    async with Origin() as origin:
        got = await fetch(origin, stage)
    assert_is_body(got, stage)
    assert got.content_type == "video/mp4"
    assert got.url == f"http://127.0.0.1:{origin.port}/v%2Fclip.mp4?***"
    assert len(origin.requests) == 1


@pytest.mark.parametrize(
    "target",
    [
        "/a%2Fb%2fc?Signature=x%2By%2b%3D",
        "/a/~b/%7Ec+d e".replace(" ", "%20") + "?q=a+b&r=~%7e&empty=&bare",
        "/%E7%8C%AB%e7%8c%ab.mp4?response-content-disposition=%E7%8C%AB;x=1,2@:!$'()*",
        "/a/../b/./c//d?x=/../",
        "/?",
        '/x?a=[1]|{2}\\^`"<>',
    ],
)
async def test_url_is_sent_byte_for_byte(stage: Path, target: str) -> None:
    async with Origin() as origin:
        await download(f"http://127.0.0.1:{origin.port}{target}#fragment", stage, network(origin))
    assert [request.target for request in origin.requests] == [target.removesuffix("?") if target == "/?" else target]


async def test_sends_no_credential_and_asks_for_plain_bytes(
    stage: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password mine\n")
    monkeypatch.setenv("NETRC", str(netrc))
    async with Origin([cut(100)]) as origin:
        await fetch(origin, stage)
    assert len(origin.requests) == 2
    for request in origin.requests:
        assert "authorization" not in request.headers
        assert "cookie" not in request.headers
        assert request.headers["accept-encoding"] == "identity"


@pytest.mark.parametrize("end", ["close", "reset", "stall"])
async def test_resumes_where_the_body_broke_off(stage: Path, end: str) -> None:
    async with Origin([cut(100_000, end)]) as origin:  # type: ignore[arg-type]
        got = await fetch(origin, stage, stall_timeout=0.5)
    assert_is_body(got, stage)
    assert len(origin.requests) == 2
    again = origin.requests[1].headers
    start = int(again["range"].removeprefix("bytes=").removesuffix("-"))
    # A reset may destroy bytes that were on their way.
    assert 0 < start <= 100_000 if end == "reset" else start == 100_000
    assert again["if-range"] == ETAG


async def test_resumes_over_many_blocks(stage: Path) -> None:
    body = BODY * 20

    def hasty(request: Request) -> Reply:
        if len(origin.requests) == 1:
            return replace(whole(body), send=3_000_000)
        # The client may not have taken all that was sent before the connection broke.
        start = int(request.headers["range"].removeprefix("bytes=").removesuffix("-"))
        return replace(part(start, body), send=1_500_000 if len(origin.requests) == 2 else None)

    async with Origin() as origin:
        origin.otherwise = hasty
        got = await fetch(origin, stage)
    assert got.sha256 == hashlib.sha256(body).hexdigest()
    assert read(stage) == body
    assert ["range" in request.headers for request in origin.requests] == [False, True, True]


@pytest.mark.parametrize("status", [500, 502, 503, 504, 408, 429])
async def test_passing_statuses_are_tried_again(stage: Path, status: int) -> None:
    async with Origin([Reply(status), cut(50_000), Reply(status)]) as origin:
        got = await fetch(origin, stage)
    assert_is_body(got, stage)
    assert len(origin.requests) == 4


async def test_bytes_are_believed_before_headers(stage: Path) -> None:
    async with Origin([cut(50_000, Content_Encoding="gzip"), whole(Content_Encoding="gzip")]) as origin:
        got = await fetch(origin, stage)
    assert_is_body(got, stage)
    assert "range" not in origin.requests[1].headers


@pytest.mark.parametrize("status", [100, 102, 103])
async def test_interim_answers_are_passed_over(stage: Path, status: int) -> None:
    async with Origin() as origin:
        origin.interim = f"HTTP/1.1 {status} Wait\r\nLink: </x>; rel=preload\r\n\r\n".encode()
        assert_is_body(await fetch(origin, stage), stage)


@pytest.mark.parametrize(
    ("body", "missing"),
    [
        (BODY[:-1], "the mdat box at byte .* is cut"),
        (mp4()[:16] + box(b"mdat"), "no moov box"),
        (mp4() + b"tail", "ends in the head of a box"),
        (mp4() + box(b"free", length=3), "impossible length"),
    ],
)
async def test_a_video_that_its_storage_has_not_whole(stage: Path, body: bytes, missing: str) -> None:
    async with Origin() as origin:
        origin.otherwise = lambda request: whole(body)
        with pytest.raises(VideoIntegrityError, match=f"not whole: .*{missing}"):
            await fetch(origin, stage, max_attempts=2)
        origin.script = [whole(body)]
        origin.otherwise = honest
        assert_is_body(await fetch(origin, stage), stage)


async def test_gives_up_after_max_attempts(stage: Path) -> None:
    async with Origin() as origin:
        origin.otherwise = lambda request: cut(1_000)
        with pytest.raises(VideoIntegrityError, match="cut short"):
            await fetch(origin, stage, max_attempts=3)
        assert len(origin.requests) == 3
        origin.otherwise = lambda request: Reply(503)
        with pytest.raises(SiliconFlowConnectionError, match="HTTP 503"):
            await fetch(origin, stage, max_attempts=2)
        assert len(origin.requests) == 5


async def test_nobody_listens(stage: Path) -> None:
    async with Origin() as origin:
        pass
    with pytest.raises(SiliconFlowConnectionError, match="Cannot connect"):
        await fetch(origin, stage)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", "empty"),
        (b"<!DOCTYPE html><title>502", "HTML"),
        (b"  \n<html>", "HTML"),
        (b"<?xml version='1.0'?><Error/>", "XML"),
        (b'{"code": 50000}', "JSON"),
        (b'"404 page not found"', "JSON"),
        (b"\x89PNG\r\n\x1a\n" + bytes(1000), "PNG"),
        (b"short", "of an unknown kind"),
    ],
)
async def test_rejects_what_is_no_video_whatever_its_type(stage: Path, body: bytes, kind: str) -> None:
    async with Origin([whole(body)]) as origin:
        with pytest.raises(VideoIntegrityError, match=rf"no video: it is {kind} .*video/mp4, {len(body)} bytes"):
            await fetch(origin, stage)


@pytest.mark.parametrize(
    ("head", "told", "kind"),
    [
        (WEBM, "binary/octet-stream", "video/webm"),
        (mp4(brand=b"qt  "), "", "video/quicktime"),
        (mp4(), "text/html", "video/mp4"),
        (mp4(), "video/x-own; a=b", "video/x-own"),
    ],
)
async def test_content_type_is_of_a_video(stage: Path, head: bytes, told: str, kind: str) -> None:
    async with Origin([Reply(200, head, {"Content-Type": told})]) as origin:
        assert (await fetch(origin, stage)).content_type == kind


async def test_chunked_bodies_are_whole_when_they_say_so(stage: Path) -> None:
    async with Origin([chunked(BODY, complete=False), chunked(BODY)]) as origin:
        got = await fetch(origin, stage)
    assert_is_body(got, stage)


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (replace(whole(), length=False), "how long"),
        (whole(gzip.compress(BODY, 1), Content_Encoding="gzip"), "gzip .* content encoding gzip"),
        (Reply(204), "HTTP 204"),
        (Reply(206, BODY), "HTTP 206"),
        (Reply(304), "HTTP 304"),
    ],
)
async def test_refuses_answers_that_cannot_be_checked(stage: Path, reply: Reply, words: str) -> None:
    async with Origin([reply]) as origin:
        with pytest.raises(VideoIntegrityError, match=words):
            await fetch(origin, stage)


@pytest.mark.parametrize("reply", [whole(), chunked(BODY)], ids=["told", "found"])
async def test_refuses_more_than_max_bytes(stage: Path, reply: Reply) -> None:
    async with Origin([reply]) as origin:
        with pytest.raises(VideoIntegrityError, match="larger than the 100000 bytes"):
            await fetch(origin, stage, max_bytes=100_000)
        origin.script = [whole(BODY)]
        await fetch(origin, stage, max_bytes=len(BODY))


async def test_full_disk_is_no_network_error() -> None:
    async with Origin() as origin:
        with pytest.raises(DestinationError, match="/dev/full: no space left"):
            await fetch(origin, Path("/dev/full"))
        assert len(origin.requests) == 1


async def test_no_error_or_log_shows_the_signature(stage: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    bad = [cut(10, "reset"), Reply(500), rejection(), whole(b"<html>"), Reply(204), replace(whole(), length=False)]
    location = f"http://127.0.0.1:1/?{SECRET}"
    bad += [Reply(302, headers={"Location": location}), Reply(302, headers={"Location": f"ftp://x/?{SECRET}"})]
    errors: list[SiliconFlowError] = []
    async with Origin() as origin:
        for reply in bad:
            origin.script = [reply] * 2
            with pytest.raises(SiliconFlowError) as caught:
                await fetch(origin, stage, max_attempts=2)
            errors.append(caught.value)
        # Some of aiohttp's own errors show the whole URL: those of a connection that takes too long, for one.
        with pytest.raises(SiliconFlowConnectionError, match="ConnectionTimeoutError") as slow:
            await fetch(origin, stage, stall_timeout=1e-6)
        errors.append(slow.value)
        origin.script = [rejection(404)]
        with pytest.raises(VideoExpiredError) as gone:
            await fetch(origin, stage)
    for error in (*errors, gone.value):
        assert SECRET not in f"{error} {error!r} {error.__cause__!r}"
        assert error.__suppress_context__ or error.__context__ is None
    assert SECRET not in caplog.text
    assert "127.0.0.1" in caplog.text


@pytest.mark.parametrize("location", ["http://[1::2/x?Signature=a", "http://h:99999/", "//[v1.x]/\xff?Signature=a"])
async def test_a_redirect_to_what_is_no_url(stage: Path, location: str) -> None:
    async with Origin([Reply(302, headers={"Location": location})]) as origin:
        with pytest.raises(UnsafeUrlError) as caught:
            await fetch(origin, stage)
    assert "Signature" not in str(caught.value)


async def test_a_name_that_is_not_resolved_has_a_limit(stage: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(*_: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(UrlPolicy, "of_api", never)
    async with Origin() as origin:
        with pytest.raises(SiliconFlowConnectionError, match="its name is not resolved"):
            await fetch(origin, stage, timeout=0.01)
