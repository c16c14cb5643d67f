"""The events of all triggers: made and read in one place, for a release before or after this one as well."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from airflow_provider_siliconflow.client.masking import excerpt
from airflow_provider_siliconflow.polling.decision import CONNECTION_GRACE, Wait, WaitResult, WaitStatus

#: Version of the events and of the triggers' arguments. Fields that a release does not know are ignored by it.
VERSION = 1
#: Epoch seconds beyond which a time is none.
_END_OF_TIME = 1e11
#: Characters of an event that are worth showing.
_EXCERPT = 80


@dataclass(frozen=True)
class WaitEvent:
    """
    What the trigger of one video tells the task; plain JSON without a URL, for Airflow logs events.

    :param status: How the wait ended; None if the trigger failed, or its event cannot be read.
    :param request_id: The video's request id; empty if unknown.
    :param deadline: Epoch seconds; None if unknown.
    :param first_poll_after: Seconds after which the deferral polled first; 0 if unknown.
    :param min_wait: Seconds before which the deferral could not end without a video; 0 if unknown.
    :param message: Why the status is None.
    """

    status: WaitStatus | None
    request_id: str = ""
    deadline: float | None = None
    first_poll_after: float = 0.0
    min_wait: float = 0.0
    message: str = ""

    @classmethod
    def of(cls, result: WaitResult, first_poll_after: float, min_wait: float = 0.0) -> WaitEvent:
        """Return the event for how a wait ended."""
        return cls(result.status, result.request_id, result.deadline, first_poll_after, min_wait)

    def encode(self) -> dict[str, Any]:
        """Return the event as plain JSON."""
        return {"version": VERSION, **asdict(self), "status": self.status.value if self.status else "error"}

    def wait(self, request_id: str, *, now: float) -> Wait:
        """
        Return the wait as the woken task takes it on.

        :param request_id: The video's request id, which the task knows best.
        :param now: Epoch seconds.
        """
        spent = now - CONNECTION_GRACE if self.status is WaitStatus.REJECTED else None
        return Wait(request_id, self.deadline, rejected_since=spent)


@dataclass(frozen=True)
class BatchEvent:
    """
    What the trigger of many videos tells the task.

    :param ended: How the waits ended that did, by request id; None where the trigger does not tell.
    :param last_polled: Epoch seconds of the last poll that found a video not ready, by request id.
    :param state: What the task gave to the trigger; None if it cannot be read.
    :param min_wait: Seconds before which the deferral could not end without a video; 0 if unknown.
    :param message: Why the trigger failed, or its event cannot be read; empty otherwise.
    """

    ended: dict[str, WaitStatus | None] = field(default_factory=dict)
    last_polled: dict[str, float] = field(default_factory=dict)
    state: dict[str, Any] | None = None
    min_wait: float = 0.0
    message: str = ""

    def encode(self) -> dict[str, Any]:
        """Return the event as plain JSON."""
        return {"version": VERSION, **asdict(self), "ended": {key: str(how) for key, how in self.ended.items()}}


@dataclass(frozen=True)
class SubmitRetryEvent:
    """
    What the trigger of a submit that was rejected temporarily tells the task.

    :param since: Epoch seconds of the first rejection.
    :param rejections: Rejections so far.
    """

    since: float
    rejections: int

    def encode(self) -> dict[str, Any]:
        """Return the event as plain JSON."""
        return {"version": VERSION, **asdict(self)}


def decode(event: Any) -> WaitEvent:
    """
    Read the event of the trigger of one video, whatever it is.

    :param event: What Airflow handed to the task.
    :return: The event; its ``status`` is None if the trigger failed or the event cannot be read.
    """
    if not isinstance(event, Mapping):
        return WaitEvent(None, message=_unreadable(event))
    status, deadline = read_status(event.get("status")), read_time(event.get("deadline"))
    request_id = event.get("request_id")
    message = "" if status and deadline is not None else _message(event) or _unreadable(event)
    return WaitEvent(
        status if not message else None,
        request_id if isinstance(request_id, str) else "",
        deadline,
        read_seconds(event.get("first_poll_after")) or 0.0,
        read_seconds(event.get("min_wait")) or 0.0,
        message,
    )


def decode_batch(event: Any) -> BatchEvent:
    """
    Read the event of the trigger of many videos, whatever it is.

    :param event: What Airflow handed to the task.
    :return: The event; its ``message`` tells if the trigger failed or the event cannot be read.
    """
    if not isinstance(event, Mapping):
        return BatchEvent(message=_unreadable(event))
    ended, polled, state = event.get("ended"), event.get("last_polled"), event.get("state")
    statuses = ended if isinstance(ended, Mapping) else dict.fromkeys(_texts(ended))
    times = polled if isinstance(polled, Mapping) else {}
    is_whole = isinstance(state, Mapping) and isinstance(ended, (Mapping, list))
    return BatchEvent(
        {str(request_id): read_status(how) for request_id, how in statuses.items()},
        {str(request_id): time for request_id, value in times.items() if (time := read_time(value)) is not None},
        dict(state) if isinstance(state, Mapping) else None,
        read_seconds(event.get("min_wait")) or 0.0,
        _message(event) or ("" if is_whole else _unreadable(event)),
    )


def decode_submit_retry(event: Any, *, now: float) -> SubmitRetryEvent:
    """
    Read the event of the trigger of a rejected submit, whatever it is.

    :param event: What Airflow handed to the task.
    :param now: Epoch seconds; the first rejection, where the event does not tell.
    """
    given = event if isinstance(event, Mapping) else {}
    since, rejections = read_time(given.get("since")), given.get("rejections")
    count = rejections if isinstance(rejections, int) and not isinstance(rejections, bool) else 1
    return SubmitRetryEvent(now if since is None else min(since, now), max(1, count))


def read_status(value: Any) -> WaitStatus | None:
    """Return a wait status, or None for anything else."""
    return WaitStatus(value) if isinstance(value, str) and value in [*WaitStatus] else None


def read_time(value: Any) -> float | None:
    """Return epoch seconds, or None for anything else."""
    seconds = read_seconds(value)
    return seconds if seconds is not None and seconds < _END_OF_TIME else None


def read_seconds(value: Any) -> float | None:
    """Return a number of seconds that is 0 or more and not absurd, or None for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if 0 <= value < 1e15 else None


def _texts(values: Any) -> list[str]:
    return [value for value in values if isinstance(value, str)] if isinstance(values, list) else []


def _unreadable(event: Any) -> str:
    return f"the event cannot be read: {excerpt(repr(event), length=_EXCERPT)}"


def _message(event: Mapping[str, Any]) -> str:
    """Return the message of an event, which a trigger of another release may not have masked."""
    return excerpt(str(event.get("message") or ""))
