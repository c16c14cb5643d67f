"""The events of all triggers: read by any release, whatever they are."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_siliconflow.client.models import VideoState, VideoStatus
from airflow_provider_siliconflow.polling.decision import CONNECTION_GRACE, WaitResult, WaitStatus
from airflow_provider_siliconflow.triggers.events import (
    VERSION,
    BatchEvent,
    SubmitRetryEvent,
    WaitEvent,
)

ID = "gs6fhi8yrhxt"
READY = VideoStatus(ID, VideoState.SUCCEED, "Succeed", urls=("https://s3/c?Signature=s3cr3t",))
#: Of no release at all.
ODD: list[Any] = [None, "ready", [], ["ready"], 7, float("nan"), {}, {"status": ["ready"]}, {1: 2}]


@pytest.mark.parametrize("status", [*WaitStatus])
def test_an_event_is_versioned_plain_json_without_a_url(status: WaitStatus) -> None:
    event = WaitEvent.of(WaitResult(status, ID, READY, 100.0), 10.0, 20.0)
    plain = event.encode()
    assert plain["version"] == VERSION == 1
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain
    assert "s3cr3t" not in json.dumps(plain)
    assert WaitEvent.decode(plain) == event


def test_an_error_of_the_trigger_is_told() -> None:
    event = WaitEvent(None, ID, 100.0, 10.0, 0.0, message="KeyError: 'x'")
    assert WaitEvent.decode(event.encode()) == event
    assert event.encode()["status"] == "error"


@pytest.mark.parametrize(
    "event",
    [
        "https://h/a?Signature=zqA4b5cD6eF7g8H9i",
        {"url": "https://h/a?Signature=zqA4b5cD6eF7g8H9i"},
        {"status": "error", "message": "GET https://h/a?Signature=zqA4b5cD6eF7g8H9i " + "x" * 5000},
        {"ended": [], "state": {}, "message": "GET https://h/a?Signature=zqA4b5cD6eF7g8H9i " + "x" * 5000},
    ],
)
def test_no_message_of_an_event_shows_a_signature(event: Any) -> None:
    for message in (WaitEvent.decode(event).message, BatchEvent.decode(event).message):
        assert message
        assert "zqA4b5cD6eF7g8H9i" not in message
        assert len(message) <= 400


@pytest.mark.parametrize("event", ODD)
def test_an_odd_event_is_an_error_with_a_message(event: Any) -> None:
    found = WaitEvent.decode(event)
    assert found.status is None
    assert "cannot be read" in found.message
    assert len(found.message) < 120


@pytest.mark.parametrize("deadline", [None, "soon", float("nan"), float("inf"), -1.0, True, 1e300, 10**400, []])
def test_an_odd_deadline_is_none_at_all(deadline: Any) -> None:
    found = WaitEvent.decode({"status": "ready", "request_id": ID, "deadline": deadline})
    assert (found.status, found.deadline, found.request_id) == (None, None, ID)
    assert found.message


def test_version_0_has_a_field_less_and_version_2_a_field_more() -> None:
    older = {"status": "ready", "request_id": ID, "deadline": 100.0}
    newer = WaitEvent(WaitStatus.READY, ID, 100.0).encode() | {"version": 2, "progress": 0.5}
    assert WaitEvent.decode(older) == WaitEvent.decode(newer) == WaitEvent(WaitStatus.READY, ID, 100.0)


def test_a_status_of_a_later_release_is_no_end_of_a_wait() -> None:
    found = WaitEvent.decode({"version": 2, "status": "paused", "request_id": ID, "deadline": 100.0})
    assert (found.status, found.deadline) == (None, 100.0)


def test_a_grace_period_is_spent_exactly_if_the_trigger_says_rejected() -> None:
    for status in WaitStatus:
        wait = WaitEvent(status, ID, 5000.0).wait(ID, now=1000.0)
        spent = 1000.0 - CONNECTION_GRACE if status is WaitStatus.REJECTED else None
        assert (wait.request_id, wait.deadline, wait.rejected_since) == (ID, 5000.0, spent)


def test_the_event_of_many_videos_is_read_as_it_was_written() -> None:
    event = BatchEvent({"a": WaitStatus.READY, "b": WaitStatus.REJECTED, "c": None}, {"d": 5.0}, {"rows": []}, 10.0)
    plain = event.encode()
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain
    assert BatchEvent.decode(plain) == event


@pytest.mark.parametrize("event", [*ODD, {"ended": [], "state": "x"}, {"ended": 3, "state": {}}, {"state": {}}])
def test_an_odd_event_of_many_videos_is_an_error_with_a_message(event: Any) -> None:
    assert BatchEvent.decode(event).message


def test_an_event_of_many_videos_of_another_version() -> None:
    older: dict[str, Any] = {"ended": ["a", 3], "last_polled": {"b": "x", "c": 1}, "state": {"rows": []}}
    found = BatchEvent.decode(older)
    assert found == BatchEvent({"a": None}, {"c": 1.0}, {"rows": []})
    assert BatchEvent.decode(older | {"version": 2, "more": 1}) == found


@pytest.mark.parametrize("event", [*ODD, {"since": "x", "rejections": "y"}, {"since": 1e6, "rejections": -3}])
def test_an_odd_event_of_a_rejected_submit_counts_as_the_first_rejection(event: Any) -> None:
    found = SubmitRetryEvent.decode(event)
    assert (found.first_rejection(now=1000.0), found.rejections) == (1000.0, 1)
    assert found.message


def test_the_event_of_a_rejected_submit() -> None:
    event = SubmitRetryEvent(900.0, 3)
    assert SubmitRetryEvent.decode(event.encode() | {"version": 2, "more": 1}) == event
    assert event.first_rejection(now=1000.0) == 900.0
