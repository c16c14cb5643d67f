"""What a look at a video means: keep waiting, or the one final outcome. Every mode of waiting asks here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from airflow_provider_siliconflow.client.models import VideoState, VideoStatus
from airflow_provider_siliconflow.client.retry import FailureKind, Route, classify_failure
from airflow_provider_siliconflow.exceptions import SiliconFlowError, VideoFailedError, VideoTimeoutError

#: Seconds between two looks of a worker that waits.
DEFAULT_POKE_INTERVAL = 15.0
#: The method by which Airflow resumes a task whose deferral came to nothing, and the reason it gives where nobody came
#: in time (``TRIGGER_FAIL_REPR`` and ``TriggerFailureReason`` in ``airflow/sdk/bases/operator.py``).
FAILED_DEFERRAL = "__fail__"
_TRIGGER_TIMEOUT = "Trigger timeout"


class WaitStatus(StrEnum):
    """Name the ways a wait ends."""

    READY = "ready"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    #: The service will not tell about this video, however often it is asked.
    REJECTED = "rejected"


@dataclass(frozen=True)
class WaitResult:
    """
    Hold how a wait ended.

    :param ending: Which way.
    :param request_id: The video.
    :param last: What the last look brought.
    :param deadline: Epoch seconds at which the wait was to end.
    """

    ending: WaitStatus
    request_id: str
    last: VideoStatus | SiliconFlowError
    deadline: float | None

    def result(self) -> VideoStatus:
        """
        Return the video that is ready, or raise what happened to it.

        :raises VideoFailedError: if the service could not make it.
        :raises VideoTimeoutError: if the deadline passed.
        :raises SiliconFlowError: if the service will not tell.
        """
        if isinstance(self.last, SiliconFlowError) and self.ending is WaitStatus.REJECTED:
            raise self.last
        if self.ending is WaitStatus.TIMED_OUT:
            raise VideoTimeoutError(timeout_message(self.request_id, self.last, self.deadline))
        assert isinstance(self.last, VideoStatus)
        if self.ending is WaitStatus.FAILED:
            reason = self.last.reason
            raise VideoFailedError(
                f"SiliconFlow could not make video {self.request_id}: {reason or '(no reason given)'}"
                f"{f' (trace id {self.last.trace_id})' if self.last.trace_id else ''}.",
                request_id=self.request_id,
                reason=reason,
            )
        return self.last


def evaluate(
    request_id: str, look: VideoStatus | SiliconFlowError, *, now: float, deadline: float | None
) -> WaitResult | None:
    """
    Say what a look means.

    :param request_id: The video that was looked at.
    :param look: What came back: a status, or how the look failed.
    :param now: Epoch seconds.
    :param deadline: Epoch seconds after which waiting ends; None if somebody else keeps the time.
    :return: How the wait ended, or None to keep waiting.
    """

    def ended(ending: WaitStatus) -> WaitResult:
        return WaitResult(ending, request_id, look, deadline)

    if isinstance(look, VideoStatus):
        if look.status is VideoState.SUCCEED:
            return ended(WaitStatus.READY)
        if look.status is VideoState.FAILED:
            return ended(WaitStatus.FAILED)
    elif classify_failure(Route.FREE, look) is FailureKind.PERMANENT:
        return ended(WaitStatus.REJECTED)
    return ended(WaitStatus.TIMED_OUT) if deadline is not None and now >= deadline else None


def timeout_message(request_id: str, last: VideoStatus | SiliconFlowError | None, deadline: float | None) -> str:
    """Say that time is up and what that means for the video."""
    until = ""
    if deadline is not None:
        until = f" by {datetime.fromtimestamp(deadline, tz=UTC).isoformat(timespec='seconds')}"
    return (
        f"Video {request_id} was not ready{until}; {describe(last)} It was submitted, keeps running at the service and"
        " is billed: nothing can cancel it."
    )


def describe(last: VideoStatus | SiliconFlowError | None) -> str:
    """Put the last look into words for a log."""
    if last is None:
        return "it was never seen."
    if isinstance(last, SiliconFlowError):
        return f"the last look failed: {last}"
    place = f" at place {last.position}" if last.position is not None else ""
    return f"last seen {last.status_text}{place}."


def event_of(outcome: WaitResult) -> dict[str, Any]:
    """
    Put an outcome into what a trigger hands on: plain JSON, and no link, for events are logged.

    The resumed task looks for itself; the event tells it only that a look is worth it, and until when it may wait.
    """
    return {"ending": outcome.ending.value, "request_id": outcome.request_id, "deadline": outcome.deadline}


def event_of_failed_deferral(request_id: str, kwargs: Mapping[str, Any] | None, *, now: float) -> dict[str, Any]:
    """
    Put a deferral that came to nothing into the form of an event: the task looks for itself then, as after any.

    :param request_id: The video that was waited for.
    :param kwargs: What Airflow tells of the failure.
    :param now: Epoch seconds; the deadline, if Airflow has seen it pass.
    """
    error = (kwargs or {}).get("error")
    if error == _TRIGGER_TIMEOUT:
        return {"ending": WaitStatus.TIMED_OUT.value, "request_id": request_id, "deadline": now}
    return {"ending": "broken", "request_id": request_id, "message": f"{kwargs}"}


def evaluate_after_event(
    request_id: str, event: Any, look: VideoStatus | SiliconFlowError, *, now: float, later: str
) -> tuple[WaitResult | None, float]:
    """
    Say what a look means to a task that a trigger has woken.

    :param request_id: The video that was looked at.
    :param event: What the trigger handed on.
    :param look: What the woken task saw itself.
    :param now: Epoch seconds.
    :param later: What a retry makes of it and costs, in a sentence for errors.
    :return: How the wait ended, or None to defer again; and the wait's deadline in epoch seconds.
    :raises SiliconFlowError: if the trigger broke off, or is refused what the worker is not.
    """
    is_whole = isinstance(event, dict) and event.get("ending") in [*WaitStatus]
    deadline = float(event["deadline"]) if is_whole else None
    outcome = evaluate(request_id, look, now=now, deadline=deadline)
    if outcome is None and deadline is None:
        raise SiliconFlowError(
            f"The trigger that waited for video {request_id} broke off: {event!r}. {_GOES_ON} {later}"
        )
    if outcome is None and event["ending"] == WaitStatus.REJECTED:
        raise SiliconFlowError(
            f"The triggerer is refused a look at video {request_id}, the worker is not: do both see the same"
            f" connection? {_GOES_ON} {later}"
        )
    return outcome, now if deadline is None else deadline


_GOES_ON = "The video keeps running at the service and is billed."
