"""A list of videos as plain data: what is asked for, what became of each, and the manifest that tells it."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from typing import Any

from airflow_provider_siliconflow.api.video import VideoRequest
from airflow_provider_siliconflow.exceptions import InvalidVideoRequestError

_FIELDS = {each.name for each in fields(VideoRequest)}


class RowState(StrEnum):
    """Name what can become of a request."""

    DONE = "done"
    #: Refused before it was submitted, or by the submit.
    REFUSED = "refused"
    #: The service could not make the video.
    FAILED = "failed"
    #: A submit was sent and its answer is lost.
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Row:
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
    state: RowState
    request_id: str | None = None
    path: str | None = None
    reason: str = ""
    cost: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the row as plain JSON."""
        return asdict(self) | {"state": self.state.value}

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> Row:
        """Read what :meth:`to_json` wrote."""
        return cls(**{**row, "state": RowState(row["state"])})


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
        raise InvalidVideoRequestError(
            f"requests must be a list, with at least one prompt or mapping; got {type(requests).__name__}."
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
        digest = hashlib.sha256(json.dumps(item, sort_keys=True, default=str).encode()).hexdigest()[:16]
        found.append(f"{digest}.{seen[digest]}")
        seen[digest] += 1
    return found


def manifest(rows: Sequence[Row]) -> dict[str, Any]:
    """Return how many ended in which way, and one row for each request, in the order of the list."""
    counts = Counter(row.state for row in rows)
    return {
        **{state.value: counts[state] for state in RowState},
        "videos": [row.to_json() for row in sorted(rows, key=lambda row: row.index)],
    }


@dataclass
class Progress:
    """
    Hold how far a list has come; travels through the trigger, so it is plain JSON and small.

    :param accepted_at: Epoch seconds of the last submit that was accepted, or of the start.
    :param deadline: Epoch seconds after which no video is waited for.
    :param refusals: Submits refused for now in a row.
    :param flying: Request ids of videos under way, by index.
    :param submitted: Epoch seconds at which they were submitted, by request id.
    :param rows: What is decided.
    :param unsafe: What a retry has to mend: videos that are paid for and not archived, one sentence each.
    """

    accepted_at: float
    deadline: float = 0.0
    refusals: int = 0
    flying: dict[int, str] = field(default_factory=dict)
    submitted: dict[str, float] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)
    unsafe: list[str] = field(default_factory=list)

    def missing(self, count: int) -> list[int]:
        """Return the indexes, of so many, that nothing was decided of and that are not under way."""
        known = {row.index for row in self.rows} | set(self.flying)
        return [index for index in range(count) if index not in known]

    def to_json(self) -> dict[str, Any]:
        """Return the progress as plain JSON."""
        return {
            **vars(self),
            "flying": {str(index): request_id for index, request_id in self.flying.items()},
            "rows": [row.to_json() for row in self.rows],
        }

    @classmethod
    def from_json(cls, state: Mapping[str, Any]) -> Progress:
        """Read what :meth:`to_json` wrote."""
        return cls(
            **{
                **state,
                "flying": {int(index): request_id for index, request_id in state["flying"].items()},
                "rows": [Row.from_json(row) for row in state["rows"]],
            }
        )
