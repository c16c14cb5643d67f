"""What the hooks send, when they send it again, and what they make of good answers."""

from __future__ import annotations

from decimal import Decimal

import pytest

from airflow_provider_siliconflow.client.models import VideoRequest, VideoState
from airflow_provider_siliconflow.exceptions import (
    InvalidArgumentError,
    InvalidVideoRequestError,
    SiliconFlowAuthenticationError,
    SiliconFlowNotFoundError,
)
from airflow_provider_siliconflow.hooks.siliconflow import SiliconFlowHook
from tests.unit.hooks.fixtures import (
    VIDEO,
    Caller,
    Connect,
    submit,
)
from tests.unit.hooks.scripted_server import KEY, ScriptedServer, Step, reply

ID = "gs6fhi8yrhxt"
LIMITED = {"message": "Request was rejected due to rate limiting.", "data": None}


def test_a_submit_is_one_post_with_the_key_and_the_fields(connected: ScriptedServer) -> None:
    connected.script = [reply(200, {"requestId": ID}, {"X-Siliconcloud-Trace-Id": "ti_1"})]
    submitted = submit(VIDEO)
    assert (submitted.request_id, submitted.trace_id, submitted.host) == (ID, "ti_1", connected.url)
    (request,) = connected.requests
    assert (request.method, request.target) == ("POST", "/v1/video/submit")
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.headers["content-type"] == "application/json"
    assert request.json() == {"model": VIDEO.model, "prompt": "a cat", "image_size": "1280x720"}


def test_a_poll_is_a_post_with_the_id_alone(call: Caller, connected: ScriptedServer) -> None:
    url = "https://s3/a%2Fb.mp4?Expires=1&Signature=x%2Fy"
    connected.script = [reply(200, {"status": "Succeed", "results": {"videos": [{"url": url}]}})]
    status = call("get_video_status", ID)
    assert (status.status, status.url, status.request_id) == (VideoState.SUCCEED, url, ID)
    (request,) = connected.requests
    assert (request.method, request.target, request.json()) == ("POST", "/v1/video/status", {"requestId": ID})


def test_prompts_of_any_script_arrive(connected: ScriptedServer) -> None:
    connected.script = [reply(200, {"requestId": ID})]
    for prompt in ("猫在跳舞 💃", 'quote " and \\ and \n', "lone \ud800", "x" * 100_000):
        submit(VideoRequest(VIDEO.model, prompt, "960x960"))
        assert connected.requests[-1].json()["prompt"] == prompt


def test_what_is_wrong_with_a_request_is_said_before_anything_is_sent(connected: ScriptedServer) -> None:
    with pytest.raises(InvalidVideoRequestError) as caught:
        submit(VideoRequest("Wan-AI/Wan2.2-I2V-A14B", "", "big"))
    for fact in ("prompt is empty", "image_size 'big'", "image is missing", "Nothing was submitted"):
        assert fact in str(caught.value)
    assert connected.requests == []


@pytest.mark.parametrize("request_id", ["", None, 5, ["a"]])
def test_without_an_id_nothing_is_asked(call: Caller, connected: ScriptedServer, request_id: object) -> None:
    with pytest.raises(InvalidArgumentError, match="there is no video to poll") as caught:
        call("get_video_status", request_id)
    assert "billed" not in str(caught.value)
    assert connected.requests == []


def test_an_unknown_model_is_warned_of_and_sent(connected: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    hook = SiliconFlowHook()
    monkeypatch.setattr(hook.log, "warning", lambda text, *args: said.append(text % args))
    connected.script = [reply(200, {"requestId": ID})]
    hook.submit_video(VideoRequest("Wan-AI/Wan9", "a cat", "960x960"))
    (warning,) = said
    assert "'Wan-AI/Wan9' is not among those known" in warning
    assert len(connected.requests) == 1


def test_a_poll_returns_how_it_failed(connected: ScriptedServer) -> None:
    connected.script = [reply(200, {"status": "InQueue"}), reply(401, "Invalid token")]
    hook = SiliconFlowHook()
    assert getattr(hook.poll(ID), "status", None) is VideoState.IN_QUEUE
    assert isinstance(hook.poll(ID), SiliconFlowAuthenticationError)


def test_models(connected: ScriptedServer) -> None:
    connected.script = [reply(200, {"object": "list", "data": [{"id": "a"}, {"id": "b"}]})]
    assert SiliconFlowHook().list_models() == ["a", "b"]
    assert SiliconFlowHook().list_models("te xt&a=b") == ["a", "b"]
    assert [(request.method, request.target) for request in connected.requests] == [
        ("GET", "/v1/models?type=video"),
        ("GET", "/v1/models?type=te%20xt%26a%3Db"),
    ]


def test_a_balance_and_a_site_that_tells_none(connected: ScriptedServer, sleeps: list[float]) -> None:
    connected.script = [
        reply(200, {"code": 20000, "data": {"balance": "0.88", "totalBalance": "88.88"}}),
        reply(410, {"message": "gone"}),
        reply(404, "404 page not found"),
    ]
    hook = SiliconFlowHook()
    assert hook.get_balance() == Decimal("88.88")
    assert hook.get_balance() is None
    with pytest.raises(SiliconFlowNotFoundError):
        hook.get_balance()
    assert [request.target for request in connected.requests] == ["/v1/user/info"] * 3


@pytest.mark.parametrize("body", [b"", "gone", {"code": 20099, "message": "gone", "data": None}, {"code": 30001}])
def test_a_410_of_any_shape_means_no_balance_told(connected: ScriptedServer, body: object) -> None:
    connected.script = [reply(410, body)]
    assert SiliconFlowHook().get_balance() is None


def test_a_connection_test_that_works(connected: ScriptedServer) -> None:
    connected.script = [reply(200, {"data": [{"id": "a"}]})]
    assert SiliconFlowHook().test_connection() == (True, f"{connected.url} accepts the key and offers 1 video models.")


@pytest.mark.parametrize(
    ("step", "said"),
    [
        (reply(401, {"message": "Api key is invalid"}), "are not interchangeable"),
        (reply(503, {"code": 50505, "message": "overloaded"}), "overloaded"),
        (reply(200, b"<html>"), "<html>"),
        (Step.RESET, "No answer from"),
    ],
)
def test_a_connection_test_that_fails_says_why_after_one_call(
    connected: ScriptedServer, sleeps: list[float], step: bytes | str, said: str
) -> None:
    connected.script = [step]
    worked, message = SiliconFlowHook().test_connection()
    assert not worked
    assert said in message
    assert KEY not in message
    assert (len(connected.requests), sleeps) == (1, [])


def test_a_connection_test_never_raises(monkeypatch: pytest.MonkeyPatch, connect: Connect) -> None:
    connect("https://api.siliconflow.cn/v1", password=None)
    worked, message = SiliconFlowHook().test_connection()
    assert (worked, "has no API key" in message) == (False, True)
    worked, message = SiliconFlowHook("no_such_connection").test_connection()
    assert not worked
    assert "no_such_connection" in message

    def fail(*args: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(SiliconFlowHook, "get_connection", fail)
    assert SiliconFlowHook().test_connection() == (False, "RuntimeError")
