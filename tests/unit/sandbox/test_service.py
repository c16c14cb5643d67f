"""Submits and polls: how a video is accepted, waits, gets ready, fails and expires."""

from __future__ import annotations

import pytest

from tests.unit.sandbox.caller import NOON, Caller
from tests.unit.sandbox.conftest import Start


def test_a_video_from_its_queue_to_its_url(start: Start) -> None:
    caller = start()
    request_id = caller.request_id(seed=7)
    assert len(request_id) == 12
    assert request_id.isalnum()
    assert request_id == request_id.lower()
    job = caller.sandbox.ledger().jobs[0]
    assert job["accepted_at"] == NOON
    waiting = caller.status(request_id).json()
    assert (waiting["status"], waiting["position"]) == ("InQueue", 1)
    caller.sandbox.advance(job["started_at"] - NOON + 0.001)
    assert caller.status(request_id).json()["status"] == "InProgress"
    assert "position" not in caller.status(request_id).json()
    caller.sandbox.advance(job["ready_at"] - job["started_at"])
    said = caller.status(request_id).json()
    assert said["status"] == "Succeed"
    assert said["results"]["seed"] == 7
    assert said["results"]["timings"]["inference"] == pytest.approx(job["ready_at"] - job["started_at"], abs=0.01)
    assert len(said["results"]["videos"]) == 1


def test_the_queue_position_goes_down(start: Start) -> None:
    caller = start(slots=1)
    ids = [caller.request_id() for _ in range(3)]
    assert [caller.status(one).json()["position"] for one in ids] == [1, 2, 3]
    caller.sandbox.advance(48.1)
    assert [caller.status(one).json().get("position") for one in ids] == [None, 1, 2]


def test_the_queue_position_is_a_switch(start: Start) -> None:
    caller = start(position=False)
    assert "position" not in caller.status(caller.request_id()).json()


@pytest.mark.parametrize("pending", ["empty", "null", "missing"])
def test_results_before_a_video_is_ready_are_a_switch(start: Start, pending: str) -> None:
    caller = start(pending_results=pending)
    said = caller.status(caller.request_id()).json()
    expected = {"videos": [], "timings": {"inference": 0}, "seed": 0} if pending == "empty" else None
    assert ("results" in said, said.get("results")) == (pending != "missing", expected)


def test_a_marked_prompt_fails_with_its_reason(start: Start) -> None:
    caller = start()
    request_id = caller.request_id(prompt="a cat [fail: 内容不合规 (policy)]")
    caller.sandbox.advance(600)
    said = caller.status(request_id).json()
    assert (said["status"], said["reason"]) == ("Failed", "内容不合规 (policy)")


def test_videos_fail_by_chance(start: Start) -> None:
    caller = start(fail_chance=0.5, fail_reason="no luck", seed=3)
    ids = [caller.request_id() for _ in range(20)]
    caller.sandbox.advance(600)
    failed = [said for one in ids if (said := caller.status(one).json())["status"] == "Failed"]
    assert 0 < len(failed) < 20
    assert {said["reason"] for said in failed} == {"no luck"}


LOST = {"404": 404, "400": 400, "500": 500, "failed": 200, "no-video": 200}


@pytest.mark.parametrize("how", LOST)
def test_an_unknown_id_is_a_switch(start: Start, how: str) -> None:
    answer = start(unknown_id=how).status("abcdefghijkl")
    assert answer.status_code == LOST[how]
    assert answer.json().get("status") == {"failed": "Failed", "no-video": "Succeed"}.get(how)


@pytest.mark.parametrize("how", LOST)
def test_an_expired_id_is_a_switch(start: Start, how: str) -> None:
    caller = start(expired_id=how, keep_seconds=1000, url_seconds=10_000)
    request_id, url = caller.ready()
    assert caller.download(url).status_code == 200
    caller.sandbox.advance(1001)
    assert caller.status(request_id).status_code == LOST[how]
    assert caller.download(url).status_code == 404


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"requestId": []}'])
def test_a_status_call_without_an_id_is_rejected(shared: Caller, body: bytes) -> None:
    answer = shared.session.post(f"{shared.base_url}/video/status", data=body, headers=shared.headers, timeout=30)
    assert (answer.status_code, answer.json()["code"]) == (400, 20015)
