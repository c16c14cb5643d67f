"""The task instance that a record, a claim or a slot belongs to, and the key that it is kept under."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, NamedTuple, Self

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
