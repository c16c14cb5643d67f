"""Look at all videos of a connection that anybody on this event loop waits for: one session, one rate, one back-off."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar
from weakref import WeakKeyDictionary

from airflow_provider_siliconflow.exceptions import SiliconFlowError
from airflow_provider_siliconflow.hooks.connection import Settings
from airflow_provider_siliconflow.hooks.siliconflow_async import SiliconFlowAsyncHook
from airflow_provider_siliconflow.polling.estimator import Estimators
from airflow_provider_siliconflow.polling.rate_limit import RateLimit
from airflow_provider_siliconflow.polling.scheduler import PollJob, PollScheduler
from airflow_provider_siliconflow.polling.session import OpenHook, PollResult, Session

T = TypeVar("T")
#: Says what a look means: what to return to whoever waits, or None to go on. The second argument tells, when called,
#: after how many seconds the video is as likely ready as not.
Decide: TypeAlias = Callable[[PollResult, Callable[[], float]], T | None]

#: Looks under way at the same time.
IN_FLIGHT = 64


@dataclass(slots=True, eq=False)
class _Watcher:
    decide: Decide[Any]
    done: asyncio.Future[Any]
    # Where the watcher's own log lines belong: Airflow tells triggers apart by context variables.
    context: contextvars.Context


class Poller:
    """
    Look at videos for as long as anybody waits. Ends with the last who does.

    :param conn_id: The Airflow connection.
    :param knowledge: What past videos of the connection took; grows.
    :param open_hook: Makes a hook that reads the connection when entered.
    """

    def __init__(self, conn_id: str, knowledge: Estimators, open_hook: OpenHook) -> None:
        self._conn_id = conn_id
        self._loop = asyncio.get_running_loop()
        # Not the context of the trigger that happens to come first.
        self._context = contextvars.Context()
        self._budget = RateLimit(Settings.requests_per_minute, Settings.max_backoff, seed=conn_id)
        self._agenda = PollScheduler(self._budget, knowledge)
        self._session = Session(conn_id, open_hook)
        self._settings: Settings | None = None
        self._watchers: dict[PollJob, _Watcher] = {}
        self._looking: dict[PollJob, asyncio.Task[None]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._opening = self._loop.create_task(self._open(), context=self._context)

    def __len__(self) -> int:
        return len(self._watchers)

    async def watch(
        self,
        decide: Decide[T],
        request_id: str,
        *,
        model: str | None,
        waited: float,
        last_polled: float | None = None,
        first: float,
        left: float,
        interval: float | None,
    ) -> T:
        """
        Look at a video until a look is decisive.

        :param decide: Says what a look means; called with each look, in the caller's context.
        :param request_id: The video; this and all that follow as for :meth:`.PollScheduler.add`.
        :return: What ``decide`` returned.
        :raises Exception: what ``decide`` raised, or why there is no connection.
        """
        wait = self._agenda.add(
            request_id,
            now=self._loop.time(),
            model=model,
            waited=waited,
            last_polled=last_polled,
            first=first,
            left=left,
            interval=interval,
        )
        watcher = _Watcher(decide, self._loop.create_future(), contextvars.copy_context())
        self._watchers[wait] = watcher
        try:
            self._pump()
            found: T = await watcher.done
            return found
        finally:
            await self._leave(wait)

    async def _leave(self, wait: PollJob) -> None:
        del self._watchers[wait]
        self._agenda.discard(wait)
        if task := self._looking.pop(wait, None):
            task.cancel()
        if self._watchers:
            self._pump()
        else:
            await self._end()

    def _pump(self) -> None:
        """Start the looks that are due, and set the timer for the next."""
        now = self._loop.time()
        next_wakeup: float | None = None
        if self._settings and len(self._looking) < IN_FLIGHT:
            while wait := self._agenda.pop_due(now):
                self._looking[wait] = self._loop.create_task(self._poll(wait), context=self._context)
                if len(self._looking) == IN_FLIGHT:
                    break
            else:
                next_wakeup = self._agenda.next_wakeup(now)
        if self._timer:
            if self._timer.when() == next_wakeup:
                return
            self._timer.cancel()
        self._timer = (
            self._loop.call_at(next_wakeup, self._fire, context=self._context) if next_wakeup is not None else None
        )

    def _fire(self) -> None:
        self._timer = None
        self._pump()

    async def _poll(self, wait: PollJob) -> None:
        try:
            sent = self._loop.time()
            look = await self._session.poll(wait.request_id)
            self._follow_settings()
            self._agenda.record_poll(wait, look, sent=sent, now=self._loop.time())
            if not self._tell(wait, look):
                self._agenda.requeue(wait)
        except asyncio.CancelledError:
            if wait not in self._watchers:
                raise
            # Not by whoever waits: a session that is closed cancels what waits for its connections.
            self._agenda.requeue(wait)
        except Exception as error:
            self._fail(wait, error)
        self._looking.pop(wait, None)
        self._pump()

    def _tell(self, wait: PollJob, look: PollResult) -> bool:
        """Tell a watcher what a look brought; return whether that was decisive."""
        watcher = self._watchers[wait]

        def left() -> float:
            return wait.known.seconds_left(wait.seen, self._loop.time())

        found = watcher.context.run(watcher.decide, look, left)
        if found is not None and not watcher.done.done():
            watcher.done.set_result(found)
        return found is not None

    def _fail(self, wait: PollJob, error: Exception) -> None:
        """Let a mistake end the one wait it was made for, and no other."""
        watcher = self._watchers[wait]
        if not watcher.done.done():
            watcher.done.set_exception(error)

    async def _open(self) -> None:
        try:
            await self._session.open()
        except Exception as error:
            self._give_up(error)
            return
        self._follow_settings()
        self._pump()

    def _give_up(self, error: Exception) -> None:
        """Tell everybody that there is no connection to be used; those who come later try anew."""
        self._forget()
        for wait in list(self._watchers):
            try:
                if not isinstance(error, SiliconFlowError) or not self._tell(wait, error):
                    self._fail(wait, error)
            except Exception as mistake:
                self._fail(wait, mistake)

    def _follow_settings(self) -> None:
        settings = self._session.settings
        if settings is not self._settings and settings:
            self._settings = settings
            self._budget.limit(settings.requests_per_minute, settings.max_backoff)

    def _forget(self) -> None:
        pollers = _pollers.get(self._loop, {})
        if pollers.get(self._conn_id) is self:
            del pollers[self._conn_id]

    async def _end(self) -> None:
        """Close everything; the last watcher has left."""
        self._forget()
        if self._timer:
            self._timer.cancel()
        tasks = [self._opening, *self._looking.values()]
        for task in tasks:
            task.cancel()
        try:
            await self._session.close()
        finally:
            await asyncio.gather(*tasks, return_exceptions=True)


_pollers: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, Poller]] = WeakKeyDictionary()
#: What was learned outlives a poller: videos come in bursts.
_knowledge: dict[str, Estimators] = {}


def poller_of(conn_id: str) -> Poller:
    """
    Return the poller of a connection on the running event loop, for :meth:`Poller.watch` without any await between.

    :param conn_id: The Airflow connection.
    """
    pollers = _pollers.setdefault(asyncio.get_running_loop(), {})
    if conn_id not in pollers:
        pollers[conn_id] = Poller(conn_id, _knowledge.setdefault(conn_id, Estimators()), SiliconFlowAsyncHook)
    return pollers[conn_id]
