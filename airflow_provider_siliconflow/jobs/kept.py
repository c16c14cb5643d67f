"""The key and the JSON text of a value that is kept in a Variable or a file."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple, Self

if TYPE_CHECKING:
    from airflow.sdk import Context

#: How the keys of all Variables of this provider begin.
PREFIX = "siliconflow_"


class TaskName(NamedTuple):
    """
    The task instance that a value belongs to.

    :param dag_id: Its DAG.
    :param run_id: Its run.
    :param task_id: Its task.
    :param map_index: Which one of a mapped task; -1 for no mapped task.
    """

    dag_id: str
    run_id: str
    task_id: str
    map_index: int

    @classmethod
    def of(cls, context: Context) -> Self:
        """
        Return the task instance of a context.

        :param context: The task's context.
        :return: Its names; -1 where it is not mapped.
        """
        ti = context["ti"]
        return cls(ti.dag_id, ti.run_id, ti.task_id, -1 if ti.map_index is None else ti.map_index)

    @property
    def owner(self) -> str:
        """Return who holds its claims and slots, the same for all tries: ``dag_id/run_id/task_id/map_index``."""
        return "/".join(map(str, self))

    def hashed(self, name: str) -> str:
        """
        Return a key that any store can hold, whatever characters the names have.

        :param name: What is kept.
        :return: Letters, digits and an underscore.
        """
        return PREFIX + hashlib.sha256(json.dumps([*self, name]).encode()).hexdigest()

    def describe(self) -> str:
        """
        Return the names for people.

        :return: Words that name DAG, run, task and map index.
        """
        mapped = f", map index {self.map_index}" if self.map_index >= 0 else ""
        return f"DAG {self.dag_id}, run {self.run_id}, task {self.task_id}{mapped}"


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
