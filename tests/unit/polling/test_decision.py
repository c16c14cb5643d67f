"""The one decision of every wait: table and laws."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_siliconflow.client.models import VideoState, VideoStatus
from airflow_provider_siliconflow.client.retry import FailureKind, Route, classify_failure
from airflow_provider_siliconflow.exceptions import (
    SiliconFlowAPIError,
    SiliconFlowAuthenticationError,
    SiliconFlowBalanceError,
    SiliconFlowConfigError,
    SiliconFlowConnectionError,
    SiliconFlowError,
    SiliconFlowNotFoundError,
    SiliconFlowOverloadedError,
    SiliconFlowPermissionError,
    SiliconFlowRateLimitError,
    SiliconFlowServerError,
    VideoFailedError,
    VideoTimeoutError,
)
from airflow_provider_siliconflow.polling.decision import (
    WaitResult,
    WaitStatus,
    describe,
    evaluate,
    evaluate_after_event,
    event_of,
    timeout_message,
)

ID = "gs6fhi8yrhxt"
URL = "https://s3/clip.mp4?Signature=s3cr3t"
READY = VideoStatus(ID, VideoState.SUCCEED, "Succeed", urls=(URL,))
FAILED = VideoStatus(ID, VideoState.FAILED, "Failed", reason="内容 违规", trace_id="ti_1")
QUEUED = VideoStatus(ID, VideoState.IN_QUEUE, "InQueue", position=3)
RUNNING = VideoStatus(ID, VideoState.IN_PROGRESS, "InProgress")
ODD = VideoStatus(ID, VideoState.UNKNOWN, "Reviewing")
REFUSALS: list[SiliconFlowError] = [
    SiliconFlowAuthenticationError("Invalid token", status_code=401),
    SiliconFlowBalanceError("poor", status_code=402),
    SiliconFlowPermissionError("Forbidden", status_code=403),
    SiliconFlowNotFoundError("no such id", status_code=404),
    SiliconFlowNotFoundError("no such id", status_code=400),
    SiliconFlowAPIError("moved", status_code=302),
    SiliconFlowConfigError("no key"),
]
PASSING: list[SiliconFlowError] = [
    SiliconFlowConnectionError("reset"),
    SiliconFlowRateLimitError("slow", status_code=429, retry_after=5.0),
    SiliconFlowServerError("broken", status_code=500),
    SiliconFlowOverloadedError("busy", status_code=503),
    SiliconFlowServerError("no JSON", status_code=200),
]
TERMINAL = [
    (READY, WaitStatus.READY),
    (FAILED, WaitStatus.FAILED),
    *((error, WaitStatus.REJECTED) for error in REFUSALS),
]
PENDING = [QUEUED, RUNNING, ODD, *PASSING]
TIMES = st.floats(0, 1e11)


@given(TIMES, st.one_of(st.none(), TIMES), st.sampled_from(TERMINAL))
def test_what_is_final_ends_the_wait_at_any_time(
    now: float, deadline: float | None, case: tuple[VideoStatus | SiliconFlowError, WaitStatus]
) -> None:
    look, ending = case
    assert evaluate(ID, look, now=now, deadline=deadline) == WaitResult(ending, ID, look, deadline)


@given(TIMES, TIMES, st.sampled_from(PENDING))
def test_anything_else_ends_it_at_the_deadline_and_never_before(
    now: float, deadline: float, look: VideoStatus | SiliconFlowError
) -> None:
    outcome = evaluate(ID, look, now=now, deadline=deadline)
    assert outcome == (WaitResult(WaitStatus.TIMED_OUT, ID, look, deadline) if now >= deadline else None)


@given(TIMES, st.sampled_from(PENDING))
def test_without_a_deadline_it_goes_on(now: float, look: VideoStatus | SiliconFlowError) -> None:
    assert evaluate(ID, look, now=now, deadline=None) is None


@given(st.integers(100, 999), st.one_of(st.none(), st.integers(0, 70000)))
def test_a_refused_look_ends_the_wait_exactly_if_looking_again_is_no_use(status: int, code: int | None) -> None:
    error = SiliconFlowAPIError("m", status_code=status, code=code)
    ended = evaluate(ID, error, now=0.0, deadline=1.0) is not None
    assert ended == (classify_failure(Route.FREE, error) is FailureKind.PERMANENT)


def outcome(look: VideoStatus | SiliconFlowError, deadline: float | None = 0.0) -> WaitResult:
    found = evaluate(ID, look, now=1.0, deadline=deadline)
    assert found
    return found


def test_a_video_that_is_ready_is_the_result() -> None:
    assert outcome(READY).result() is READY


def test_a_video_that_failed_says_why_to_the_letter() -> None:
    with pytest.raises(VideoFailedError, match=f"{ID}: 内容 违规 .trace id ti_1.") as caught:
        outcome(FAILED).result()
    assert (caught.value.request_id, caught.value.reason) == (ID, "内容 违规")
    with pytest.raises(VideoFailedError, match="no reason given"):
        outcome(VideoStatus(ID, VideoState.FAILED)).result()


@pytest.mark.parametrize("error", REFUSALS)
def test_a_refusal_is_raised_as_it_is(error: SiliconFlowError) -> None:
    with pytest.raises(SiliconFlowError) as caught:
        outcome(error).result()
    assert caught.value is error


@pytest.mark.parametrize(
    ("look", "said"),
    [(QUEUED, "last seen InQueue at place 3."), (ODD, "last seen Reviewing."), (PASSING[0], "the last look failed: ")],
)
def test_a_time_out_says_what_was_last_seen_and_what_it_costs(look: VideoStatus | SiliconFlowError, said: str) -> None:
    with pytest.raises(VideoTimeoutError) as caught:
        outcome(look).result()
    for fact in (ID, "1970-01-01T00:00:00+00:00", said, "keeps running at the service and is billed"):
        assert fact in str(caught.value)


def test_a_time_out_of_a_video_never_seen() -> None:
    assert f"Video {ID} was not ready; it was never seen." in timeout_message(ID, None, None)


@pytest.mark.parametrize(
    ("look", "ending"), [*TERMINAL, (QUEUED, WaitStatus.TIMED_OUT), (PASSING[0], WaitStatus.TIMED_OUT)]
)
def test_an_event_is_plain_json_without_link_and_words_of_others(
    look: VideoStatus | SiliconFlowError, ending: WaitStatus
) -> None:
    event = event_of(outcome(look))
    assert event == {"ending": ending.value, "request_id": ID, "deadline": 0.0}
    assert json.loads(json.dumps(event)) == event
    assert type(event["ending"]) is str


@pytest.mark.parametrize("look", [READY, FAILED, QUEUED, RUNNING, ODD, *PASSING, *REFUSALS, None])
def test_no_link_is_put_into_words(look: VideoStatus | SiliconFlowError | None) -> None:
    assert "s3cr3t" not in describe(look)


LATER = "A retry waits on."


def event(ending: str, deadline: float = 100.0) -> dict[str, object]:
    return {"ending": ending, "request_id": ID, "deadline": deadline}


@pytest.mark.parametrize("ending", [*WaitStatus])
@pytest.mark.parametrize(("look", "seen"), TERMINAL)
def test_a_woken_task_believes_its_own_eyes(
    ending: WaitStatus, look: VideoStatus | SiliconFlowError, seen: WaitStatus
) -> None:
    found, deadline = evaluate_after_event(ID, event(ending), look, now=0.0, later=LATER)
    assert found
    assert (found.ending, deadline) == (seen, 100.0)


@pytest.mark.parametrize("look", PENDING)
@pytest.mark.parametrize("ending", [WaitStatus.READY, WaitStatus.FAILED, WaitStatus.TIMED_OUT])
def test_a_woken_task_that_sees_nothing_final_waits_on_until_the_deadline(
    ending: WaitStatus, look: VideoStatus | SiliconFlowError
) -> None:
    assert evaluate_after_event(ID, event(ending), look, now=99.0, later=LATER) == (None, 100.0)
    found, _ = evaluate_after_event(ID, event(ending), look, now=100.0, later=LATER)
    assert found
    assert found.ending is WaitStatus.TIMED_OUT


def test_a_refusal_that_only_the_triggerer_meets_is_told_apart() -> None:
    with pytest.raises(SiliconFlowError, match=r"triggerer is refused .* see the same connection.* A retry waits on"):
        evaluate_after_event(ID, event(WaitStatus.REJECTED), QUEUED, now=0.0, later=LATER)


@pytest.mark.parametrize("broken", [None, "ready", {}, event("broken"), {"ending": ["ready"]}])
def test_an_event_that_is_not_ours_is_an_error_that_tells_of_the_money(broken: object) -> None:
    with pytest.raises(
        SiliconFlowError, match=r"broke off: .+ keeps running at the service and is billed. A retry waits on"
    ):
        evaluate_after_event(ID, broken, QUEUED, now=0.0, later=LATER)
    found, _ = evaluate_after_event(ID, broken, READY, now=0.0, later=LATER)
    assert found
    assert found.ending is WaitStatus.READY
