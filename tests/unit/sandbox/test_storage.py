"""URLs and downloads: valid to the byte and the second, whole or spoiled."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from urllib.parse import unquote

import pytest
import requests

from airflow_provider_siliconflow.client.signed_urls import expires_at
from airflow_provider_siliconflow.sandbox import signed_urls
from airflow_provider_siliconflow.sandbox.faults import Fault
from tests.unit.sandbox.caller import NOON, Caller
from tests.unit.sandbox.conftest import Start

STYLES = ["oss", "sigv4"]


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("seconds", [600, 3600])
def test_a_url_is_valid_until_the_second_it_names(start: Start, style: str, seconds: int) -> None:
    caller = start(url_style=style, url_seconds=seconds)
    _, url = caller.ready()
    assert expires_at(url) == datetime.fromtimestamp(NOON + 600 + seconds, UTC)
    caller.sandbox.advance(seconds)
    assert caller.exact(url)[0] == 200
    caller.sandbox.advance(1)
    status, body = caller.exact(url)
    assert status == 403
    assert b"<Code>AccessDenied</Code><Message>Request has expired.</Message>" in body


def test_the_styles_look_like_those_in_the_field(start: Start) -> None:
    caller = start(url_style="both")
    oss, sigv4 = caller.ready()[1], caller.ready()[1]
    assert "?Expires=" in oss
    assert "&OSSAccessKeyId=" in oss
    assert "&Signature=" in oss
    assert all(f"&X-Amz-{name}=" in sigv4 for name in ("Date", "Expires", "Security-Token", "Signature"))
    assert 1400 < len(sigv4) < 1700
    assert "%2F" in oss.partition("?")[0]
    assert "%2F" in sigv4.partition("?")[0]


@pytest.mark.parametrize("style", STYLES)
def test_a_url_breaks_when_a_byte_of_it_changes(start: Start, style: str) -> None:
    caller = start(url_style=style)
    _, url = caller.ready()
    path, _, query = url.partition("?")
    broken = [
        path.replace("%2F", "/") + "?" + query,
        path.replace("%2F", "%252F") + "?" + query,
        path.replace("%2F", "%2f") + "?" + query,
        path + "?" + unquote(query),
        path + "?" + "&".join(sorted(query.split("&"), reverse=True)),
        url + "&more=1",
        url[:-1],
        path,
    ]
    assert caller.exact(url)[0] == 200
    for changed in broken:
        status, body = caller.exact(changed)
        assert status == 403, changed
        assert b"<Code>SignatureDoesNotMatch</Code>" in body
    assert caller.exact(url, "HEAD")[0] == 403
    assert caller.sandbox.ledger().fetched == 1


@pytest.mark.parametrize("fresh", [True, False])
def test_polling_again_gives_a_fresh_url_or_the_same(start: Start, fresh: bool) -> None:
    caller = start(fresh_urls=fresh, url_seconds=600)
    request_id, first = caller.ready()
    caller.sandbox.advance(601)
    second = caller.signed_url(request_id)
    assert (first != second) == fresh
    assert caller.download(second).status_code == (200 if fresh else 403)


@pytest.mark.parametrize("header", ["Authorization", "X-Key"])
def test_a_key_sent_to_the_storage_is_rejected_and_counted(start: Start, header: str) -> None:
    caller = start()
    _, url = caller.ready()
    answer = caller.download(url, **{header: caller.headers["Authorization"]})
    assert answer.status_code == 400
    assert b"<Error>" in answer.content
    ledger = caller.sandbox.ledger()
    assert (ledger.key_leaks, ledger.fetched, ledger.download_calls) == (1, 0, 1)


def test_a_signed_url_to_nothing_is_404(start: Start) -> None:
    caller = start()
    unborn, failed = caller.request_id(), caller.request_id(prompt="[fail: x]")
    for name in ("abcdefghijkl", unborn):
        target = signed_urls.sign("oss", name, NOON, 60)
        assert caller.exact(caller.sandbox.root + target)[0] == 404
    caller.sandbox.advance(600)
    assert caller.exact(caller.sandbox.root + signed_urls.sign("oss", failed, NOON + 600, 60))[0] == 404


def test_a_url_that_names_no_video_is_rejected() -> None:
    target = "/storage/x?Expires=1"
    assert not isinstance(signed_urls.verify(f"{target}&Signature={signed_urls.oss_signature(target)}", NOON), str)
    assert signed_urls.expiry("/storage/x") == 0.0


def test_a_download_says_what_it_is(start: Start) -> None:
    caller = start()
    request_id, url = caller.ready()
    answer = caller.download(url)
    assert answer.headers["Content-Type"] == "video/mp4"
    assert int(answer.headers["Content-Length"]) == len(answer.content)
    assert answer.headers["ETag"].startswith('"')
    ledger = caller.sandbox.ledger()
    assert (ledger.fetched, ledger.jobs[0]["downloads"]) == (1, 1)
    assert ledger.jobs[0]["sha256"] == hashlib.sha256(answer.content).hexdigest()
    assert request_id.encode() in answer.content


def test_no_two_videos_are_alike(start: Start) -> None:
    caller = start()
    first, second = caller.ready(seed=1), caller.ready(seed=1)
    assert caller.download(first[1]).content != caller.download(second[1]).content


def test_a_part_is_sent_if_ranges_are_honoured(start: Start) -> None:
    caller = start()
    _, url = caller.ready()
    whole = caller.download(url)
    size, tag = len(whole.content), whole.headers["ETag"]
    for asked, part in (
        ("bytes=100-", (100, size)),
        ("bytes=0-9", (0, 10)),
        (f"bytes=10-{size + 5}", (10, size)),
    ):
        answer = caller.download(url, Range=asked)
        assert (answer.status_code, answer.content) == (206, whole.content[slice(*part)])
        assert answer.headers["Content-Range"] == f"bytes {part[0]}-{part[1] - 1}/{size}"
    assert caller.download(url, **{"Range": "bytes=100-", "If-Range": tag}).status_code == 206
    for headers in ({"Range": "bytes=100-", "If-Range": '"x"'}, {"Range": "bytes=9-5"}, {"Range": "lines=1-"}):
        answer = caller.download(url, **headers)
        assert (answer.status_code, answer.content) == (200, whole.content)
    beyond = caller.download(url, Range=f"bytes={size}-")
    assert (beyond.status_code, beyond.headers["Content-Range"]) == (416, f"bytes */{size}")


def test_a_part_is_not_sent_if_ranges_are_ignored(start: Start) -> None:
    caller = start(ranges=False)
    _, url = caller.ready()
    answer = caller.download(url, Range="bytes=100-")
    assert answer.status_code == 200
    assert "Accept-Ranges" not in answer.headers
    assert len(answer.content) == int(answer.headers["Content-Length"])


@pytest.mark.parametrize("kind", ["cut", "reset"])
def test_a_body_ends_too_early_and_can_be_resumed(start: Start, kind: str) -> None:
    caller = start()
    _, url = caller.ready()
    whole = caller.download(url).content
    caller.sandbox.script(Fault("download", kind, at_byte=1000))
    answer = caller.session.get(url, stream=True, timeout=30)
    assert int(answer.headers["Content-Length"]) == len(whole)
    pieces: list[bytes] = []
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        pieces.extend(answer.iter_content(100))
    received = b"".join(pieces)
    assert received == whole[: len(received)]
    assert len(received) <= 1000
    assert caller.sandbox.ledger().fetched == 1
    rest = caller.download(url, Range=f"bytes={len(received)}-")
    assert received + rest.content == whole
    assert caller.sandbox.ledger().fetched == 2


def test_a_reset_before_the_first_byte(start: Start) -> None:
    caller = start()
    _, url = caller.ready()
    caller.sandbox.script(Fault("download", "reset"))
    with pytest.raises(requests.ConnectionError):
        caller.download(url)


@pytest.mark.parametrize(
    ("fault", "paused"),
    [
        (Fault("download", "stall", at_byte=100, seconds=7), 7),
        (Fault("download", "drip", rate=1000), 2),
        (Fault("download", "slow", seconds=7), 7),
        (Fault("download", "no_length"), 0),
    ],
)
def test_a_slow_body_is_whole_in_the_end(start: Start, fault: Fault, paused: float, pauses: list[float]) -> None:
    caller = start()
    _, url = caller.ready()
    whole = caller.download(url).content
    assert 2000 < len(whole) < 3000
    caller.sandbox.script(fault)
    answer = caller.download(url)
    assert answer.content == whole
    assert ("Content-Length" in answer.headers) == (fault.kind != "no_length")
    assert sum(pauses) == paused
    assert caller.sandbox.ledger().fetched == 2


@pytest.mark.parametrize(("kind", "status"), [("storage_down", 503), ("expired", 403), ("missing", 404)])
def test_the_storage_is_down_or_denies(start: Start, kind: str, status: int) -> None:
    caller = start()
    _, url = caller.ready()
    caller.sandbox.script(Fault("download", kind, match="video_0"))
    answer = caller.download(url)
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/xml")
    assert caller.download(url).status_code == 200


def test_a_body_that_is_no_video(start: Start) -> None:
    caller = start()
    _, url = caller.ready()
    caller.sandbox.script(Fault("download", "garbage", size=5000))
    answer = caller.download(url)
    assert (len(answer.content), b"ftyp" in answer.content) == (5000, False)
    assert caller.sandbox.ledger().fetched == 0


def test_a_file_that_changed_meanwhile(start: Start) -> None:
    caller = start()
    _, url = caller.ready()
    true = caller.download(url)
    caller.sandbox.script(Fault("download", "changed"))
    other = caller.download(url, **{"Range": "bytes=10-", "If-Range": true.headers["ETag"]})
    assert (other.status_code, other.headers["ETag"] != true.headers["ETag"]) == (200, True)
    assert other.content != true.content
    assert caller.sandbox.ledger().fetched == 1


def test_a_redirect_to_another_host_or_anywhere(start: Start) -> None:
    caller = start()
    _, url = caller.ready()
    caller.sandbox.script(Fault("download", "redirect", times=0))
    moved = caller.download(url)
    assert moved.status_code == 302
    assert moved.headers["Location"] == url.replace("127.0.0.1", "localhost")
    assert caller.download(moved.headers["Location"]).status_code == 200
    caller.sandbox.clear_faults()
    caller.sandbox.script(Fault("download", "redirect", url="http://10.0.0.1/private"))
    assert caller.download(url).headers["Location"] == "http://10.0.0.1/private"


@pytest.mark.parametrize("fault", ["garbage", "redirect"])
def test_a_fault_does_not_open_what_a_bad_url_closes(start: Start, fault: str) -> None:
    caller = start()
    _, url = caller.ready()
    caller.sandbox.script(Fault("download", fault))
    assert caller.download(url + "x").status_code == 403


def test_a_large_body_is_streamed_and_its_digest_is_known(start: Start) -> None:
    size = 3 * 1024 * 1024 + 17
    caller = start(body_bytes=size)
    _, url = caller.ready()
    whole = caller.download(url).content
    assert len(whole) == size
    assert whole[4:8] == b"ftyp"
    assert caller.sandbox.ledger().jobs[0]["sha256"] == hashlib.sha256(whole).hexdigest()
    for begin in (0, 1000, 700_000, size - 5):
        assert caller.download(url, Range=f"bytes={begin}-").content == whole[begin:]


def test_a_caller_who_leaves_has_not_fetched(start: Start) -> None:
    caller = start(body_bytes=64 * 1024 * 1024)
    _, url = caller.ready()
    with caller.session.get(url, stream=True, timeout=30) as answer:
        assert answer.raw.read(1000)
    other = Caller(caller.sandbox)
    assert other.download(url, Range="bytes=67108000-").status_code == 206
    assert caller.sandbox.ledger().fetched == 1
    other.close()
