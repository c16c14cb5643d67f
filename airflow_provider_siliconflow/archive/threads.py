"""Work on threads of its own, so that neither a slow store nor a slow disk holds the process."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import threading
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from airflow_provider_siliconflow.archive.errors import no_answer

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Coroutine

_T = TypeVar("_T")

log = logging.getLogger(__name__)

#: Seconds that an interrupted run has to remove its staging files.
CLEANUP_TIMEOUT = 10.0
#: Seconds that the main thread waits at a time.
_TICK = 1.0


def bounded(call: Callable[[], _T], seconds: float, destination: object) -> _T:
    """
    Run a blocking call for a limited time.

    :param call: What to do; it runs on if the time is over, and holds nothing.
    :param seconds: The limit.
    :param destination: What it is about, for the message.
    :return: What the call returned.
    :raises DestinationError: if it took longer.
    """
    outcome = _in_thread(call)
    if not wait([outcome], timeout=seconds).done:
        raise no_answer(destination, seconds)
    return outcome.result()


def run_archive(make: Callable[[], Coroutine[Any, Any, _T]]) -> _T:
    """
    Run a coroutine from a worker's main thread, in an event loop on a thread of its own.

    Airflow's ``execution_timeout`` raises in the main thread wherever that is, also in the callbacks of an event loop.
    Here the main thread only waits, so the exception is never taken for the failure of a connection. The coroutine is
    then cancelled and has :data:`CLEANUP_TIMEOUT` seconds to remove what it staged; no thread holds the process.

    :param make: Makes the coroutine.
    :return: What the coroutine returned.
    :raises BaseException: what the coroutine raised, or what interrupted the main thread.
    """
    run = _Run(make)
    outcome: Future[_T] = Future()
    try:
        _in_thread(run, outcome)
        while not wait([outcome], timeout=_TICK).done:
            pass
    except BaseException:
        run.cancel()
        # The exception may have come before the thread was started, and then there is nothing to wait for.
        if run.begun.wait(_TICK) and wait([outcome], timeout=CLEANUP_TIMEOUT).not_done:
            log.warning("Archiving was interrupted and does not end within %.0f s: leaving it.", CLEANUP_TIMEOUT)
        raise
    return outcome.result()


class _Run(Generic[_T]):
    """
    One coroutine in an event loop of its own, which another thread can cancel.

    :param make: Makes the coroutine.
    """

    def __init__(self, make: Callable[[], Coroutine[Any, Any, _T]]) -> None:
        self._make = make
        self._loop = asyncio.new_event_loop()
        self._task: asyncio.Task[_T] | None = None
        self._is_cancelled = False
        #: Whether the thread runs.
        self.begun = threading.Event()

    def __call__(self) -> _T:
        self.begun.set()
        loop = self._loop
        try:
            # Serves asyncio.to_thread and the resolution of host names alike.
            loop.set_default_executor(_DaemonExecutor(1))
            self._task = loop.create_task(self._make())
            if self._is_cancelled:
                self._task.cancel()
            return loop.run_until_complete(self._task)
        finally:
            with suppress(Exception):
                loop.run_until_complete(_end_all(asyncio.all_tasks(loop)))
                loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()

    def cancel(self) -> None:
        self._is_cancelled = True
        # A loop that is closed has nothing left to cancel.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._cancel_task)

    def _cancel_task(self) -> None:
        if self._task:
            self._task.cancel()


async def _end_all(tasks: Collection[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=CLEANUP_TIMEOUT)


class _DaemonExecutor(ThreadPoolExecutor):
    """An executor with a new daemon thread for each call, for which no process waits at its end."""

    def submit(self, fn: Callable[..., _T], /, *args: Any, **kwargs: Any) -> Future[_T]:
        """
        Start a call.

        :param fn: What to call, with all further arguments.
        :return: Its outcome; it cannot be cancelled.
        """
        return _in_thread(lambda: fn(*args, **kwargs))


def _in_thread(call: Callable[[], _T], outcome: Future[_T] | None = None) -> Future[_T]:
    outcome = Future() if outcome is None else outcome
    # From now on nobody can cancel it: a thread that runs cannot be stopped.
    outcome.set_running_or_notify_cancel()
    context = contextvars.copy_context()

    def run() -> None:
        try:
            result = context.run(call)
        except BaseException as error:  # whatever it is, it is raised where the outcome is awaited
            outcome.set_exception(error)
        else:
            outcome.set_result(result)

    threading.Thread(target=run, name="siliconflow-archive", daemon=True).start()
    return outcome
