"""A list of videos as plain data: what became of each, what is pending, and the manifest that tells it."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import asdict, dataclass, field, fields, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Self

from airflow_provider_siliconflow.billing import Billing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_provider_siliconflow.client.prices import Price
    from airflow_provider_siliconflow.exceptions import SiliconFlowError

#: Version of the state that travels through the trigger.
VERSION = 1


class ItemState(StrEnum):
    """What can become of a request."""

    ARCHIVED = "archived"
    #: Rejected before it was submitted, or by the submit: it cost nothing.
    REJECTED = "rejected"
    #: Not submitted, and not billed, for a reason that may pass.
    NOT_SUBMITTED = "not_submitted"
    #: The service could not make the video.
    FAILED = "failed"
    #: The answer of a submit is lost: a video may be paid for that no task can reach.
    UNKNOWN = "unknown"
    #: Paid for by an earlier try with another connection or host than the task has now, which cannot reach it.
    RUNNING = "running"
    #: Not ready in time; it keeps running at the service, and a retry re-attaches to it.
    TIMED_OUT = "timed_out"
    #: Submitted, but not archived for a reason that may pass; a retry re-attaches to it.
    NOT_ARCHIVED = "not_archived"


@dataclass(frozen=True)
class BatchItem:
    """
    What became of one request.

    :param index: Its position in the list, from 0.
    :param state: What became of it.
    :param billing: What is known of the bill.
    :param request_id: The video's request id, if it has one.
    :param path: Where the video is, if it is archived.
    :param reason: Why there is none.
    """

    index: int
    state: ItemState
    billing: Billing | None = None
    request_id: str | None = None
    path: str | None = None
    reason: str = ""

    @classmethod
    def of_error(cls, index: int, state: ItemState, error: SiliconFlowError) -> Self:
        """
        Return the item of a request that ended with an error.

        :param index: Its position in the list.
        :param state: What became of it.
        :param error: The error; its ``billing`` and ``request_id`` are taken over.
        :return: The item.
        """
        billing, reason = error.billing, str(error)
        if billing is Billing.NOT_SUBMITTED:
            # The sentence of a whole task is not true of one request among others that may be billed.
            reason = f"{error.with_billing(None)} It was not submitted and costs nothing."
        return cls(index, state, billing, error.request_id, reason=reason)

    def to_json(self) -> dict[str, Any]:
        """
        Return the item as plain JSON.

        :return: All fields, the empty ones too.
        """
        return asdict(self) | {"state": self.state.value, "billing": self.billing and self.billing.value}

    def to_state(self) -> dict[str, Any]:
        """
        Return what of the item is not empty, as plain JSON: hundreds of items travel with each deferral.

        :return: The fields that are not empty.
        """
        return {name: value for name, value in self.to_json().items() if value not in (None, "")}

    @classmethod
    def from_json(cls, item: Mapping[str, Any]) -> Self:
        """
        Read what :meth:`to_json` or :meth:`to_state` wrote.

        :param item: The JSON; fields that are not known are ignored.
        :return: The item.
        """
        billing = item.get("billing")
        told = {"state": ItemState(item["state"]), "billing": Billing(billing) if billing else None}
        return cls(**_known(cls, item) | told)


@dataclass(frozen=True)
class PendingVideo:
    """
    A video that is submitted and not archived yet.

    :param request_id: Its request id.
    :param submitted_at: Epoch seconds.
    :param model: The model that was asked for.
    :param last_polled: Epoch seconds of the last poll that found it not ready, if there was one.
    :param is_recorded: Whether its record is written.
    """

    request_id: str
    submitted_at: float
    model: str
    last_polled: float | None = None
    is_recorded: bool = True

    def times(self) -> list[float]:
        """
        Return two times for its trigger.

        :return: Epoch seconds of the submit, and of when it was last known not to be ready.
        """
        return [self.submitted_at, self.last_polled or self.submitted_at]


@dataclass
class BatchState:
    """
    How far a list has come; travels through the trigger, so it is plain JSON and small.

    :param accepted_at: Epoch seconds of the last submit that was accepted, or of the start.
    :param keys: What each index stands for; see :class:`.ListedRequest`.
    :param deadline: Epoch seconds after which no video is waited for.
    :param rejections: Submits rejected temporarily in a row.
    :param pending: Videos that are submitted and not archived, by the index of their request.
    :param items: What is decided.
    """

    accepted_at: float
    keys: list[str] = field(default_factory=list)
    deadline: float = 0.0
    rejections: int = 0
    pending: dict[int, PendingVideo] = field(default_factory=dict)
    items: list[BatchItem] = field(default_factory=list)

    @classmethod
    def new(cls, keys: list[str]) -> Self:
        """
        Return the state of a list of which nothing is decided.

        :param keys: What each index stands for.
        :return: The state.
        """
        return cls(time.time(), keys)

    def missing(self, count: int) -> list[int]:
        """
        Return the indexes of which nothing is decided and whose video is not pending.

        :param count: Length of the list.
        :return: The indexes, ascending.
        """
        known = {item.index for item in self.items} | set(self.pending)
        return [index for index in range(count) if index not in known]

    def polled(self, times: Mapping[str, float]) -> None:
        """
        Note when pending videos were last found not to be ready.

        :param times: Epoch seconds, by request id.
        """
        for index, video in self.pending.items():
            if video.request_id in times:
                self.pending[index] = replace(video, last_polled=times[video.request_id])

    def complete(self, item: BatchItem) -> None:
        """
        Note what became of a request.

        :param item: Its item.
        """
        self.pending.pop(item.index, None)
        self.items.append(item)

    def request_ids(self) -> list[str]:  # noqa: DOC201  (the one line says all)
        """Return the request ids of the pending videos."""
        return [video.request_id for video in self.pending.values()]

    def to_json(self) -> dict[str, Any]:
        """
        Return the state as plain JSON.

        :return: A mapping, with its version.
        """
        return {
            "version": VERSION,
            **vars(self),
            "pending": {str(index): asdict(video) for index, video in self.pending.items()},
            "items": [item.to_state() for item in self.items],
        }

    @classmethod
    def from_json(cls, state: Mapping[str, Any]) -> Self:
        """
        Read what :meth:`to_json` wrote, by this release or one near to it.

        :param state: The JSON; fields that are not known are ignored.
        :return: The state.
        :raises ValueError: if it cannot be read.
        """
        try:
            pending = {int(at): PendingVideo(**_known(PendingVideo, video)) for at, video in state["pending"].items()}
            items = [BatchItem.from_json(item) for item in state["items"]]
            return cls(**_known(cls, state) | {"pending": pending, "items": items})
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ValueError(f"the state of the batch cannot be read: {type(error).__name__}: {error}") from error


def manifest(items: Sequence[BatchItem], prices: Sequence[Price]) -> dict[str, Any]:
    """
    Return how many requests ended in which way, and an item for each, in the order of the list.

    :param items: What became of each.
    :param prices: What the video of each request of the list costs.
    :return: A count by each :class:`ItemState`, and ``videos``, a list of mappings.
    """
    counts = Counter(item.state for item in items)
    return {
        **{state.value: counts[state] for state in ItemState},
        "videos": [
            item.to_json() | prices[item.index].estimate(item.billing)
            for item in sorted(items, key=lambda item: item.index)
        ],
    }


def _known(form: Any, given: Mapping[str, Any]) -> dict[str, Any]:
    names = {each.name for each in fields(form)}
    return {name: value for name, value in given.items() if name in names}
