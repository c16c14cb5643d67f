"""How bytes are sent: whole, in part, cut short, slowly."""

from __future__ import annotations

import pytest
import requests

from airflow_provider_siliconflow.sandbox.faults import Fault
from tests.unit.sandbox.caller import Caller
from tests.unit.sandbox.conftest import Start


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


def test_a_caller_who_leaves_has_not_fetched(start: Start) -> None:
    caller = start(body_bytes=64 * 1024 * 1024)
    _, url = caller.ready()
    with caller.session.get(url, stream=True, timeout=30) as answer:
        assert answer.raw.read(1000)
    other = Caller(caller.sandbox)
    assert other.download(url, Range="bytes=67108000-").status_code == 206
    assert caller.sandbox.ledger().fetched == 1
    other.close()
