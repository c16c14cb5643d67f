"""A download is resumed only where the rest is known to be of the very same body."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.archive.boxes import mp4
from tests.unit.archive.fetching import assert_is_body, fetch
from tests.unit.archive.origin import (
    BODY,
    ETAG,
    Origin,
    Reply,
    Request,
    cut,
    part,
    whole,
)


@pytest.mark.parametrize(
    "second",
    [
        pytest.param(whole(), id="ignores Range"),
        pytest.param(part(40_000), id="another start"),
        pytest.param(part(50_000, ETag='"v2"'), id="another ETag"),
        pytest.param(part(50_000, BODY + b"more"), id="another length"),
        pytest.param(Reply(206, BODY[50_000:], {"ETag": ETAG}), id="no Content-Range"),
        pytest.param(Reply(416), id="416"),
        pytest.param(part(50_000, ETag=""), id="no ETag"),
        pytest.param(part(50_000, Last_Modified="Mon, 02 Nov 2026 00:00:00 GMT"), id="another Last-Modified"),
        pytest.param(part(50_000, Content_Encoding="gzip"), id="encoded"),
        pytest.param(part(50_000, Content_Encoding="identity, GZIP"), id="encoded twice"),
        pytest.param(replace(part(50_000), body=BODY[50_000:] + b"more"), id="more than asked for"),
        pytest.param(replace(part(50_000), body=BODY), id="the whole body as the rest"),
        pytest.param(part(50_000, Content_Range=f"bytes 50000-{len(BODY) - 1}/*"), id="total not told"),
        pytest.param(part(50_000, Content_Range=f"bytes 50000-49999/{len(BODY)}"), id="an empty range"),
        pytest.param(part(50_000, Content_Range=f"bytes 50000-{len(BODY)}/{len(BODY)}"), id="beyond the end"),
    ],
)
async def test_starts_over_when_the_rest_is_not_to_be_had(stage: Path, second: Reply) -> None:
    async with Origin([cut(50_000), second]) as origin:
        got = await fetch(origin, stage)
    assert_is_body(got, stage)
    assert origin.requests[1].headers["range"] == "bytes=50000-"
    assert all("range" not in request.headers for request in origin.requests[2:])


@pytest.mark.parametrize(
    "validators",
    [
        pytest.param({"ETag": 'W/"v1"'}, id="weak ETag"),
        pytest.param({"ETag": ""}, id="none"),
        pytest.param({"ETag": '""'}, id="empty ETag"),
        pytest.param({"ETag": "v1"}, id="ETag without quotes"),
        pytest.param({"ETag": "", "Last-Modified": "Sun, 01 Nov 2026 00:00:00 GMT"}, id="Last-Modified alone"),
    ],
)
async def test_only_a_strong_etag_lets_resume(stage: Path, validators: dict[str, str]) -> None:
    """The storage has another video meanwhile, and answers to a Range as if it were the same."""
    other = mp4(bytes(len(BODY)))[: len(BODY)]

    def changed(request: Request) -> Reply:
        if "range" in request.headers:
            return part(int(request.headers["range"].removeprefix("bytes=").rstrip("-")), other, **validators)
        return whole(BODY, **validators)

    async with Origin([replace(cut(50_000), headers={"Content-Type": "video/mp4"} | validators)]) as origin:
        origin.otherwise = changed
        got = await fetch(origin, stage)
    assert_is_body(got, stage)
    assert all("range" not in request.headers for request in origin.requests)


async def test_a_storage_whose_ranges_are_wrong_is_asked_for_none(stage: Path) -> None:
    wrong = replace(part(50_000), body=BODY)
    async with Origin([cut(50_000), wrong, cut(60_000)]) as origin:
        got = await fetch(origin, stage)
    assert_is_body(got, stage)
    assert ["range" in request.headers for request in origin.requests] == [False, True, False, False]


@pytest.mark.parametrize("encoding", ["", "identity", "Identity", " IDENTITY ", "aws-chunked", "AWS-Chunked,identity"])
async def test_encodings_that_change_nothing_are_none(stage: Path, encoding: str) -> None:
    async with Origin([cut(50_000, Content_Encoding=encoding), part(50_000, Content_Encoding=encoding)]) as origin:
        got = await fetch(origin, stage)
    assert_is_body(got, stage)
    assert origin.requests[1].headers["range"] == "bytes=50000-"


@pytest.mark.parametrize("etag", ['"\xff"', '"\x81\xe9"'])
async def test_an_etag_that_is_no_text(stage: Path, etag: str) -> None:
    async with Origin([cut(1000, "reset", ETag=etag)]) as origin:
        assert_is_body(await fetch(origin, stage), stage)
