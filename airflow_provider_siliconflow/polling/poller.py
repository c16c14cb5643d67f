"""Poll all videos of a connection that anybody on this event loop waits for: one session, one rate, one back-off."""

from __future__ import annotations

import asyncio
import contextvars
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary, WeakValueDictionary

from airflow_provider_siliconflow.hooks.connection import Settings
from airflow_provider_siliconflow.hooks.siliconflow_async import SiliconFlowAsyncHook
from airflow_provider_siliconflow.polling import session
from airflow_provider_siliconflow.polling.decision import PollResult, WaitRequest, is_account_error
from airflow_provider_siliconflow.polling.estimator import Estimators
from airflow_provider_siliconflow.polling.job import PollJob
from airflow_provider_siliconflow.polling.rate_limit import RateLimit
from airflow_provider_siliconflow.polling.scheduler import PollScheduler
from airflow_provider_siliconflow.polling.session import OpenHook, Session
from airflow_provider_siliconflow.polling.watcher import Decide, Watcher

T = TypeVar("T")
#: Polls under way at the same time.
IN_FLIGHT = 64
#: Seconds to the next try of a look-up that failed; doubled each time, up to the second figure.
_REOPEN, _MAX_REOPEN = 2.0, 60.0


class Poller:
    """
    Poll videos for as long as anybody waits. Ends with the last who does.

    :param conn_id: The Airflow connection.
    :param estimators: What past videos of the connection took; they learn.
    :param open_hook: Makes a hook that reads the connection when entered.
    """

    def __init__(self, conn_id: str, estimators: Estimators, open_hook: OpenHook) -> None:
        self._conn_id = conn_id
        self._loop = asyncio.get_running_loop()
        # Not the context of the trigger that happens to come first.
        self._context = contextvars.Context()
        self._session = Session(conn_id, open_hook)
        self._settings: Settings | None = None
        self._scheduler = PollScheduler(RateLimit(Settings.requests_per_minute, Settings.max_backoff), estimators)
        self._watchers: dict[PollJob, Watcher[Any]] = {}
        self._polls: dict[PollJob, asyncio.Task[None]] = {}
        # Whose last poll was rejected for the key or the account.
        self._rejected: set[PollJob] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._opening = self._loop.create_task(self._open(), context=self._context)
        self._renewing: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._watchers)

    async def watch(self, decide: Decide[T], request: WaitRequest) -> T:
        """
        Poll a video until a poll is decisive.

        :param decide: Says what a poll means; called with each, in the caller's context.
        :param request: The video, and how to poll it.
        :return: What ``decide`` returned.
        :raises Exception: what ``decide`` raised.
        """
        job = self._scheduler.add(request, now=self._loop.time())
        watcher = Watcher(decide)
        self._watchers[job] = watcher
        try:
            self._pump()
            return await watcher.done
        finally:
            await self._leave(job)

    async def _leave(self, job: PollJob) -> None:
        del self._watchers[job]
        self._scheduler.discard(job)
        self._rejected.discard(job)
        if task := self._polls.pop(job, None):
            task.cancel()
        if self._watchers:
            self._pump()
        else:
            await self._end()

    def _pump(self) -> None:
        """Start the polls that are due, and set the timer for the next."""
        now = self._loop.time()
        next_wakeup: float | None = None
        if self._settings and len(self._polls) < IN_FLIGHT:
            while job := self._scheduler.pop_due(now):
                self._polls[job] = self._loop.create_task(self._poll(job), context=self._context)
                if len(self._polls) == IN_FLIGHT:
                    break
            else:
                next_wakeup = self._scheduler.next_wakeup(now)
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

    async def _poll(self, job: PollJob) -> None:
        try:
            sent = self._loop.time()
            result = await self._session.poll(job.request_id)
            self._apply_settings()
            self._scheduler.record_poll(job, result, sent=sent, now=self._loop.time())
            self._note_rejection(job, is_account_error(result))
            if not self._tell(job, result):
                self._scheduler.requeue(job)
        except asyncio.CancelledError:
            if job not in self._watchers:
                raise
            # Not by the caller who waits: a session that is closed cancels what waits for its connections.
            self._scheduler.requeue(job)
        except Exception as error:
            # A mistake ends the one wait it was made for, and no other.
            self._watchers[job].fail(error)
        self._polls.pop(job, None)
        self._pump()

    def _note_rejection(self, job: PollJob, is_rejected: bool) -> None:
        if not is_rejected:
            self._rejected.discard(job)
            return
        self._rejected.add(job)
        if self._renewing is None or self._renewing.done():
            self._renewing = self._loop.create_task(self._renew(), context=self._context)

    def _tell(self, job: PollJob, result: PollResult) -> bool:
        """Tell a watcher what a poll returned; return whether its wait has ended."""
        return self._watchers[job].tell(result, lambda: job.estimator.seconds_left(job.timeline, self._loop.time()))

    async def _open(self) -> None:
        """Look the connection up until it can be used; report each failure to the waits, which decide when to stop."""
        pause = _REOPEN
        while failure := await self._session.open():
            for job in list(self._watchers):
                self._tell(job, failure)
            await asyncio.sleep(pause)
            pause = min(2 * pause, _MAX_REOPEN)
        self._apply_settings()
        self._pump()

    async def _renew(self) -> None:
        """Look the connection up again and again while its key or its account is rejected."""
        while self._rejected:
            await asyncio.sleep(session.RENEWAL)
            await self._session.renew()
            self._apply_settings()
            self._pump()

    def _apply_settings(self) -> None:
        settings = self._session.settings
        if settings is self._settings or not settings:
            return
        self._settings = settings
        limit = _rate_limit(self._loop, settings)
        limit.join(self._scheduler, settings.requests_per_minute, settings.max_backoff)
        if limit is not self._scheduler.rate_limit:
            self._scheduler.rate_limit.leave(self._scheduler)
            self._scheduler.rate_limit = limit
        # What failed may have failed for the old key.
        self._scheduler.retry_failed(self._loop.time())

    async def _end(self) -> None:
        """Close everything; the last watcher has left. A second cancellation does not stop that."""
        pollers = _of(self._loop).pollers
        if pollers.get(self._conn_id) is self:
            del pollers[self._conn_id]
        if self._timer:
            self._timer.cancel()
        self._scheduler.rate_limit.leave(self._scheduler)
        closing = self._loop.create_task(self._close(), context=self._context)
        _closing.add(closing)
        closing.add_done_callback(_closing.discard)
        await asyncio.shield(closing)

    async def _close(self) -> None:
        tasks = [self._opening, *self._polls.values(), *([self._renewing] if self._renewing else [])]
        for task in tasks:
            task.cancel()
        try:
            await asyncio.gather(*tasks, return_exceptions=True)
        finally:
            await self._session.close()


