"""The bytes of a video: its own, of any size, with a digest that is known."""

from __future__ import annotations

import hashlib

from tests.unit.sandbox.conftest import Start


def test_no_two_videos_are_alike(start: Start) -> None:
    caller = start()
    first, second = caller.ready(seed=1), caller.ready(seed=1)
    assert caller.download(first[1]).content != caller.download(second[1]).content


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
