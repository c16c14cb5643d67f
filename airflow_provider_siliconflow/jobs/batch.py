"""A list of videos as plain data: what is asked for, what became of each, and the manifest that tells it."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from enum import StrEnum
from typing import Any

from airflow_provider_siliconflow.client.models import VideoRequest
from airflow_provider_siliconflow.exceptions import InvalidVideoRequestError

_FIELDS = {each.name for each in fields(VideoRequest)}


class ItemState(StrEnum):
    """Name what can become of a request."""

    ARCHIVED = "archived"
    #: Refused before it was submitted, or by the submit: it cost nothing.
    REJECTED = "rejected"
    #: Not submitted, and not billed, for a reason that may pass; a retry submits it.
    NOT_SUBMITTED = "not_submitted"
    #: The service could not make the video, or does not know it any more.
    FAILED = "failed"
    #: Something may be paid for that nobody can get hold of: the answer of a submit is lost, or the record tells of
    #: another request.
    UNKNOWN = "unknown"
    #: Not ready in time; it keeps running at the service, and a retry takes it up.
    TIMED_OUT = "timed_out"
    #: Submitted, but not archived for a reason that may pass; a retry takes it up.
    NOT_ARCHIVED = "not_archived"


@dataclass(frozen=True)
class BatchItem:
    """
    Hold what became of one request.

    :param index: Its place in the list, from 0.
    :param state: What became of it.
    :param request_id: The video's id, if it has one.
    :param path: Where the video is, if it was made.
    :param reason: Why there is none.
    :param cost: What it cost, in words; empty for nothing.
    """

    index: int
    state: ItemState
    request_id: str | None = None
    path: str | None = None
    reason: str = ""
    cost: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the row as plain JSON."""
        return asdict(self) | {"state": self.state.value}

    def to_state(self) -> dict[str, Any]:
        """Return what of the row is not empty, as plain JSON: hundreds of rows travel with each deferral."""
        return {name: value for name, value in self.to_json().items() if value not in (None, "")}

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> BatchItem:
        """Read what :meth:`to_json` or :meth:`to_state` wrote."""
        return cls(**{**row, "state": ItemState(row["state"])})


def read_items(requests: Any, defaults: Mapping[str, Any]) -> list[dict[str, Any]]:
    """
    Read the list that a user gave.

    :param requests: A list of prompts, or of mappings with the fields of :class:`VideoRequest`.
    :param defaults: Fields for those that do not say.
    :return: For each request, all fields of a :class:`VideoRequest`, not checked yet.
    :raises InvalidVideoRequestError: if it is no such list. A single text is refused: as a list, each of its letters
        would be a paid video.
    """
    if isinstance(requests, (str, bytes, Mapping)) or not isinstance(requests, Sequence) or not requests:
        empty = "an empty " if isinstance(requests, Sequence) and not requests else ""
        raise InvalidVideoRequestError(
            f"requests must be a list with at least one prompt or mapping; got {empty}{type(requests).__name__}. A"
            " template renders to a text: give another task's output as it is, or set render_template_as_native_obj"
            " on the DAG."
        )
    return [{**defaults, **_read_item(index, item)} for index, item in enumerate(requests)]


def _read_item(index: int, item: Any) -> dict[str, Any]:
    if isinstance(item, str):
        return {"prompt": item}
    if not isinstance(item, Mapping):
        raise InvalidVideoRequestError(f"requests[{index}] is neither a prompt nor a mapping: {type(item).__name__}.")
    if unknown := set(item) - _FIELDS:
        raise InvalidVideoRequestError(
            f"requests[{index}] has fields that no request has: {', '.join(sorted(map(str, unknown)))}."
        )
    return dict(item)


def keys(items: Sequence[Mapping[str, Any]]) -> list[str]:
    """
    Return a key for each request by its content, so that it is found again wherever it stands in a later list.

    Requests that are alike are told apart by their order.
    """
    seen: Counter[str] = Counter()
    found = []
    for item in items:
        content = json.dumps({name: item[name] for name in item if item[name] is not None}, sort_keys=True, default=str)
        digest = hashlib.sha256(content.encode()).hexdigest()[:16]
        found.append(f"{digest}.{seen[digest]}")
        seen[digest] += 1
    return found


