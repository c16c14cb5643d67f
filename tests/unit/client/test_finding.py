"""What was paid for is found wherever a response holds it: the request id of a submit, the video of a poll."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from airflow_provider_siliconflow.client.models import VideoState
from airflow_provider_siliconflow.client.parsing import read_status, read_submit
from airflow_provider_siliconflow.client.response import Response
from airflow_provider_siliconflow.exceptions import SiliconFlowAPIError, SiliconFlowConnectionError, SiliconFlowError
from tests.unit.hooks.scripted_server import KEY

HOST = "https://api.siliconflow.com/v1"
ID = "gs6fhi8yrhxt"
URL = "https://s3.siliconflow.cn/a%2Fclip.mp4?X-Amz-Date=20260801T120000Z&X-Amz-Signature=abc"


def response(status: int, body: object, cut: str = "") -> Response:
    return Response(status, {}, body if isinstance(body, bytes) else json.dumps(body).encode(), HOST, (KEY,), cut)


#: Where an id may stand in a success.
ODD_BODIES: dict[str, Any] = {
    "data": {"data": {"requestId": ID}},
    "code and data": {"code": 20000, "message": "Ok", "data": {"requestId": ID}},
    "snake": {"request_id": ID},
    "snake in data": {"data": {"request_id": ID}},
    "other casing": {"requestid": ID},
    "pascal": {"RequestId": ID},
    "a list": [{"requestId": ID}],
    "result": {"result": {"requestId": ID}},
    "deep": {"a": {"b": {"c": {"requestId": ID}}}},
    "id": {"id": ID},
    "id in data": {"data": {"id": ID}},
    "JSON in JSON": json.dumps({"requestId": ID}),
    "with a status": {"status": "InQueue", "data": {"requestId": ID}},
    "after null": {"requestId": None, "data": {"requestId": ID}},
    "after an empty one": {"requestId": "", "data": {"requestId": ID}},
    "number": {"data": {"requestId": 123456}},
    "broken JSON": b'{"requestId": "gs6fhi8yrhxt", "x": ',
    "broken bytes": b'{"requestId": "gs6fhi8yrhxt", "x": "\xff"}',
    "two answers": b'{"requestId": "gs6fhi8yrhxt"}{"requestId": "gs6fhi8yrhxt"}',
    "escapes": b'{"requestId": "gs6fhi8y\\u0072hxt", "x',
    "a page": b'<pre>{"requestId": "gs6fhi8yrhxt"}</pre>',
}


@pytest.mark.parametrize("body", ODD_BODIES.values(), ids=ODD_BODIES)
@pytest.mark.parametrize("status", [200, 201, 202])
def test_an_id_is_found_where_gateways_put_it(status: int, body: Any) -> None:
    submitted = read_submit(response(status, body))
    assert submitted.request_id in (ID, "123456")
    assert f"HTTP {status}" in submitted.oddity


def test_an_id_where_it_is_documented_is_nothing_odd() -> None:
    assert read_submit(response(200, {"requestId": ID, "data": {"requestId": "other"}})).request_id == ID
    assert read_submit(response(200, {"requestId": ID})).oddity == ""


@pytest.mark.parametrize("status", [100, 300, 302, 303, 304, 408, 425, 499, 500, 502, 503, 504, 599, 0, 999])
@pytest.mark.parametrize(
    "body",
    [
        {"requestId": ID},
        {"code": 60000, "message": "Unknown error", "data": {"requestId": ID}},
        {"code": 50505, "message": "overloaded", "data": {"id": ID}},
        {"error": {"request_id": ID}},
        b'<html>502 {"requestId": "gs6fhi8yrhxt"',
    ],
)
def test_an_id_in_a_response_that_leaves_the_outcome_open_is_taken(status: int, body: Any) -> None:
    submitted = read_submit(response(status, body))
    assert submitted.request_id == ID
    assert f"HTTP {status}" in submitted.oddity


@pytest.mark.parametrize("status", [301, 307, 308, 400, 401, 402, 403, 404, 413, 429, 451])
def test_a_rejection_stays_one_and_shows_the_id(status: int) -> None:
    with pytest.raises(SiliconFlowAPIError, match=f"it names the request id {ID}") as caught:
        read_submit(response(status, {"code": 20015, "message": "m", "data": {"requestId": ID}}))
    assert caught.value.status_code == status


@pytest.mark.parametrize("cut", ["IncompleteRead", "the body is 5 bytes short", "TimeoutError: no whole answer"])
@pytest.mark.parametrize("status", [200, 502])
def test_an_id_in_a_body_that_is_not_whole_is_taken(status: int, cut: str) -> None:
    for body in (
        b'{"requestId": "gs6fhi8yrhxt"}',
        b'{"requestId": "gs6fhi8yrhxt"',
        b'{"data":{"requestId":"gs6fhi8yrhxt",',
    ):
        submitted = read_submit(response(status, body, cut))
        assert submitted.request_id == ID
        assert cut in submitted.oddity


def test_half_an_id_is_none() -> None:
    whole = b'{"requestId": "gs6fhi8yrhxt", "x": 1}'
    for end in range(whole.index(b'",')):
        with pytest.raises(SiliconFlowConnectionError, match="cut short"):
            read_submit(response(200, whole[:end], "the body is short"))
    number = b'{"requestId": 1234567890}'
    for end in range(len(number) - 1):
        with pytest.raises(SiliconFlowError):
            read_submit(response(200, number[:end], "the body is short"))


def test_a_rejection_whose_body_is_not_whole_proves_nothing() -> None:
    # What is missing may be the code 60000.
    with pytest.raises(SiliconFlowConnectionError) as caught:
        read_submit(response(429, b'{"message": "', "the body is short"))
    assert caught.value.sent


@pytest.mark.parametrize(
    "body",
    [
        {"code": 50505, "id": ID},
        {"RequestId": "7E5A-11", "Code": "ServiceUnavailable"},
        {"data": {"requestId": "see the log"}},
        {"data": {"requestId": {"a": 1}}},
        {"requestId": True},
        {"trace_id": "ti_1"},
        b"<RequestId>5F3</RequestId>",
        {"message": 'the field "requestId" is missing'},
    ],
)
def test_what_is_no_id_of_a_video_is_not_taken_from_a_failure(body: Any) -> None:
    with pytest.raises(SiliconFlowError):
        read_submit(response(500, body))


@pytest.mark.parametrize("value", [KEY, f"Bearer {KEY}", f"x{KEY}", "https://h/a?Signature=abc"])
def test_a_secret_is_no_id(value: str) -> None:
    for body in ({"requestId": value}, {"data": {"requestId": value}}, json.dumps({"requestId": value})[:-1].encode()):
        with pytest.raises(SiliconFlowError) as caught:
            read_submit(response(200, body))
        assert KEY not in str(caught.value)
        assert "Signature=abc" not in str(caught.value)


#: Forms in which clients in the field met a finished video.
VIDEOS: dict[str, Any] = {
    "casing": {"status": "succeed", "results": {"videos": [{"url": URL}]}},
    "another word": {"status": "Succeeded", "results": {"videos": [{"url": URL}]}},
    "no status": {"results": {"videos": [{"url": URL}]}},
    "null status": {"status": None, "results": {"videos": [{"url": URL}]}},
    "unknown status": {"status": "Reviewed", "results": {"videos": [{"url": URL}]}},
    "numeric status": {"status": 2, "results": {"videos": [{"url": URL}]}},
    "top level": {"status": "Succeed", "videos": [{"url": URL}]},
    "texts": {"status": "Succeed", "results": {"videos": [URL]}},
    "a text": {"status": "Succeed", "results": {"videos": URL}},
    "an object": {"status": "Succeed", "results": {"videos": {"url": URL}}},
    "top level texts": {"videos": [URL]},
    "data": {"code": 20000, "data": {"status": "Succeed", "results": {"videos": [{"url": URL}]}}},
    "result": {"result": {"state": "success", "video": {"url": URL}}},
    "results a list": {"status": "Succeed", "results": [{"url": URL, "cover": "https://c/cover.png"}]},
    "results a list of texts": {"status": "Succeed", "results": [URL]},
    "results a text": {"status": "Succeed", "results": URL},
    "video_url": {"status": "Succeed", "video_url": URL},
    "output": {"status": "completed", "output": {"video_url": URL}},
    "failed, but there": {"status": "Failed", "reason": "odd", "results": {"videos": [{"url": URL}]}},
}


@pytest.mark.parametrize("body", VIDEOS.values(), ids=VIDEOS)
def test_a_video_that_is_there_is_taken(body: Any) -> None:
    status = read_status(response(200, body), ID)
    assert (status.status, status.urls) == (VideoState.SUCCEED, (URL,))
    assert status.oddity
    assert "Signature" not in f"{status.oddity} {status!r}"


def test_a_video_where_it_is_documented_is_nothing_odd() -> None:
    url = URL.replace("https", "HTTPS")
    status = read_status(
        response(200, {"status": "Succeed", "results": {"videos": [{"cover": "https://c", "url": url}]}}), ID
    )
    assert (status.urls, status.oddity) == ((url,), "")


def test_a_video_in_a_body_that_is_not_whole_by_its_framing_is_taken() -> None:
    body = {"status": "Succeed", "results": {"videos": [{"url": URL}]}}
    assert read_status(response(200, body, "the body is 5 bytes short"), ID).url == URL


@pytest.mark.parametrize("word", ["InQueue", "InProgress", "in_progress", "INQUEUE"])
def test_a_state_that_is_not_final_holds(word: str) -> None:
    status = read_status(response(200, {"status": word, "videos": [URL]}), ID)
    assert status.status in (VideoState.IN_QUEUE, VideoState.IN_PROGRESS)
    assert (status.urls, status.oddity == "") == ((), word in ("InQueue", "InProgress"))


@pytest.mark.parametrize(
    "body",
    [
        {"code": 50508, "message": "busy", "data": {"video_url": "https://docs.siliconflow.cn/help"}},
        {"message": "see https://docs.siliconflow.cn"},
        {"url": "https://docs.siliconflow.cn"},
        {"data": {"url": "https://docs.siliconflow.cn"}},
        {"results": {"videos": ["no URL", 5, None, {"cover": "https://c"}]}},
        {"videos": []},
    ],
)
def test_a_url_of_something_else_is_no_video(body: Any) -> None:
    with pytest.raises(SiliconFlowError):
        read_status(response(200, body), ID)


@pytest.mark.parametrize("word", ["Failed", "FAILED", " failed"])
def test_a_failure_without_a_video_is_one(word: str) -> None:
    status = read_status(response(200, {"status": word, "reason": "why", "results": {"videos": [{"url": ""}]}}), ID)
    assert (status.status, status.reason) == (VideoState.FAILED, "why")


SECRETS = f"key {KEY} at {URL}"


def test_no_text_of_a_status_shows_a_secret() -> None:
    for body in (
        {"status": "Failed", "reason": SECRETS},
        {"status": SECRETS},
        {"status": SECRETS, "videos": [URL]},
        {"data": {"status": "InQueue", "reason": SECRETS}},
    ):
        status = read_status(response(200, body), ID)
        shown = f"{status} {status.reason} {status.status_text} {status.oddity} {status.to_xcom()}"
        assert KEY not in shown
        assert "Signature" not in shown


@pytest.mark.parametrize("status", [200, 302, 400, 401, 404, 429, 500])
def test_no_error_shows_a_secret(status: int) -> None:
    escaped = "".join(f"\\u{ord(c):04x}" for c in SECRETS)
    for body in (
        {"message": SECRETS},
        {"code": 20015, "message": SECRETS, "data": {"a": SECRETS}},
        {"error": {"url": SECRETS}},
        [SECRETS],
        SECRETS,
        f'{{"message": "{escaped}"}}'.encode(),
        f'{{"reason": "{escaped}'.encode(),
        f"<Error><Message>{SECRETS}</Message></Error>".encode(),
    ):
        for read in (read_submit, lambda came: read_status(came, ID)):
            headers = {"x-siliconcloud-trace-id": SECRETS, "location": URL}
            came = Response(status, headers, response(status, body).body, HOST, (KEY,))
            with pytest.raises(SiliconFlowError) as caught:
                read(came)
            shown = f"{caught.value} {caught.value!r} {caught.value.args} {vars(caught.value)}"
            assert KEY not in shown
            assert "Signature" not in shown.replace("Signature=***", "")
            assert escaped[:60] not in shown


def test_where_a_redirect_leads_is_told() -> None:
    with pytest.raises(
        SiliconFlowAPIError, match=r"It redirects to https://other\.host/v1\?\*\*\*, which is not followed"
    ):
        read_submit(Response(307, {"location": "https://other.host/v1?a=b"}, b"", HOST))


def test_odd_bodies_of_every_kind_raise_nothing_else() -> None:
    rng = random.Random(3)
    keys = ("requestId", "request_id", "id", "data", "results", "videos", "url", "status", "state", "code", "output")

    def value(depth: int) -> Any:
        kind = rng.randrange(6 if depth < 5 else 4)
        if kind < 4:
            return rng.choice([None, True, 7, 10**400, 1.5, "", ID, URL, KEY, "Succeed", "\ud800", "{"])
        if kind == 4:
            return [value(depth + 1) for _ in range(rng.randrange(4))]
        return {rng.choice(keys): value(depth + 1) for _ in range(rng.randrange(5))}

    results = []
    for _ in range(5000):
        came = response(rng.choice([200, 200, 302, 429, 500]), value(0), rng.choice(["", "", "short"]))
        for read in (read_submit, lambda came: read_status(came, ID)):
            try:
                results.append(str(read(came)))
            except SiliconFlowError as error:
                results.append(str(error))
    "".join(results).encode()
    assert not any(KEY in result for result in results)
