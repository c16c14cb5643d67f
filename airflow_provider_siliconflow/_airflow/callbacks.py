"""The callbacks of a task, of which Airflow takes one, several or none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


def call_on_success(task: Any, callback: Callable[[Any], object]) -> None:
    """
    Have a function called once Airflow knows that a task has succeeded, after those that the user gave.

    :param task: The operator, while it runs.
    :param callback: Gets the task's context.
    """
    given = task.on_success_callback
    several = given if isinstance(given, (list, tuple)) else [given] if given else []
    task.on_success_callback = [*several, callback]
