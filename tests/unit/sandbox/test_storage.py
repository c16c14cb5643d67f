"""The storage behind the URLs: what it says of a video, and its faults."""

from __future__ import annotations

import hashlib

import pytest

from airflow_provider_siliconflow.sandbox import signed_urls
from airflow_provider_siliconflow.sandbox.faults import Fault
from tests.unit.sandbox.caller import NOON
from tests.unit.sandbox.conftest import Start


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
