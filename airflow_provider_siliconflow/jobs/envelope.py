"""The JSON text of a value that is kept in a Variable or a file: the value, the time and whose it is."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_siliconflow.jobs.task_name import TaskName


class UnreadableError(Exception):
    """Raised when what a store holds is not what was written."""


def encode(value: Any, task: TaskName) -> str:
    """
    Return a value as it is kept, with the time and whose it is.

    :param value: Plain JSON.
    :param task: The task instance that it belongs to.
    :return: Text for :func:`decode`.
    """
    kept_at = datetime.now(UTC).isoformat(timespec="seconds")
    return json.dumps({"kept_at": kept_at, "of": task.describe(), "value": value})


def decode(text: str) -> Any:
    """
    Return a value that was kept.

    :param text: What :func:`encode` returned.
    :return: The value.
    :raises UnreadableError: if it is something else.
    """
    return _envelope(text)["value"]


def time_of(text: str) -> datetime:
    """
    Return when a value was kept.

    :param text: What :func:`encode` returned.
    :return: The time.
    :raises UnreadableError: if it is something else.
    """
    try:
        return datetime.fromisoformat(str(_envelope(text)["kept_at"])).astimezone(UTC)
    except ValueError as error:
        raise UnreadableError("it has no time") from error


def _envelope(text: str) -> dict[str, Any]:
    try:
        envelope = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UnreadableError("it is no JSON") from error
    if not isinstance(envelope, dict) or not {"kept_at", "value"} <= set(envelope) or envelope["value"] is None:
        raise UnreadableError("it is no value of this provider")
    return envelope
