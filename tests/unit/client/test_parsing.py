"""Answers of every shape become a result, or the error that names their cause."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from airflow_provider_siliconflow.client.models import SubmittedVideo, VideoState, VideoStatus
from airflow_provider_siliconflow.client.parsing import (
    read_balance,
    read_models,
    read_status,
    read_submit,
)
from airflow_provider_siliconflow.exceptions import (
    SiliconFlowNotFoundError,
    SiliconFlowServerError,
)
from tests.unit.client.answers import HOST, answer


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
