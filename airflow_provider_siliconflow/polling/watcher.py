"""Who waits for a video, and how it is told what a poll returned."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from typing import Any, Generic, TypeAlias, TypeVar

from airflow_provider_siliconflow.polling.decision import PollResult

T = TypeVar("T")
#: Says what a poll means: what to return to the caller who waits, or None to go on. The second argument tells, when
#: called, after how many seconds the video is as likely ready as not.
Decide: TypeAlias = Callable[[PollResult, Callable[[], float]], T | None]


class Watcher(Generic[T]):
    """
    A caller who waits for a video; made on its own task.

    :param decide: Says what a poll means; called in the caller's context, for Airflow tells the log lines of triggers
        apart by context variables.
    """

    def __init__(self, decide: Decide[T]) -> None:
        self._decide = decide
        self._context = contextvars.copy_context()
        self.done: asyncio.Future[T] = asyncio.get_running_loop().create_future()

    def tell(self, result: PollResult, seconds_left: Callable[[], float]) -> bool:
        """
        Tell what a poll returned; a mistake in the decision ends this wait, and no other.

        :param result: What the poll returned.
        :param seconds_left: Tells after how many seconds the video is as likely ready as not.
        :return: Whether the wait has ended.
        """
        if self.done.done():
            return True
        try:
            found: Any = self._context.run(self._decide, result, seconds_left)
        except Exception as error:
            self.fail(error)
            return True
        if found is not None:
            self.done.set_result(found)
        return found is not None

    def fail(self, error: Exception) -> None:
        """End the wait with an error, if it has not ended."""
        if not self.done.done():
            self.done.set_exception(error)
