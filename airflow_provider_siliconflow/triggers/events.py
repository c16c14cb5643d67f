"""The events of all triggers: made and read in one place, for a release before or after this one as well."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from airflow_provider_siliconflow.client.masking import excerpt
from airflow_provider_siliconflow.polling.decision import CONNECTION_GRACE, Wait, WaitResult, WaitStatus

if TYPE_CHECKING:
    from typing import Self

#: Version of the events and of the triggers' arguments. Fields that a release does not know are ignored by it.
VERSION = 1
#: Epoch seconds beyond which a time is none.
_END_OF_TIME = 1e11
#: Characters of an event that are worth showing.
_EXCERPT = 80


@dataclass(frozen=True)
class Event(ABC):
    """
    What a trigger tells its task; plain JSON without a URL, for Airflow logs events.

    :param message: Why the trigger failed, or its event cannot be read; empty otherwise.
    """

    message: str = field(default="", kw_only=True)

    def encode(self) -> dict[str, Any]:
        """
        Return the event for Airflow.

        :return: Plain JSON.
        """
        return {"version": VERSION, **asdict(self)}

    @classmethod
    def decode(cls, event: Any) -> Self:
        """
        Read an event, whatever it is.

        :param event: What Airflow handed to the task.
        :return: What could be read of it; its ``message`` tells whether that is not all.
        """
        given = event if isinstance(event, Mapping) else {}
        found, is_whole = cls._read(given)
        # That of another release may not be masked.
        message = excerpt(str(given.get("message") or ""))
        if not message and not is_whole:
            message = f"the event cannot be read: {excerpt(repr(event), length=_EXCERPT)}"
        return replace(found, message=message)

    @classmethod
    @abstractmethod
    def _read(cls, given: Mapping[str, Any]) -> tuple[Self, bool]:
        """Return what can be read, and whether nothing is missing that a task needs."""


@dataclass(frozen=True)
class PollEvent(Event):
    """
    What a trigger that polls tells its task.

    :param polls: Polls that it made; the task counts them as a metric, which is not for an event loop.
    :param poll_errors: Those of them that failed or were rejected.
    """

    polls: int = field(default=0, kw_only=True)
    poll_errors: int = field(default=0, kw_only=True)

    @classmethod
    def decode(cls, event: Any) -> Self:
        """
        Read an event, whatever it is.

        :param event: As for :meth:`Event.decode`.
        :return: So is this.
        """
        given = event if isinstance(event, Mapping) else {}
        polls, errors = (int(read_seconds(given.get(name)) or 0) for name in ("polls", "poll_errors"))
        return replace(super().decode(event), polls=polls, poll_errors=errors)


@dataclass(frozen=True)
class WaitEvent(PollEvent):
    """
    What the trigger of one video tells the task.

    :param status: How the wait ended; None if the trigger failed, or its event cannot be read.
    :param request_id: The video's request id; empty if unknown.
    :param deadline: Epoch seconds; None if unknown.
    :param first_poll_after: Seconds after which the deferral polled first; 0 if unknown.
    :param min_wait: Seconds before which the deferral could not end without a video; 0 if unknown.
    """

    status: WaitStatus | None
    request_id: str = ""
    deadline: float | None = None
    first_poll_after: float = 0.0
    min_wait: float = 0.0

    @classmethod
    def of(cls, result: WaitResult, first_poll_after: float, min_wait: float = 0.0) -> Self:
        """
        Make the event for how a wait ended.

        :param result: How it ended.
        :param first_poll_after: Seconds after which the deferral polled first.
        :param min_wait: Seconds before which it could not end without a video.
        :return: The event.
        """
        return cls(result.status, result.request_id, result.deadline, first_poll_after, min_wait)

    def encode(self) -> dict[str, Any]:
        """
        Return the event for Airflow.

        :return: Plain JSON.
        """
        return {**super().encode(), "status": self.status.value if self.status else "error"}

    @classmethod
    def _read(cls, given: Mapping[str, Any]) -> tuple[Self, bool]:
        deadline, request_id = read_time(given.get("deadline")), given.get("request_id")
        status = None if deadline is None else read_status(given.get("status"))
        first, least = (read_seconds(given.get(name)) or 0.0 for name in ("first_poll_after", "min_wait"))
        event = cls(status, request_id if isinstance(request_id, str) else "", deadline, first, least)
        return event, status is not None

    def wait(self, request_id: str, *, now: float) -> Wait:
        """
        Return the wait as the woken task takes it on.

        :param request_id: The video's request id, which the task knows best.
        :param now: Epoch seconds.
        :return: The wait.
        """
        spent = now - CONNECTION_GRACE if self.status is WaitStatus.REJECTED else None
        return Wait(request_id, self.deadline, rejected_since=spent)


@dataclass(frozen=True)
class BatchEvent(PollEvent):
    """
    What the trigger of many videos tells the task.

    :param ended: How the waits ended that did, by request id; None where the trigger does not tell.
    :param last_polled: Epoch seconds of the last poll that found a video not ready, by request id.
    :param state: What the task gave to the trigger; None if it cannot be read.
    :param min_wait: Seconds before which the deferral could not end without a video; 0 if unknown.
    """

    ended: dict[str, WaitStatus | None] = field(default_factory=dict)
    last_polled: dict[str, float] = field(default_factory=dict)
    state: dict[str, Any] | None = None
    min_wait: float = 0.0

    def encode(self) -> dict[str, Any]:
        """
        Return the event for Airflow.

        :return: Plain JSON.
        """
        return {**super().encode(), "ended": {key: str(status) for key, status in self.ended.items()}}

    @classmethod
    def _read(cls, given: Mapping[str, Any]) -> tuple[Self, bool]:
        ended, polled, state = given.get("ended"), given.get("last_polled"), given.get("state")
        if isinstance(ended, list):
            ended = {request_id: None for request_id in ended if isinstance(request_id, str)}
        statuses, times = (value if isinstance(value, Mapping) else {} for value in (ended, polled))
        event = cls(
            {str(request_id): read_status(status) for request_id, status in statuses.items()},
            {str(request_id): time for request_id, value in times.items() if (time := read_time(value)) is not None},
            dict(state) if isinstance(state, Mapping) else None,
            read_seconds(given.get("min_wait")) or 0.0,
        )
        return event, isinstance(state, Mapping) and isinstance(ended, Mapping)


@dataclass(frozen=True)
class SubmitRetryEvent(Event):
    """
    What the trigger of a submit that was rejected temporarily tells the task.

    :param since: Epoch seconds of the first rejection; None if unknown.
    :param rejections: Rejections so far.
    """

    since: float | None = None
    rejections: int = 1

    @classmethod
    def _read(cls, given: Mapping[str, Any]) -> tuple[Self, bool]:
        since, rejections = read_time(given.get("since")), given.get("rejections")
        if not isinstance(rejections, int) or isinstance(rejections, bool):
            return cls(since), False
        return cls(since, max(1, rejections)), since is not None and rejections >= 1

    def first_rejection(self, *, now: float) -> float:
        """
        Return when the submit was rejected first.

        :param now: Epoch seconds; the answer where the event does not tell, or tells a time to come.
        :return: Epoch seconds.
        """
        return now if self.since is None else min(self.since, now)


def read_status(value: Any) -> WaitStatus | None:
    """
    Read a wait status.

    :param value: Anything.
    :return: The status, or None for anything else.
    """
    return WaitStatus(value) if isinstance(value, str) and value in [*WaitStatus] else None


def read_time(value: Any) -> float | None:
    """
    Read a time.

    :param value: Anything.
    :return: Epoch seconds, or None for anything else.
    """
    seconds = read_seconds(value)
    return seconds if seconds is not None and seconds < _END_OF_TIME else None


def read_seconds(value: Any) -> float | None:
    """
    Read a number of seconds.

    :param value: Anything.
    :return: Seconds, 0 or more and not absurd, or None for anything else.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if 0 <= value < 1e15 else None