def manifest(rows: Sequence[BatchItem]) -> dict[str, Any]:
    """Return how many ended in which way, and one row for each request, in the order of the list."""
    counts = Counter(row.state for row in rows)
    return {
        **{state.value: counts[state] for state in ItemState},
        "videos": [row.to_json() for row in sorted(rows, key=lambda row: row.index)],
    }


@dataclass(frozen=True)
class PendingVideo:
    """
    Hold a video under way.

    :param request_id: Its id.
    :param submitted_at: Epoch seconds.
    :param model: The model asked for.
    :param trace_id: ``x-siliconcloud-trace-id`` of the submit, if it came.
    :param last_polled: Epoch seconds at which it was last seen not to be ready, if it was.
    """

    request_id: str
    submitted_at: float
    model: str
    trace_id: str | None = None
    last_polled: float | None = None

    def times(self) -> list[float]:
        """Return when it was submitted, and when it was last known not to be ready (epoch seconds)."""
        return [self.submitted_at, self.last_polled or self.submitted_at]


@dataclass
class Progress:
    """
    Hold how far a list has come; travels through the trigger, so it is plain JSON and small.

    :param accepted_at: Epoch seconds of the last submit that was accepted, or of the start.
    :param keys: What each index stood for; see :func:`keys`.
    :param deadline: Epoch seconds after which no video is waited for.
    :param refusals: Submits refused for now in a row.
    :param flying: Videos under way, by index.
    :param rows: What is decided.
    """

    accepted_at: float
    keys: list[str] = field(default_factory=list)
    deadline: float = 0.0
    refusals: int = 0
    pending: dict[int, PendingVideo] = field(default_factory=dict)
    rows: list[BatchItem] = field(default_factory=list)

    def missing(self, count: int) -> list[int]:
        """Return the indexes, of so many, that nothing was decided of and that are not under way."""
        known = {row.index for row in self.rows} | set(self.pending)
        return [index for index in range(count) if index not in known]

    def follow(self, keys: list[str]) -> list[PendingVideo]:
        """
        Take up another list, for the list is rendered anew whenever the task resumes.

        :param keys: Of the list as it is now.
        :return: The videos under way that are asked for no more.
        """
        now_at = {key: index for index, key in enumerate(keys)}
        moved = [now_at.get(key) for key in self.keys]
        old, self.keys = self.pending, keys
        self.pending = {new: pending_video for index, pending_video in old.items() if (new := moved[index]) is not None}
        self.rows = [replace(row, index=new) for row in self.rows if (new := moved[row.index]) is not None]
        return [pending_video for index, pending_video in old.items() if moved[index] is None]

    def polled(self, times: Mapping[str, float]) -> None:
        """
        Note when videos under way were last seen not to be ready.

        :param times: Epoch seconds, by request id.
        """
        for index, pending_video in self.pending.items():
            if pending_video.request_id in times:
                self.pending[index] = replace(pending_video, last_polled=times[pending_video.request_id])

    def land(self, row: BatchItem) -> None:
        """Note what became of a request."""
        self.pending.pop(row.index, None)
        self.rows.append(row)

    def to_json(self) -> dict[str, Any]:
        """Return the progress as plain JSON."""
        return {
            **vars(self),
            "pending": {str(index): list(vars(video).values()) for index, video in self.pending.items()},
            "rows": [row.to_state() for row in self.rows],
        }

    @classmethod
    def from_json(cls, state: Mapping[str, Any]) -> Progress:
        """Read what :meth:`to_json` wrote."""
        return cls(
            **{
                **state,
                "pending": {
                    int(index): PendingVideo(*pending_video) for index, pending_video in state["pending"].items()
                },
                "rows": [BatchItem.from_json(row) for row in state["rows"]],
            }
        )
