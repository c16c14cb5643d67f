"""What a poll means for a wait, in every mode of waiting: keep waiting, or how the wait ended. No I/O, no clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias

from airflow_provider_siliconflow._airflow.names import AirflowNotFoundException
from airflow_provider_siliconflow.billing import Billing
from airflow_provider_siliconflow.client.masking import describe_error, excerpt
from airflow_provider_siliconflow.client.models import VideoState, VideoStatus
from airflow_provider_siliconflow.client.retry import FailureKind, Route, classify_failure
from airflow_provider_siliconflow.exceptions import (
    InvalidArgumentError,
    SiliconFlowAPIError,
    SiliconFlowAuthenticationError,
    SiliconFlowBalanceError,
    SiliconFlowConfigError,
    SiliconFlowConnectionError,
    SiliconFlowError,
    SiliconFlowPermissionError,
    VideoFailedError,
    VideoTimeoutError,
    VideoUnavailableError,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

#: What a poll returned: a status, or why there is none.
PollResult: TypeAlias = VideoStatus | SiliconFlowError

#: Seconds between two polls of a worker that waits.
DEFAULT_POKE_INTERVAL = 15.0
#: Seconds for which every poll of a paid video must be rejected before its wait ends. One 404 of a gateway says
#: nothing about a video.
REJECTION_GRACE = 120.0
#: The same for an Airflow connection that is not found or cannot be used: Airflow reports an outage of its database,
#: vault or API as "not found".
CONNECTION_GRACE = 300.0

#: The key or the account is rejected: what it may not do for one request, it may not do for the next.
ACCOUNT_ERRORS = (SiliconFlowAuthenticationError, SiliconFlowBalanceError, SiliconFlowPermissionError)
_ACCOUNT_STATUSES = (401, 402, 403)


class WaitStatus(StrEnum):
    """How a wait ended."""

    READY = "ready"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    #: Every poll was rejected for a whole grace period.
    REJECTED = "rejected"


@dataclass(frozen=True)
class WaitRequest:
    """
    One video to be polled until its wait ends; times are seconds.

    :param request_id: The video's request id.
    :param waited: Since the video was submitted, or else since the wait for it began.
    :param first: Until the first poll at least; it comes a little later by chance.
    :param left: Until the deadline.
    :param last_polled: Since the last poll that found it not ready; None if there was none.
    :param interval: Between two polls; None to learn it from what past videos took.
    :param model: The video's model, if known: how long videos take is estimated for each.
    """

    request_id: str
    waited: float
    first: float
    left: float
    last_polled: float | None = None
    interval: float | None = None
    model: str | None = None


@dataclass(frozen=True)
class WaitResult:
    """
    How a wait ended.

    :param status: In which way.
    :param request_id: The video's request id.
    :param last: What the last poll returned; None if there was none.
    :param deadline: Epoch seconds at which the wait was to end; None if Airflow kept the time.
    """

    status: WaitStatus
    request_id: str
    last: PollResult | None
    deadline: float | None

    def video(self) -> VideoStatus:
        """
        Return the video that is ready.

        :return: Its status, with a URL.
        :raises SiliconFlowError: if it is not: see :meth:`error`.
        """
        if self.status is WaitStatus.READY and isinstance(self.last, VideoStatus):
            return self.last
        raise self.error() from (self.last if isinstance(self.last, SiliconFlowError) else None)

    def error(self) -> SiliconFlowError:
        """
        Make the error for a video that is not ready.

        :return: A :class:`.VideoFailedError`, :class:`.VideoTimeoutError` or :class:`.VideoUnavailableError`, with its
            billing; for a wait without a request id, the :class:`.InvalidArgumentError` of its poll.
        """
        if self.status is WaitStatus.FAILED and isinstance(self.last, VideoStatus):
            trace = f" (trace id {self.last.trace_id})" if self.last.trace_id else ""
            reason = self.last.reason or "(no reason given)"
            text = f"SiliconFlow could not make video {self.request_id}: {reason}{trace}."
            return VideoFailedError(text, request_id=self.request_id, reason=self.last.reason)
        if self.status is WaitStatus.TIMED_OUT:
            until = ""
            if self.deadline is not None:
                until = f" by {datetime.fromtimestamp(self.deadline, tz=UTC).isoformat(timespec='seconds')}"
            text = f"Video {self.request_id} was not ready{until}; {describe(self.last)}"
            return VideoTimeoutError(text, billing=Billing.RUNNING, request_id=self.request_id)
        if isinstance(self.last, InvalidArgumentError):
            return self.last
        text = f"Every poll of video {self.request_id} was rejected for a grace period; {describe(self.last)}"
        return VideoUnavailableError(text, billing=Billing.RUNNING, request_id=self.request_id)


@dataclass
class Wait:
    """
    One wait for one paid video; times are epoch seconds.

    :param request_id: The video's request id.
    :param deadline: When the wait ends; None if Airflow keeps the time.
    :param rejected_since: When the first of an unbroken row of rejected polls came; None if the last was not rejected.
    :param last: What the last poll returned; None before the first.
    :param polls: Polls so far.
    :param errors: Those of them that failed or were rejected.
    """

    request_id: str
    deadline: float | None = None
    rejected_since: float | None = None
    last: PollResult | None = None
    polls: int = 0
    errors: int = 0

    def evaluate(self, poll: PollResult, *, now: float) -> WaitResult | None:
        """
        Decide what a poll means; no single error of the service ends the wait before its deadline.

        A rejected key or account (401, 402, 403) says nothing about the video, and an outage ends by itself: both are
        waited out. Any other rejection ends the wait once nothing else came for a grace period.

        :param poll: What the poll returned.
        :param now: When, in epoch seconds.
        :return: How the wait ended, or None to keep waiting.
        """
        self.last = poll
        self.polls += 1
        self.errors += isinstance(poll, SiliconFlowError)
        if isinstance(poll, VideoStatus) and poll.status is VideoState.SUCCEED:
            return self._ended(WaitStatus.READY, poll)
        if isinstance(poll, VideoStatus) and poll.status is VideoState.FAILED:
            return self._ended(WaitStatus.FAILED, poll)
        grace = grace_for(poll)
        if grace is None:
            self.rejected_since = None
        elif self.rejected_since is None or self.rejected_since > now:
            self.rejected_since = now
        if self.deadline is not None and now >= self.deadline and grace != 0:
            return self._ended(WaitStatus.TIMED_OUT, poll)
        if grace is not None and self.rejected_since is not None and now - self.rejected_since >= grace:
            return self._ended(WaitStatus.REJECTED, poll)
        return None

    def _ended(self, status: WaitStatus, poll: PollResult) -> WaitResult:
        return WaitResult(status, self.request_id, poll, self.deadline)


def is_account_error(poll: PollResult) -> bool:
    """
    Return whether a poll was rejected for the key or the account, which says nothing about the video.

    :param poll: What the poll returned.
    :return: Whether it was.
    """
    return isinstance(poll, ACCOUNT_ERRORS) or (
        isinstance(poll, SiliconFlowAPIError) and poll.status_code in _ACCOUNT_STATUSES
    )


def grace_for(poll: PollResult) -> float | None:
    """
    Return for how long nothing but such polls must come before a wait ends.

    :param poll: What a poll returned.
    :return: Seconds; None for what is waited out until the deadline, 0 where nothing can be polled at all.
    """
    if isinstance(poll, VideoStatus) or is_account_error(poll):
        return None
    if isinstance(poll, InvalidArgumentError):
        return 0.0
    if isinstance(poll, SiliconFlowConfigError):
        return CONNECTION_GRACE
    return None if classify_failure(Route.FREE, poll) is FailureKind.RETRY else REJECTION_GRACE


def failed_poll(error: Exception, secrets: Iterable[str] = ()) -> SiliconFlowError:
    """
    Make an error of this package from any that a poll raised: it must not end the wait for a paid video by itself.

    :param error: What was raised.
    :param secrets: What must not be shown of it.
    :return: The error itself if it is of this package, else one that is waited out.
    """
    if isinstance(error, SiliconFlowError):
        return error
    if isinstance(error, AirflowNotFoundException):
        # Airflow reports an outage of its database, vault or API in the same way.
        return SiliconFlowConfigError(f"The Airflow connection is not found: {excerpt(str(error), secrets)}")
    return SiliconFlowConnectionError(describe_error(error, secrets))


def describe(last: PollResult | None) -> str:
    """
    Describe the last poll for a log or an error, without any URL.

    :param last: What it returned; None if there was none.
    :return: The words.
    """
    if last is None:
        return "it was never polled."
    if isinstance(last, SiliconFlowError):
        return f"the last poll failed: {last}"
    position = f" at position {last.position}" if last.position is not None else ""
    return f"last polled as {last.status_text}{position}."