@dataclass
class _LoopState:
    pollers: dict[str, Poller] = field(default_factory=dict)
    # By host and key: the service limits accounts, not connections.
    rate_limits: WeakValueDictionary[tuple[str, str], RateLimit] = field(default_factory=WeakValueDictionary)


_loops: WeakKeyDictionary[asyncio.AbstractEventLoop, _LoopState] = WeakKeyDictionary()
_closing: set[asyncio.Task[None]] = set()
#: Estimates outlive a poller: videos come in bursts.
_estimators: dict[str, Estimators] = {}


def _of(loop: asyncio.AbstractEventLoop) -> _LoopState:
    return _loops.setdefault(loop, _LoopState())


def _rate_limit(loop: asyncio.AbstractEventLoop, settings: Settings) -> RateLimit:
    account = (urlsplit(settings.base_url).netloc.lower(), settings.api_key)
    limits = _of(loop).rate_limits
    if (limit := limits.get(account)) is None:
        limit = limits[account] = RateLimit(settings.requests_per_minute, settings.max_backoff, settings.base_url)
    return limit


def poller_of(conn_id: str) -> Poller:
    """
    Return the poller of a connection on the running event loop, for :meth:`Poller.watch` without any await between.

    :param conn_id: The Airflow connection.
    """
    pollers = _of(asyncio.get_running_loop()).pollers
    if conn_id not in pollers:
        pollers[conn_id] = Poller(conn_id, _estimators.setdefault(conn_id, Estimators()), SiliconFlowAsyncHook)
    return pollers[conn_id]


def pollers() -> list[Poller]:
    """Return the pollers of all running event loops."""
    return [poller for state in _loops.values() for poller in state.pollers.values()]
