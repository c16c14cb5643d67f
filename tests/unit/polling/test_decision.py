"""The one decision of every wait: table and invariants."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_siliconflow._airflow.names import AirflowFailException
from airflow_provider_siliconflow.billing import Billing
from airflow_provider_siliconflow.client.models import VideoState, VideoStatus
from airflow_provider_siliconflow.exceptions import (
    InvalidArgumentError,
    SiliconFlowAPIError,
    SiliconFlowAuthenticationError,
    SiliconFlowBadRequestError,
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
    VideoUnavailableError,
)
from airflow_provider_siliconflow.polling.decision import (
    CONNECTION_GRACE,
    REJECTION_GRACE,
    PollResult,
    Wait,
    WaitResult,
    WaitStatus,
    describe,
    grace_for,
)

ID = "gs6fhi8yrhxt"
URL = "https://s3/clip.mp4?Signature=s3cr3t"
READY = VideoStatus(ID, VideoState.SUCCEED, "Succeed", urls=(URL,))
FAILED = VideoStatus(ID, VideoState.FAILED, "Failed", reason="内容 违规", trace_id="ti_1")
QUEUED = VideoStatus(ID, VideoState.IN_QUEUE, "InQueue", position=3)
RUNNING = VideoStatus(ID, VideoState.IN_PROGRESS, "InProgress")
ODD = VideoStatus(ID, VideoState.UNKNOWN, "Reviewing")
#: Say something of the account, and nothing of the video.
ACCOUNT: list[SiliconFlowError] = [
    SiliconFlowAuthenticationError("Invalid token", status_code=401),
    SiliconFlowBalanceError("poor", status_code=402),
    SiliconFlowBalanceError("poor", status_code=400, code=30001),
    SiliconFlowPermissionError("Forbidden", status_code=403),
    SiliconFlowBadRequestError("Forbidden", status_code=403, code=20015),
]
REJECTIONS: list[SiliconFlowError] = [
    SiliconFlowNotFoundError("no such id", status_code=404),
    SiliconFlowNotFoundError("no such id", status_code=400),
    SiliconFlowNotFoundError("gone", status_code=410),
    SiliconFlowBadRequestError("not so", status_code=405),
    SiliconFlowBadRequestError("for legal reasons", status_code=451),
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
FINAL = [(READY, WaitStatus.READY), (FAILED, WaitStatus.FAILED)]
PENDING: list[PollResult] = [QUEUED, RUNNING, ODD, *PASSING, *ACCOUNT]
ANY: list[PollResult] = [*PENDING, *REJECTIONS]
TIMES = st.floats(0, 1e11)


@given(TIMES, st.one_of(st.none(), TIMES), st.sampled_from(FINAL))
def test_a_final_status_ends_the_wait_at_any_time(
    now: float, deadline: float | None, case: tuple[VideoStatus, WaitStatus]
) -> None:
    poll, status = case
    assert Wait(ID, deadline).evaluate(poll, now=now) == WaitResult(status, ID, poll, deadline)


@given(TIMES, TIMES, st.sampled_from(ANY))
def test_any_other_first_poll_ends_it_at_the_deadline_and_never_before(
    now: float, deadline: float, poll: PollResult
) -> None:
    result = Wait(ID, deadline).evaluate(poll, now=now)
    assert result == (WaitResult(WaitStatus.TIMED_OUT, ID, poll, deadline) if now >= deadline else None)


@given(st.integers(100, 999), st.one_of(st.none(), st.integers(0, 70000)))
def test_no_single_error_of_the_service_ends_a_wait(status: int, code: int | None) -> None:
    error = SiliconFlowAPIError("m", status_code=status, code=code)
    assert Wait(ID, deadline=1.0).evaluate(error, now=0.0) is None


@given(st.lists(st.tuples(st.floats(0.1, 200), st.sampled_from(ANY)), max_size=40))
def test_only_a_whole_grace_period_of_rejections_ends_a_wait_before_its_deadline(
    steps: list[tuple[float, PollResult]],
) -> None:
    wait, now, since = Wait(ID, deadline=1e6), 0.0, None
    for pause, poll in steps:
        now += pause
        is_rejection = any(poll is rejection for rejection in REJECTIONS)
        since = (now if since is None else since) if is_rejection else None
        result = wait.evaluate(poll, now=now)
        grace = CONNECTION_GRACE if isinstance(poll, SiliconFlowConfigError) else REJECTION_GRACE
        assert (result is not None) == (since is not None and now - since >= grace)
        if result:
            assert result.status is WaitStatus.REJECTED
            return


@pytest.mark.parametrize("poll", [*PASSING, *ACCOUNT])
def test_what_passes_is_waited_out_however_long_it_takes(poll: SiliconFlowError) -> None:
    wait = Wait(ID, deadline=1e6)
    assert [wait.evaluate(poll, now=now) for now in (0.0, 1e3, 1e5, 1e6 - 1)] == [None] * 4
    assert wait.evaluate(poll, now=1e6) == WaitResult(WaitStatus.TIMED_OUT, ID, poll, 1e6)


def test_a_clock_that_is_set_back_cannot_hold_a_grace_period_open() -> None:
    wait, (rejection, *_) = Wait(ID, deadline=1e6), REJECTIONS
    assert wait.evaluate(rejection, now=5000.0) is None
    assert wait.evaluate(rejection, now=1000.0) is None
    assert wait.evaluate(rejection, now=1000.0 + REJECTION_GRACE)


@pytest.mark.parametrize("poll", REJECTIONS)
def test_a_grace_period_that_is_spent_needs_no_other(poll: SiliconFlowError) -> None:
    wait = Wait(ID, deadline=1e6, rejected_since=1000.0 - CONNECTION_GRACE)
    result = wait.evaluate(poll, now=1000.0)
    assert result
    assert result.status is WaitStatus.REJECTED


def test_without_a_request_id_there_is_nothing_to_wait_for() -> None:
    error = InvalidArgumentError("there is no video to poll")
    result = Wait("", deadline=0.0).evaluate(error, now=1.0)
    assert result
    with pytest.raises(InvalidArgumentError) as caught:
        result.video()
    assert caught.value is error


def test_a_wait_remembers_its_last_poll() -> None:
    wait = Wait(ID, deadline=1.0)
    for poll in (QUEUED, PASSING[0]):
        wait.evaluate(poll, now=0.0)
        assert wait.last is poll


def test_the_grace_of_a_connection_is_minutes() -> None:
    assert [grace_for(error) for error in REJECTIONS] == [REJECTION_GRACE] * 6 + [CONNECTION_GRACE]
    assert 60 <= REJECTION_GRACE <= CONNECTION_GRACE <= 600


# --- what is raised ---------------------------------------------------------------------------------------------------


def ended(poll: PollResult, status: WaitStatus, deadline: float | None = 0.0) -> WaitResult:
    return WaitResult(status, ID, poll, deadline)


def test_a_video_that_is_ready_is_the_result() -> None:
    assert ended(READY, WaitStatus.READY).video() is READY


def test_a_video_that_failed_says_why_to_the_letter() -> None:
    with pytest.raises(VideoFailedError, match=rf"{ID}: 内容 违规 \(trace id ti_1\)\.") as caught:
        ended(FAILED, WaitStatus.FAILED).video()
    error = caught.value
    assert (error.request_id, error.reason, error.billing) == (ID, "内容 违规", Billing.FAILED)
    with pytest.raises(VideoFailedError, match="no reason given"):
        ended(VideoStatus(ID, VideoState.FAILED), WaitStatus.FAILED).video()


@pytest.mark.parametrize("poll", REJECTIONS)
def test_a_rejection_is_an_error_that_airflow_retries_and_that_says_what_is_paid(poll: SiliconFlowError) -> None:
    with pytest.raises(VideoUnavailableError) as caught:
        ended(poll, WaitStatus.REJECTED).video()
    error = caught.value
    assert not isinstance(error, AirflowFailException)
    assert (error.billing, error.request_id) == (Billing.RUNNING, ID)
    assert error.__cause__ is poll
    assert poll.message in str(error)


@pytest.mark.parametrize(
    ("poll", "told"),
    [
        (QUEUED, "last polled as InQueue at position 3."),
        (ODD, "last polled as Reviewing."),
        *((error, f"the last poll failed: {error}") for error in [*PASSING, *ACCOUNT]),
    ],
)
def test_a_time_out_says_what_the_last_poll_was_and_what_is_paid(poll: PollResult, told: str) -> None:
    with pytest.raises(VideoTimeoutError) as caught:
        ended(poll, WaitStatus.TIMED_OUT).video()
    error = caught.value
    assert (error.billing, error.request_id) == (Billing.RUNNING, ID)
    for fact in (ID, "1970-01-01T00:00:00+00:00", told):
        assert fact in str(error)


@pytest.mark.parametrize("poll", [*ACCOUNT, *REJECTIONS])
@pytest.mark.parametrize("status", [WaitStatus.TIMED_OUT, WaitStatus.REJECTED])
def test_no_advice_of_a_paid_video_leads_to_paying_twice(poll: SiliconFlowError, status: WaitStatus) -> None:
    with pytest.raises(SiliconFlowError) as caught:
        ended(poll, status).video()
    assert "clear the task" not in str(caught.value).lower()


def test_a_time_out_of_a_video_never_polled() -> None:
    assert f"Video {ID} was not ready; it was never polled." in str(
        WaitResult(WaitStatus.TIMED_OUT, ID, None, None).error()
    )


@pytest.mark.parametrize("poll", [READY, FAILED, *ANY, None])
def test_no_url_is_put_into_words(poll: PollResult | None) -> None:
    assert "s3cr3t" not in describe(poll)


def test_the_states_of_a_wait_are_all_different() -> None:
    assert all(before != after for before, after in pairwise(sorted(WaitStatus)))
