"""Answers of every shape become a result, or the error that names their cause."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest

from airflow_provider_siliconflow.client.failures import error_from
from airflow_provider_siliconflow.client.models import SubmittedVideo, VideoState, VideoStatus
from airflow_provider_siliconflow.client.parsing import (
    read_balance,
    read_models,
    read_status,
    read_submit,
)
from airflow_provider_siliconflow.client.response import Response
from airflow_provider_siliconflow.exceptions import (
    SiliconFlowAPIError,
    SiliconFlowAuthenticationError,
    SiliconFlowBadRequestError,
    SiliconFlowBalanceError,
    SiliconFlowNotFoundError,
    SiliconFlowOverloadedError,
    SiliconFlowPermissionError,
    SiliconFlowRateLimitError,
    SiliconFlowServerError,
)

HOST = "https://api.siliconflow.com/v1"


def answer(status: int, body: object, headers: Mapping[str, str] | None = None) -> Response:
    return Response(status, headers or {}, body if isinstance(body, bytes) else json.dumps(body).encode(), HOST)


@pytest.mark.parametrize("request_id", ["gs6fhi8yrhxt", "A-B/ c=", "视频", "1"])
def test_an_id_of_any_form_is_taken_as_it_is(request_id: str) -> None:
    traced = answer(200, {"requestId": request_id, "more": 1}, {"x-siliconcloud-trace-id": "ti_1"})
    assert read_submit(traced) == SubmittedVideo(request_id, "ti_1", HOST)
    assert read_submit(answer(200, {"requestId": request_id})) == SubmittedVideo(request_id, None, HOST)


def test_an_id_sent_as_a_number_is_not_lost() -> None:
    assert read_submit(answer(200, {"requestId": 123})).request_id == "123"


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"[]", b'"id"', b"null", b"{}", {"requestId": ""}, {"requestId": None}, {"requestId": True}],
)
def test_a_submit_answer_without_an_id_is_an_error(body: object) -> None:
    with pytest.raises(SiliconFlowServerError) as caught:
        read_submit(answer(200, body))
    assert caught.value.status_code == 200


def test_a_whole_status_is_read() -> None:
    results = {"videos": [{"url": "https://a"}, {"url": "https://b"}], "timings": {"inference": 41.5}, "seed": 7}
    body = {"status": "Succeed", "reason": "", "position": 0, "results": results}
    assert read_status(answer(200, body, {"x-siliconcloud-trace-id": "t"}), "id") == VideoStatus(
        "id", VideoState.SUCCEED, "Succeed", "", 0, ("https://a", "https://b"), 41.5, 7, "t"
    )


@pytest.mark.parametrize(
    ("body", "word", "reason", "position"),
    [
        ({"status": "InQueue", "position": 3, "results": {"videos": None}}, VideoState.IN_QUEUE, "", 3),
        ({"status": "InQueue", "position": "3", "results": None}, VideoState.IN_QUEUE, "", None),
        ({"status": "InProgress", "position": True, "results": []}, VideoState.IN_PROGRESS, "", None),
        ({"status": "Failed", "reason": "内容违规 "}, VideoState.FAILED, "内容违规 ", None),
        ({"status": "Failed", "reason": {"why": 1}}, VideoState.FAILED, "", None),
        ({"status": "Reviewing"}, VideoState.UNKNOWN, "", None),
        ({"status": ""}, VideoState.UNKNOWN, "", None),
    ],
)
def test_a_status_may_leave_out_nearly_everything(
    body: dict[str, Any], word: VideoState, reason: str, position: int | None
) -> None:
    status = read_status(answer(200, body), "id")
    assert (status.status, status.status_text) == (word, body["status"])
    assert (status.reason, status.position, status.urls) == (reason, position, ())


@pytest.mark.parametrize("seconds", [None, "41", True, float("nan"), float("inf"), 10**400, [41]])
def test_seconds_of_no_sense_are_left_out(seconds: object) -> None:
    body = {"status": "InProgress", "results": {"timings": {"inference": seconds}}}
    assert read_status(answer(200, body), "id").inference_seconds is None


@pytest.mark.parametrize(
    "results",
    [
        None,
        {},
        [],
        {"videos": []},
        {"videos": [{"url": ""}]},
        {"videos": [None, {}, {"url": 5}]},
        {"videos": "not a URL"},
        {"videos": {"cover": "https://a/cover.png"}},
    ],
)
def test_a_success_with_nothing_is_an_error_not_a_success(results: object) -> None:
    with pytest.raises(SiliconFlowServerError, match="says Succeed, but names no video"):
        read_status(answer(200, {"status": "Succeed", "results": results}), "id")


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"null", b"{}", {"status": None}, {"status": ["InQueue"]}])
def test_a_status_answer_without_a_status_is_an_error(body: object) -> None:
    with pytest.raises(SiliconFlowServerError):
        read_status(answer(200, body), "id")


@pytest.mark.parametrize("status", [400, 404])
def test_an_id_that_is_not_known_is_said_to_be_so_with_the_host(status: int) -> None:
    with pytest.raises(SiliconFlowNotFoundError) as caught:
        read_status(answer(status, {"code": 20015, "message": "no such id"}), "gs6fhi8yrhxt")
    assert (caught.value.code, caught.value.message) == (20015, "no such id")
    for fact in (HOST, "do not know the video gs6fhi8yrhxt", "another connection"):
        assert fact in str(caught.value)


def test_models_and_balance() -> None:
    listed = {"object": "list", "data": [{"id": "a"}, {"id": 5}, None, {}, {"id": "b", "owned_by": ""}]}
    assert read_models(answer(200, listed)) == ["a", "b"]
    assert read_balance(answer(200, {"code": 20000, "data": {"totalBalance": "88.88"}})) == Decimal("88.88")


@pytest.mark.parametrize("body", [b"[]", b"", {"data": None}, {"data": {"id": "a"}}, {}])
def test_no_list_of_models_is_an_error(body: object) -> None:
    with pytest.raises(SiliconFlowServerError):
        read_models(answer(200, body))


@pytest.mark.parametrize("amount", [None, "", "much", "NaN", "Infinity", [1], {}])
def test_no_amount_is_an_error(amount: object) -> None:
    for body in ({"data": {"totalBalance": amount}}, {"data": amount}):
        with pytest.raises(SiliconFlowServerError, match="no totalBalance"):
            read_balance(answer(200, body))


#: Code first, status second; a 429 or 503 wins over a 20xxx code. None: no code.
CLASSES = [
    (400, None, SiliconFlowBadRequestError),
    (400, 20012, SiliconFlowBadRequestError),
    (400, 30001, SiliconFlowBalanceError),
    (401, None, SiliconFlowAuthenticationError),
    (401, 20015, SiliconFlowAuthenticationError),
    (402, None, SiliconFlowBalanceError),
    (402, 30001, SiliconFlowBalanceError),
    (403, None, SiliconFlowPermissionError),
    (403, 30001, SiliconFlowBalanceError),
    (403, 30011, SiliconFlowBalanceError),
    (404, None, SiliconFlowNotFoundError),
    (410, None, SiliconFlowNotFoundError),
    (413, 20043, SiliconFlowBadRequestError),
    (418, None, SiliconFlowBadRequestError),
    (451, None, SiliconFlowBadRequestError),
    (451, 99999, SiliconFlowBadRequestError),
    (429, None, SiliconFlowRateLimitError),
    (429, 20015, SiliconFlowRateLimitError),
    (429, 50505, SiliconFlowRateLimitError),
    (429, 50604, SiliconFlowRateLimitError),
    (429, 60000, SiliconFlowRateLimitError),
    (429, 30001, SiliconFlowRateLimitError),
    (500, None, SiliconFlowServerError),
    (500, 60000, SiliconFlowServerError),
    (502, None, SiliconFlowServerError),
    (503, None, SiliconFlowOverloadedError),
    (503, 20015, SiliconFlowOverloadedError),
    (503, 50508, SiliconFlowOverloadedError),
    (504, None, SiliconFlowServerError),
    (599, -1, SiliconFlowServerError),
    (302, None, SiliconFlowNotFoundError),
]


@pytest.mark.parametrize(("status", "code", "kind"), CLASSES)
def test_classified_by_code_first_and_status_second(
    status: int, code: int | None, kind: type[SiliconFlowAPIError]
) -> None:
    body = {"message": "m", "data": {"a": 1}} | ({"code": code} if code is not None else {})
    error = error_from(answer(status, body, {"x-siliconcloud-trace-id": "ti_1"}))
    assert type(error) is kind
    assert (error.status_code, error.code, error.message) == (status, code, "m")
    assert (error.trace_id, error.host) == ("ti_1", HOST)
    assert "ti_1" in str(error)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'"Invalid token"', "Invalid token"),
        (b'{"message": "\xe4\xbd\x99\xe9\xa2\x9d"}', "余额"),
        (b'{"message": 5}', '{"message": 5}'),
        (b'{"error": "x"}', '{"error": "x"}'),
        (b"[1]", "[1]"),
        (b"<html>502</html>", "<html>502</html>"),
        (b"plain", "plain"),
        (b"\xff\xfe\xfd", "\ufffd\ufffd\ufffd"),
        (b'"\\ud800"', "?"),
        (b"", ""),
        (b"x" * 5000, "x" * 299 + "…"),
        (b"[" * 100_000, "[" * 299 + "…"),
        (b"1" * 10_000, "1" * 299 + "…"),
    ],
)
def test_the_message_is_verbatim_or_an_excerpt(body: bytes, message: str) -> None:
    error = error_from(answer(500, body))
    assert (error.message, error.code) == (message, None)
    assert (message or "(no message)") in str(error)
    str(error).encode()


@pytest.mark.parametrize("code", ["20012", None, True, 20012.0, [20012]])
def test_a_code_that_is_no_integer_is_none(code: object) -> None:
    assert error_from(answer(400, {"code": code, "message": "m"})).code is None


def test_a_401_names_the_host_and_says_that_keys_differ() -> None:
    said = str(error_from(answer(401, {"message": "Api key is invalid"})))
    assert said.startswith(f"{HOST} answered HTTP 401: Api key is invalid")
    assert "Keys of api.siliconflow.cn and api.siliconflow.com are not interchangeable" in said


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": " 17 "}, 17.0),
        ({"retry-after": "9" * 400}, 999_999_999.0),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "1.5"}, None),
        ({"retry-after": "٣"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "Sat, 01 Aug 2026 12:01:00 GMT", "date": "Sat, 01 Aug 2026 12:00:00 GMT"}, 60.0),
        ({"retry-after": "Sat, 01 Aug 2026 11:00:00 GMT", "date": "Sat, 01 Aug 2026 12:00:00 GMT"}, 0.0),
        ({"retry-after": "Sat, 01 Aug 2026 12:01:00 GMT"}, None),
        ({"retry-after": "Sat, 01 Aug 2026 12:01:00 GMT", "date": "now"}, None),
        ({"retry-after": "Sat, 01 Aug 2026 12:01:00 -0000", "date": "Sat, 01 Aug 2026 12:00:00 GMT"}, None),
        ({"retry-after": "Sat, 99 Aug 99999 12:01:00 GMT", "date": "Sat, 01 Aug 2026 12:00:00 GMT"}, None),
    ],
)
def test_retry_after_in_seconds_or_as_a_date(headers: dict[str, str], seconds: float | None) -> None:
    assert error_from(answer(429, b"", headers)).retry_after == seconds


def test_a_trace_id_of_broken_bytes_can_still_be_written_down() -> None:
    traced = answer(200, {"requestId": "id"}, {"x-siliconcloud-trace-id": "ti_\udcff"})
    assert read_submit(traced).trace_id == "ti_?"
