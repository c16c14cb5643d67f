"""The API's routes: who may call, what is rejected, how a video lives."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from tests.unit.sandbox.caller import I2V, NOON, PNG, T2V, Caller
from tests.unit.sandbox.conftest import Start


@pytest.mark.parametrize(
    ("authorization", "message"),
    [
        (None, "Invalid token"),
        ("", "Invalid token"),
        ("Bearer unknown", "Invalid token"),
        ("Basic sk-" + "a" * 48, "Invalid token"),
        ("Bearer sk-" + "a" * 48, {"message": "Api key is invalid", "data": None}),
    ],
)
@pytest.mark.parametrize("route", ["/video/submit", "/video/status"])
def test_a_wrong_key_is_rejected(shared: Caller, route: str, authorization: str | None, message: Any) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}
    answer = shared.session.post(shared.base_url + route, json={}, headers=headers, timeout=30)
    assert (answer.status_code, answer.json()) == (401, message)


def test_each_site_knows_its_own_keys_only(shared: Caller) -> None:
    sandbox = shared.sandbox
    cn_key_on_com = Caller(sandbox, base_url=sandbox.base_url_com)
    com_key_on_cn = Caller(sandbox, key=sandbox.key_com)
    for stranger in (cn_key_on_com, com_key_on_cn):
        answer = stranger.submit()
        assert (answer.status_code, answer.json()["message"]) == (401, "Api key is invalid")
        stranger.close()
    for key, base_url in ((sandbox.key_other, sandbox.base_url), (sandbox.key_com, sandbox.base_url_com)):
        friend = Caller(sandbox, key, base_url)
        assert friend.submit().status_code == 200
        friend.close()


def test_an_account_does_not_know_the_ids_of_another(shared: Caller) -> None:
    other = Caller(shared.sandbox, shared.sandbox.key_other)
    request_id = shared.request_id()
    assert other.status(request_id).status_code == 404
    assert shared.status(request_id).status_code == 200
    other.close()


def test_a_key_can_be_changed_while_it_runs(start: Start) -> None:
    caller = start()
    caller.sandbox.change_key("cn", "sk-" + "n" * 48)
    assert caller.submit().status_code == 401
    changed = Caller(caller.sandbox, "sk-" + "n" * 48)
    assert changed.submit().status_code == 200
    changed.close()


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"model": "Lightricks/LTX-Video"}, 400, 20012),
        ({"model": ...}, 400, 20012),
        ({"model": ["a"]}, 400, 20012),
        ({"prompt": ...}, 400, 20015),
        ({"prompt": "  "}, 400, 20015),
        ({"prompt": 7}, 400, 20015),
        ({"image_size": "1920x1080"}, 400, 20015),
        ({"image_size": ...}, 400, 20015),
        ({"seed": "7"}, 400, 20015),
        ({"seed": True}, 400, 20015),
        ({"model": I2V}, 400, 20015),
        ({"model": I2V, "image": 7}, 400, 20015),
        ({"model": I2V, "image": "cat.png"}, 400, 20015),
        ({"model": I2V, "image": "data:image/png;base64,***"}, 400, 20015),
        ({"model": I2V, "image": "data:text/plain;base64,aGVsbG8="}, 400, 20015),
        ({"model": I2V, "image": "data:image/png;base64,aGVsbG8="}, 400, 20015),
    ],
)
def test_a_bad_submit_is_rejected_unbilled(shared: Caller, fields: dict[str, Any], status: int, code: int) -> None:
    before = shared.sandbox.ledger()
    answer = shared.submit(**fields)
    after = shared.sandbox.ledger()
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.json().keys() == {"code", "message", "data"}
    assert (after.accepted, after.billed) == (before.accepted, before.billed)
    assert (after.submit_calls, after.rejected) == (before.submit_calls + 1, before.rejected + 1)
    assert after.rejections["400"] == before.rejections.get("400", 0) + 1


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"7"])
def test_a_submit_that_is_no_json_object_is_rejected(shared: Caller, body: bytes) -> None:
    answer = shared.session.post(f"{shared.base_url}/video/submit", data=body, headers=shared.headers, timeout=30)
    assert (answer.status_code, answer.json()["code"]) == (400, 20015)


@pytest.mark.parametrize("image", [PNG, "https://example.test/image", "http://example.test/image?x=1"])
def test_an_image_comes_as_url_or_as_data_uri(shared: Caller, image: str) -> None:
    assert shared.submit(model=I2V, image=image).status_code == 200


def test_a_large_image_gets_413_only_above_the_limit(start: Start) -> None:
    caller = start()
    five = 5 * 1024 * 1024
    fits = "data:image/png;base64," + base64.b64encode(b"\x89PNG".ljust(five, b".")).decode()
    large = "data:image/png;base64," + base64.b64encode(b"\x89PNG".ljust(five + 1, b".")).decode()
    assert caller.submit(model=I2V, image=fits).status_code == 200
    rejected = caller.submit(model=I2V, image=large)
    assert (rejected.status_code, rejected.json()["code"]) == (413, 20043)
    assert start(max_image_bytes=0).submit(model=I2V, image=large).status_code == 200


@pytest.mark.parametrize(("how", "status"), [("accept", 200), ("ignore", 200), ("reject", 400)])
def test_text_to_video_with_an_image_is_a_switch(start: Start, how: str, status: int) -> None:
    assert start(t2v_image=how).submit(image=PNG).status_code == status


def test_models_on_offer_are_a_switch(start: Start) -> None:
    caller = start(models=("Wan-AI/Wan2.1-T2V-14B",))
    assert caller.submit().json()["code"] == 20012
    assert caller.submit(model="Wan-AI/Wan2.1-T2V-14B").status_code == 200


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("?type=video", [I2V, T2V]),
        ("", [I2V, T2V]),
        ("?type=text", []),
        ("?type=video&sub_type=text-to-video", [T2V]),
        ("?type=video&sub_type=image-to-video", []),
    ],
)
def test_models_are_listed(shared: Caller, query: str, names: list[str]) -> None:
    said = shared.get("/models" + query).json()
    assert said["object"] == "list"
    assert [model["id"] for model in said["data"]] == names
    assert all(model.keys() == {"id", "object", "created", "owned_by"} for model in said["data"])


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/v1/video/status"), ("GET", "/v1/video/submit"), ("GET", "/"), ("POST", "/v2/video/submit")],
)
def test_anything_else_is_404(shared: Caller, method: str, path: str) -> None:
    answer = shared.session.request(method, shared.sandbox.root + path, headers=shared.headers, timeout=30)
    assert (answer.status_code, answer.json()) == (404, "404 page not found")


@pytest.mark.parametrize(
    ("trace", "traced"),
    [("everywhere", (True, True)), ("submit", (True, False)), ("never", (False, False))],
)
def test_the_trace_id_is_a_switch(start: Start, trace: str, traced: tuple[bool, bool]) -> None:
    caller = start(trace=trace)
    submitted = caller.submit()
    polled = caller.status(submitted.json()["requestId"])
    assert ("x-siliconcloud-trace-id" in submitted.headers, "x-siliconcloud-trace-id" in polled.headers) == traced


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
