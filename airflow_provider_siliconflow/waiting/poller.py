"""Look at all videos of a connection that anybody on this event loop waits for: one session, one rate, one back-off."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar
from weakref import WeakKeyDictionary

from airflow_provider_siliconflow.exceptions import SiliconFlowError
from airflow_provider_siliconflow.hooks.settings import Settings
from airflow_provider_siliconflow.hooks.siliconflow_async import SiliconFlowAsyncHook
from airflow_provider_siliconflow.waiting.agenda import Agenda, Wait
from airflow_provider_siliconflow.waiting.budget import Budget
from airflow_provider_siliconflow.waiting.learned import Knowledge
from airflow_provider_siliconflow.waiting.session import Look, OpenHook, Session

T = TypeVar("T")
#: Says what a look means: what to return to whoever waits, or None to go on. The second argument tells, when called,
#: after how many seconds the video is as likely ready as not.
Decide: TypeAlias = Callable[[Look, Callable[[], float]], T | None]

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

    def __init__(self, conn_id: str, knowledge: Knowledge, open_hook: OpenHook) -> None:
        self._conn_id = conn_id
        self._loop = asyncio.get_running_loop()
        # Not the context of the trigger that happens to come first.
        self._context = contextvars.Context()
        self._budget = Budget(Settings.requests_per_minute, Settings.max_backoff, seed=conn_id)
        self._agenda = Agenda(self._budget, knowledge)
        self._session = Session(conn_id, open_hook)
        self._settings: Settings | None = None
        self._watchers: dict[Wait, _Watcher] = {}
        self._looking: dict[Wait, asyncio.Task[None]] = {}
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
        looked: float | None = None,
        first: float,
        left: float,
        interval: float | None,
    ) -> T:
        """
        Look at a video until a look is decisive.

        :param decide: Says what a look means; called with each look, in the caller's context.
        :param request_id: The video; this and all that follow as for :meth:`.Agenda.add`.
        :return: What ``decide`` returned.
        :raises Exception: what ``decide`` raised, or why there is no connection.
        """
        wait = self._agenda.add(
            request_id,
            now=self._loop.time(),
            model=model,
            waited=waited,
            looked=looked,
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

    async def _leave(self, wait: Wait) -> None:
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
        wake: float | None = None
        if self._settings and len(self._looking) < IN_FLIGHT:
            while wait := self._agenda.take(now):
                self._looking[wait] = self._loop.create_task(self._look(wait), context=self._context)
                if len(self._looking) == IN_FLIGHT:
                    break
            else:
                wake = self._agenda.wake(now)
        if self._timer:
            if self._timer.when() == wake:
                return
            self._timer.cancel()
        self._timer = self._loop.call_at(wake, self._fire, context=self._context) if wake is not None else None

    def _fire(self) -> None:
        self._timer = None
        self._pump()

    async def _look(self, wait: Wait) -> None:
        try:
            sent = self._loop.time()
            look = await self._session.look(wait.request_id)
            self._follow_settings()
            self._agenda.saw(wait, look, sent=sent, now=self._loop.time())
            if not self._tell(wait, look):
                self._agenda.again(wait)
        except asyncio.CancelledError:
            if wait not in self._watchers:
                raise
            # Not by whoever waits: a session that is closed cancels what waits for its connections.
            self._agenda.again(wait)
        except Exception as error:
            self._fail(wait, error)
        self._looking.pop(wait, None)
        self._pump()

    def _tell(self, wait: Wait, look: Look) -> bool:
        """Tell a watcher what a look brought; return whether that was decisive."""
        watcher = self._watchers[wait]

        def left() -> float:
            return wait.known.seconds_left(wait.seen, self._loop.time())

        found = watcher.context.run(watcher.decide, look, left)
        if found is not None and not watcher.done.done():
            watcher.done.set_result(found)
        return found is not None

    def _fail(self, wait: Wait, error: Exception) -> None:
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
_knowledge: dict[str, Knowledge] = {}


def poller_of(conn_id: str) -> Poller:
    """
    Return the poller of a connection on the running event loop, for :meth:`Poller.watch` without any await between.

    :param conn_id: The Airflow connection.
    """
    pollers = _pollers.setdefault(asyncio.get_running_loop(), {})
    if conn_id not in pollers:
        pollers[conn_id] = Poller(conn_id, _knowledge.setdefault(conn_id, Knowledge()), SiliconFlowAsyncHook)
    return pollers[conn_id]
