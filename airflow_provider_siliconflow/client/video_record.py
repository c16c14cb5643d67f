"""
The record of one video: small, flat and plain data, which tasks push as an XCom and the gallery reads.

It is a description for people, never a source of decisions: users may edit XComs.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Any, Self

from airflow_provider_siliconflow.client.masking import mask_text

#: Version of the form. Readers ignore fields that they do not know; a change of a field's meaning counts up.
VERSION = 1
#: The XCom's key for the video of a task, and the start of it for each video of a batch.
KEY = "siliconflow_video"
#: Characters of the longest text that is kept, and of one that is no prompt or reason.
_LONG, _SHORT = 4000, 1000
_LONG_FIELDS = frozenset({"prompt", "negative_prompt", "reason"})

_DATA_URI = re.compile(r"(data:[^,]{0,60}),", re.IGNORECASE)


class RecordState(StrEnum):
    """How far a video has come."""

    #: It is pending at the service.
    SUBMITTED = "submitted"
    READY = "ready"
    ARCHIVED = "archived"
    #: Rejected before it was submitted, or by the submit: it cost nothing.
    REJECTED = "rejected"
    #: Not submitted, for a reason that may pass.
    NOT_SUBMITTED = "not_submitted"
    #: The service could not make the video.
    FAILED = "failed"
    #: The answer of a submit is lost: a video may be running and billed.
    UNKNOWN = "unknown"
    #: Paid for with another connection or host than the task has now.
    RUNNING = "running"
    #: Not ready in time; a retry polls it again.
    TIMED_OUT = "timed_out"
    #: Paid for, but not archived; a retry re-attaches to it.
    NOT_ARCHIVED = "not_archived"


#: The states that a later task of the same video replaces.
PENDING_STATES = (RecordState.SUBMITTED, RecordState.READY)


@dataclass(frozen=True, kw_only=True)
class VideoRecord:
    """
    What is known of one video; None where it is not known.

    :param state: How far it has come.
    :param request_id: Its request id.
    :param model: The model that was asked for; so the prompt, the negative prompt and the size.
    :param image: As the user gave it: a path or a URL without its query; of a data URI only the kind and the length.
    :param seed_asked: The seed that was asked for.
    :param seed: The seed that the service used.
    :param submitted_at: ISO 8601 time; so the others that end in ``_at``.
    :param ready_at: When a task saw that it was ready.
    :param waited_seconds: From the submit until then.
    :param inference_seconds: As the service tells.
    :param service_state: The service's own word at the last poll that a task made, and ``position`` in the queue.
    :param bytes: Size of the archived file; ``sha256``, ``content_type``, ``width`` and ``height`` in pixels and
        ``duration`` in seconds are of it, too.
    :param path: Where it is; ``poster`` is the path of a JPEG of it.
    :param labelled: Which labels of AI-generated video the file has; None if none was asked for.
    :param reason: Why there is none.
    :param billing: What is known of the bill, a value of :class:`~airflow_provider_siliconflow.billing.Billing`.
    :param estimated_cost: What it costs as a table of prices says, a number in ``currency``; 0 where nothing is billed,
        None where no price is known. The price is of ``price_date``, by ``price_source``.
    """

    state: str
    request_id: str | None = None
    model: str | None = None
    prompt: str | None = None
    negative_prompt: str | None = None
    image_size: str | None = None
    image: str | None = None
    seed_asked: int | None = None
    seed: int | None = None
    submitted_at: str | None = None
    ready_at: str | None = None
    archived_at: str | None = None
    waited_seconds: float | None = None
    inference_seconds: float | None = None
    service_state: str | None = None
    position: int | None = None
    polled_at: str | None = None
    bytes: int | None = None
    sha256: str | None = None
    content_type: str | None = None
    width: int | None = None
    height: int | None = None
    duration: float | None = None
    path: str | None = None
    poster: str | None = None
    labelled: str | None = None
    reason: str | None = None
    billing: str | None = None
    estimated_cost: float | None = None
    currency: str | None = None
    price_date: str | None = None
    price_source: str | None = None

    def to_json(self) -> dict[str, Any]:
        """
        Return what is known as flat JSON.

        :return: With the version of the form; texts are cut to what a person reads.
        """
        told = {name: _storable(name, value) for name, value in asdict(self).items()}
        return {"version": VERSION, **{name: value for name, value in told.items() if value is not None}}

    @classmethod
    def from_json(cls, value: object) -> Self | None:
        """
        Read what :meth:`to_json` or a manifest tells.

        :param value: Anything; fields of another type than theirs count as not known.
        :return: None if it is no record at all, or one of a later form.
        """
        if not isinstance(value, Mapping):
            return None
        version = value.get("version", VERSION)
        if not isinstance(version, int) or version > VERSION or not isinstance(value.get("state"), str):
            return None
        return cls(**known_fields(value))


_KINDS: dict[str, tuple[type, ...]] = {
    each.name: (str,) if "str" in str(each.type) else (int,) if "int" in str(each.type) else (int, float)
    for each in fields(VideoRecord)
}


def known_fields(value: Mapping[Any, Any]) -> dict[str, Any]:
    """
    Return the fields of a record that a mapping has, such as a manifest, if their types are right.

    :param value: Any mapping.
    :return: Those that are known.
    """
    found = {name: value.get(name) for name in _KINDS}
    return {
        name: _storable(name, each)
        for name, each in found.items()
        if isinstance(each, _KINDS[name]) and not isinstance(each, bool) and _is_finite(each)
    }


def item_key(index: int) -> str:
    """
    Return the XCom's key of one video of a batch.

    :param index: The video's position in the list, from 0.
    :return: A key; the keys sort as the list does.
    """
    return f"{KEY}.{index:04d}"


def manifest_name(name: str) -> str:
    """
    Return the name of a video's manifest; two videos never share one.

    :param name: The name of the video's file.
    :return: A file name in the same folder.
    """
    return f"{name}.json"


def poster_name(name: str) -> str:
    """
    Return the name of a video's poster.

    :param name: The name of the video's file.
    :return: A file name in the same folder.
    """
    return f"{name}.jpg"


def shown_image(image: object) -> str | None:
    """
    Return an image as a record tells it: no bytes of a data URI, no query that may be signed.

    :param image: As the user gave it.
    :return: None for none.
    """
    if image is None:
        return None
    text = str(image)
    if found := _DATA_URI.match(text):
        return f"{found[1]},… ({len(text):,} characters)"
    return mask_text(text[:_LONG])


def _storable(name: str, value: Any) -> Any:
    if not isinstance(value, str):
        return value
    limit = _LONG if name in _LONG_FIELDS else _SHORT
    # Lone surrogates have no UTF-8, and PostgreSQL holds no NUL.
    return value[:limit].encode("utf-8", "replace").decode().replace("\0", "\ufffd")


def _is_finite(value: Any) -> bool:
    return isinstance(value, str) or (math.isfinite(value) and abs(value) < 1 << 63)
