"""Every error shape of the API over a real socket, for both hooks: class, code, words, number of POSTs, and no key."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from airflow_provider_siliconflow import exceptions as e
from airflow_provider_siliconflow.billing import Billing
from airflow_provider_siliconflow.exceptions import SiliconFlowAPIError, SiliconFlowError, SubmitOutcomeUnknownError
from tests.unit.hooks.fixtures import ATTEMPTS, CALLS, CONNECTION, Caller, call_sync, submit
from tests.unit.hooks.scripted_server import KEY, Request, ScriptedServer, reply

UNKNOWN = SubmitOutcomeUnknownError
NAMELESS = {"message": "Request was rejected due to rate limiting. Details:RPM limit reached.", "data": None}


def coded(code: int, message: str) -> dict[str, object]:
    return {"code": code, "message": message, "data": {"hint": 1}}


@dataclass(frozen=True)
class Shape:
    """
    Hold an answer and what it means.

    :param says: The message expected, to the letter; None for the answer's own.
    :param submit: Class raised by a submit; UNKNOWN has the error of class ``kind`` as its cause.
    :param submits: POSTs of a submit.
    :param poll: Class raised by a poll.
    :param polls: POSTs of a poll.
    """

    status: int
    body: object
    submit: type[SiliconFlowError]
    submits: int
    poll: type[SiliconFlowAPIError]
    polls: int
    says: str
    code: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


def permanent(
    status: int,
    body: object,
    submit: type[SiliconFlowAPIError],
    says: str,
    code: int | None = None,
    poll: type[SiliconFlowAPIError] | None = None,
) -> Shape:
    return Shape(status, body, submit, 1, poll or submit, 1, says, code)


def unknown(
    status: int, body: object, says: str, code: int | None = None, poll: type[SiliconFlowAPIError] | None = None
) -> Shape:
    return Shape(status, body, UNKNOWN, 1, poll or e.SiliconFlowServerError, ATTEMPTS, says, code)


def rejected_temporarily(
    status: int, body: object, kind: type[SiliconFlowAPIError], says: str, code: int | None = None
) -> Shape:
    return Shape(status, body, kind, ATTEMPTS, kind, ATTEMPTS, says, code)


NO_MODEL = "Model does not exist. Please check it carefully."
POOR = "Sorry, your account balance is insufficient"
BUSY = "System is too busy now. Please try again later."
HTML = b"<html><head><title>502 Bad Gateway</title></head></html>"
SHAPES = {
    "400 20012": permanent(
        400, coded(20012, NO_MODEL), e.SiliconFlowBadRequestError, NO_MODEL, 20012, e.SiliconFlowNotFoundError
    ),
    "400 20015": permanent(
        400, coded(20015, "内容 不对"), e.SiliconFlowBadRequestError, "内容 不对", 20015, e.SiliconFlowNotFoundError
    ),
    "401 bare": permanent(401, "Invalid token", e.SiliconFlowAuthenticationError, "Invalid token"),
    "401 object": permanent(
        401, {"message": "Api key is invalid"}, e.SiliconFlowAuthenticationError, "Api key is invalid"
    ),
    "402 30001": permanent(402, coded(30001, POOR), e.SiliconFlowBalanceError, POOR, 30001),
    "403 30001": permanent(403, coded(30001, POOR), e.SiliconFlowBalanceError, POOR, 30001),
    "403 30011": permanent(403, coded(30011, "paid only"), e.SiliconFlowBalanceError, "paid only", 30011),
    "403 bare": permanent(403, "Forbidden", e.SiliconFlowPermissionError, "Forbidden"),
    "403 empty": permanent(403, b"", e.SiliconFlowPermissionError, ""),
    "404 bare": permanent(404, "404 page not found", e.SiliconFlowNotFoundError, "404 page not found"),
    "410": permanent(410, coded(20099, "gone"), e.SiliconFlowBadRequestError, "gone", 20099),
    "413 20043": permanent(413, coded(20043, "too large"), e.SiliconFlowBadRequestError, "too large", 20043),
    "451": permanent(451, {"message": "no"}, e.SiliconFlowBadRequestError, "no"),
    "301": permanent(301, b"moved", e.SiliconFlowNotFoundError, "moved"),
    "302": Shape(302, b"moved", UNKNOWN, 1, e.SiliconFlowNotFoundError, 1, "moved"),
    "303": Shape(303, b"moved", UNKNOWN, 1, e.SiliconFlowNotFoundError, 1, "moved"),
    "429 no code": rejected_temporarily(429, NAMELESS, e.SiliconFlowRateLimitError, str(NAMELESS["message"])),
    "429 20015": rejected_temporarily(429, coded(20015, "slow"), e.SiliconFlowRateLimitError, "slow", 20015),
    "429 html": rejected_temporarily(429, HTML, e.SiliconFlowRateLimitError, HTML.decode()),
    "429 50604": rejected_temporarily(429, coded(50604, "IPM"), e.SiliconFlowRateLimitError, "IPM", 50604),
    "429 60000": Shape(429, coded(60000, "?"), UNKNOWN, 1, e.SiliconFlowRateLimitError, ATTEMPTS, "?", 60000),
    "503 50505": rejected_temporarily(
        503, coded(50505, "overloaded"), e.SiliconFlowOverloadedError, "overloaded", 50505
    ),
    "503 50508": rejected_temporarily(503, coded(50508, BUSY), e.SiliconFlowOverloadedError, BUSY, 50508),
    "503 html": unknown(503, HTML, HTML.decode(), poll=e.SiliconFlowOverloadedError),
    "503 20015": unknown(503, coded(20015, "x"), "x", 20015, e.SiliconFlowOverloadedError),
    "504 bare": unknown(504, "upstream request timeout", "upstream request timeout"),
    "502 html": unknown(502, HTML, HTML.decode()),
    "500 60000": unknown(500, coded(60000, "Unknown error"), "Unknown error", 60000),
    "500 plain": unknown(500, b"Internal Server Error", "Internal Server Error"),
    "500 empty": unknown(500, b"", ""),
    "200 empty": unknown(200, b"", ""),
    "200 html": unknown(200, HTML, HTML.decode()),
    "200 list": unknown(200, [], "[]"),
    "200 no id": unknown(200, {"name": "gs6fhi8yrhxt"}, '{"name": "gs6fhi8yrhxt"}'),
    "200 60000": unknown(200, coded(60000, "Unknown error"), "Unknown error", 60000),
}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@CALLS
def test_each_error_shape(
    route: str,
    ask: Caller,
    shape: Shape,
    connected: ScriptedServer,
    sleeps: list[float],
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    connected.script = [reply(shape.status, shape.body, {"X-SiliconCloud-Trace-Id": "ti_1"})]
    with pytest.raises(SiliconFlowError) as caught:
        ask()
    kind, posts = (shape.submit, shape.submits) if route == "submit" else (shape.poll, shape.polls)
    assert type(caught.value) is kind
    assert (connected.posts(f"/video/{route}"), len(connected.requests), len(sleeps)) == (posts, posts, posts - 1)
    error = caught.value.__cause__ if kind is UNKNOWN else caught.value
    assert isinstance(error, SiliconFlowAPIError)
    assert (error.message, error.code, error.status_code) == (shape.says, shape.code, shape.status)
    assert (error.host, error.trace_id) == (connected.url, "ti_1")
    for fact in (connected.url, "ti_1", shape.says):
        assert fact in str(caught.value)
    if route == "submit":
        assert caught.value.billing is (Billing.UNKNOWN if kind is UNKNOWN else Billing.REJECTED)
    no_key_in(caught.value, caplog.text, *capfd.readouterr())


def no_key_in(error: BaseException | None, *texts: str) -> None:
    assert KEY not in "".join(texts)
    while error is not None:
        # The whole chain of causes, and all that its errors carry.
        assert KEY not in f"{error} {error!r} {error.args} {vars(error)}"
        error = error.__cause__ or error.__context__


def _in_header(request: Request) -> bytes:
    return reply(500, b"", {"x-siliconcloud-trace-id": request.headers["authorization"]})


UNKIND = {
    "message": lambda request: reply(401, {"message": f"bad key {request.headers['authorization']}"}),
    "bare": lambda request: reply(401, request.headers["authorization"]),
    "html": lambda request: reply(502, f"<pre>{request.headers}</pre>".encode()),
    "data": lambda request: reply(400, {"code": 20015, "message": "", "data": dict(request.headers)}),
    "header": _in_header,
    "malformed": lambda request: reply(200, {"echo": request.headers["authorization"]}),
    "status line": lambda request: f"{request.headers['authorization']}\r\n\r\n".encode(),
    "reason": lambda request: f"HTTP/1.1 403 {request.headers['authorization']}\r\n\r\n".encode(),
    "chunk": lambda request: f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{KEY}\r\n".encode(),
    "redirect": lambda request: reply(307, b"", {"Location": f"http://127.0.0.1:1/?{KEY}"}),
    "bad redirect": lambda request: reply(307, b"", {"Location": f"http://[{KEY}"}),
}


@pytest.mark.parametrize("step", UNKIND.values(), ids=UNKIND)
@CALLS
def test_a_service_that_repeats_the_key_does_not_make_us_show_it(
    route: str,
    ask: Caller,
    step: object,
    connected: ScriptedServer,
    sleeps: list[float],
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    connected.script = [step]  # type: ignore[list-item]
    with pytest.raises(SiliconFlowError) as caught:
        ask()
    no_key_in(caught.value, caplog.text, *capfd.readouterr())
    assert connected.requests[0].headers["authorization"] == f"Bearer {KEY}"
    worked, said = call_sync("test_connection")
    assert not worked
    assert KEY not in said


@pytest.mark.parametrize("key", ["k", "e", "1"])
def test_a_made_up_short_key_is_not_blotted_out_of_a_paid_id(key: str, server: ScriptedServer) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(CONNECTION, json.dumps({"conn_type": "siliconflow", "host": server.url, "password": key}))
        server.script = [reply(200, {"requestId": "k1e2"})]
        assert submit().request_id == "k1e2"
