"""Poll all videos of a connection that anybody on this event loop waits for: one session, one rate, one back-off."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary, WeakValueDictionary

from airflow_provider_siliconflow.exceptions import SiliconFlowError
from airflow_provider_siliconflow.hooks.connection import Settings
from airflow_provider_siliconflow.hooks.shared_session import OpenHook, SharedSession
from airflow_provider_siliconflow.hooks.siliconflow_async import SiliconFlowAsyncHook
from airflow_provider_siliconflow.polling.decision import PollResult, WaitRequest, failed_poll
from airflow_provider_siliconflow.polling.estimator import Estimators, new_estimators
from airflow_provider_siliconflow.polling.rate_limit import RateLimit
from airflow_provider_siliconflow.polling.scheduler import PollScheduler

if TYPE_CHECKING:
    from airflow_provider_siliconflow.polling.job import PollJob

log = logging.getLogger(__name__)
T = TypeVar("T")
#: Says what a poll means: what to return to the caller who waits, or None to continue. The second argument tells, when
#: called, after how many seconds the video is as likely ready as not.
Decide: TypeAlias = Callable[[PollResult, Callable[[], float]], T | None]
#: Polls under way at the same time.
IN_FLIGHT = 64
#: Seconds to the next try of a look-up that failed; doubled each time, up to the second figure.
_REOPEN, _MAX_REOPEN = 2.0, 60.0
#: Seconds between two look-ups of a connection whose key or account is rejected.
RENEWAL = 10.0


class Poller:
    """
    Polls of one connection, for as long as anybody waits.

    :param conn_id: The Airflow connection.
    :param estimators: What past videos of the connection took; they learn.
    :param open_hook: Makes a hook that reads the connection when entered.
    """

    def __init__(self, conn_id: str, estimators: Estimators, open_hook: OpenHook) -> None:
        self._conn_id = conn_id
        self._loop = asyncio.get_running_loop()
        # Not the context of the trigger that happens to come first: Airflow tells log lines apart by it.
        self._context = contextvars.Context()
        self._session = SharedSession(conn_id, open_hook)
        self._settings: Settings | None = None
        self._scheduler = PollScheduler(RateLimit(Settings.requests_per_minute, Settings.max_backoff), estimators)
        # For each video that is waited for, what its next poll returns.
        self._results: dict[PollJob, asyncio.Future[PollResult]] = {}
        self._polls: dict[PollJob, asyncio.Task[None]] = {}
        # The key or the account was rejected.
        self._rejection = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._session_task = self._start(self._keep_session())

    def __len__(self) -> int:
        return len(self._results)

    async def watch(self, decide: Decide[T], request: WaitRequest) -> T:
        """
        Poll a video until a poll is decisive.

        :param decide: Says what a poll means; called with each.
        :param request: The video, and how to poll it.
        :return: What ``decide`` returned.
        :raises Exception: what ``decide`` raised.
        """
        job = self._scheduler.add(request, now=self._loop.time())
        self._results[job] = self._loop.create_future()

        def seconds_left() -> float:
            return job.estimator.seconds_left(job.timeline, self._loop.time())

        try:
            self._pump()
            while (found := decide(await self._results[job], seconds_left)) is None:
                self._results[job] = self._loop.create_future()
            return found
        finally:
            await self._leave(job)

    async def _leave(self, job: PollJob) -> None:
        del self._results[job]
        self._scheduler.discard(job)
        if task := self._polls.pop(job, None):
            task.cancel()
        if self._results:
            self._pump()
            return
        del pollers[self._loop][self._conn_id]
        if self._timer:
            self._timer.cancel()
        self._scheduler.rate_limit.leave(self._scheduler)
        closing = self._start(self._close())
        _closing.add(closing)
        closing.add_done_callback(_closing.discard)
        # Another cancellation does not stop it.
        await asyncio.shield(closing)

    async def _close(self) -> None:
        self._session_task.cancel()
        try:
            await asyncio.wait([self._session_task])
        finally:
            await self._session.close()

    def _start(self, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        return self._loop.create_task(coroutine, context=self._context)

    def _pump(self) -> None:
        """Start the polls that are due, and set the timer for the next."""
        now = self._loop.time()
        next_wakeup: float | None = None
        if self._settings and len(self._polls) < IN_FLIGHT:
            while job := self._scheduler.pop_due(now):
                self._polls[job] = self._start(self._poll(job))
                if len(self._polls) == IN_FLIGHT:
                    break
            else:
                next_wakeup = self._scheduler.next_wakeup(now)
        if self._timer:
            self._timer.cancel()
        if next_wakeup is not None:
            self._timer = self._loop.call_at(next_wakeup, self._pump, context=self._context)

    async def _poll(self, job: PollJob) -> None:
        try:
            sent = self._loop.time()
            result = await self._call(job.request_id)
            self._scheduler.record_poll(job, result, sent=sent, now=self._loop.time())
            if job.is_rejected:
                self._rejection.set()
            self._tell(job, result)
        except asyncio.CancelledError:
            # Not by the caller who waits: a session that is closed cancels what waits for its connections.
            if job not in self._results:
                raise
        except Exception as error:
            # A mistake ends the one wait it was made for, and no other.
            if not self._results[job].done():
                self._results[job].set_exception(error)
        self._scheduler.requeue(job)
        self._polls.pop(job, None)
        self._pump()

    async def _call(self, request_id: str) -> PollResult:
        hook = self._session.hook
        assert hook, "looked up before"
        try:
            return await hook.get_video_status(request_id, attempts=1)
        except SiliconFlowError as error:
            return error
        except Exception as error:
            log.exception("Polling video %s failed", request_id)
            return failed_poll(error, hook.settings.secrets)

    def _tell(self, job: PollJob, result: PollResult) -> None:
        if not self._results[job].done():
            self._results[job].set_result(result)

    async def _keep_session(self) -> None:
        """Look the connection up until it can be used, and again while its key or its account is rejected."""
        pause = _REOPEN
        while failure := await self._look_up():
            # Those who wait decide for how long.
            for job in self._results:
                self._tell(job, failure)
            await asyncio.sleep(pause)
            pause = min(2 * pause, _MAX_REOPEN)
        while await self._rejection.wait():
            while any(job.is_rejected for job in self._results):
                await self._look_up()
                await asyncio.sleep(RENEWAL)
            self._rejection.clear()

    async def _look_up(self) -> SiliconFlowError | None:
        try:
            await self._session.look_up()
        except Exception as error:
            failure = failed_poll(error)
            log.warning("Looking up Airflow connection %r failed, trying again: %s", self._conn_id, failure)
            return failure
        assert self._session.hook
        settings = self._session.hook.settings
        if settings is not self._settings:
            self._settings = settings
            self._scheduler.rate_limit.leave(self._scheduler)
            self._scheduler.rate_limit = _rate_limit(self._loop, settings)
            self._scheduler.rate_limit.join(self._scheduler, settings.requests_per_minute, settings.max_backoff)
            # What failed may have failed for the old key.
            self._scheduler.retry_failed(self._loop.time())
            self._pump()
        return None


#: The pollers of each event loop, by connection.
pollers: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, Poller]] = WeakKeyDictionary()
#: What past videos of each connection took. It outlives a poller: videos come in bursts.
estimators: dict[str, Estimators] = {}
#: By host and key: the service limits accounts, not connections.
_rate_limits: WeakKeyDictionary[asyncio.AbstractEventLoop, WeakValueDictionary[tuple[str, str], RateLimit]] = (
    WeakKeyDictionary()
)
_closing: set[asyncio.Task[None]] = set()


def _rate_limit(loop: asyncio.AbstractEventLoop, settings: Settings) -> RateLimit:
    limits = _rate_limits.setdefault(loop, WeakValueDictionary())
    account = (urlsplit(settings.base_url).netloc.lower(), settings.api_key)
    if (limit := limits.get(account)) is None:
        limit = limits[account] = RateLimit(settings.requests_per_minute, settings.max_backoff, settings.base_url)
    return limit


def poller_of(conn_id: str) -> Poller:
    """
    Return the poller of a connection on the running event loop, for :meth:`Poller.watch` without any await between.

    :param conn_id: The Airflow connection.
    :return: The poller; it lives as long as anybody waits.
    """
    of_loop = pollers.setdefault(asyncio.get_running_loop(), {})
    if conn_id not in of_loop:
        of_loop[conn_id] = Poller(conn_id, estimators.setdefault(conn_id, new_estimators()), SiliconFlowAsyncHook)
    return of_loop[conn_id]
