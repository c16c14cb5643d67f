"""Wait in the triggerer for many videos at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import TriggerEvent

from airflow_provider_siliconflow.client.masking import describe_error
from airflow_provider_siliconflow.client.models import VideoStatus
from airflow_provider_siliconflow.polling.decision import (
    PollResult,
    Wait,
    WaitRequest,
    WaitResult,
    WaitStatus,
)
from airflow_provider_siliconflow.triggers import base, events
from airflow_provider_siliconflow.triggers.base import StoredTrigger, load_poller, steady_clock
from airflow_provider_siliconflow.triggers.events import BatchEvent
from airflow_provider_siliconflow.triggers.poll_log import PollLog

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from airflow_provider_siliconflow.polling.poller import Poller

#: Seconds for which a video can have been ready when the event comes: those that get ready meanwhile share a worker's
#: start, which is most of what a batch costs, and the worker has the rest of a minute to archive them.
MAX_READY_AGE = 45.0
#: Seconds from the poll that finds a video ready to the event, at least. Where two polls are more than 30 s apart
#: (early in a wait, under a scarce rate, after failures, by poke_interval), each video would come alone otherwise.
COALESCE_SECONDS = 15.0


class VideoBatchTrigger(StoredTrigger):
    """
    Poll many videos, and fire one event once the waits for some have ended, or at a given time.

    :param siliconflow_conn_id: Airflow connection of type ``siliconflow``.
    :param videos: Epoch seconds of the submit, and of when it was last known not to be ready, by request id; may be
        empty.
    :param deadline: Epoch seconds after which no video is waited for.
    :param wake_at: Epoch seconds at which to fire in any case.
    :param state: What the task must remember; handed back as it is. Plain JSON without secrets.
    :param poke_interval: Seconds between two polls of a video; None to learn it from what past videos took.
    :param model: The model of all videos, if it is one.
    :param min_wait: Seconds before which nothing but a video ends the wait, whatever this triggerer's clock says.
    :param version: Of these arguments.
    """

    def __init__(
        self,
        siliconflow_conn_id: str = "siliconflow_default",
        videos: Mapping[str, Sequence[float]] | None = None,
        deadline: float | None = None,
        wake_at: float | None = None,
        state: dict[str, Any] | None = None,
        poke_interval: float | None = None,
        model: str | None = None,
        min_wait: float | None = None,
        version: int = events.VERSION,
        **unknown: Any,
    ) -> None:
        super().__init__(unknown)
        self.siliconflow_conn_id = siliconflow_conn_id
        self.videos = {} if videos is None else videos
        self.deadline = deadline
        self.wake_at = wake_at
        self.state = state
        self.poke_interval = events.read_seconds(poke_interval)
        self.model = model if isinstance(model, str) else None
        self.min_wait = events.read_seconds(min_wait)
        self.version = version
        self._last_polled: dict[str, float] = {}
        self._waits: list[Wait] = []

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """
        Wait until there is something to do.

        :yield: One :class:`.BatchEvent`.
        """
        ended: dict[str, WaitStatus | None] = {}
        message = ""
        try:
            ended = await self._ended()
        except Exception as error:
            self.log.exception("Waiting for %s videos failed", len(self.videos))
            message = describe_error(error)
            await asyncio.sleep(base.MIN_DEFERRAL_SECONDS)
        polls, errors = sum(wait.polls for wait in self._waits), sum(wait.errors for wait in self._waits)
        event = BatchEvent(ended, self._last_polled, self.state, self.min_wait or 0.0, message=message)
        yield TriggerEvent(replace(event, polls=polls, poll_errors=errors).encode())

    async def on_kill(self) -> None:
        """Log that nothing can cancel a video; see :meth:`.VideoReadyTrigger.on_kill`."""
        if self.videos:
            self.log.warning(
                "No longer waiting here for %s videos. They keep running at SiliconFlow and are billed: nothing can"
                " cancel them. A retry re-attaches to them: %s",
                len(self.videos),
                ", ".join(map(str, self.videos)),
            )

    async def _ended(self) -> dict[str, WaitStatus | None]:
        deadline, wake_at = events.read_time(self.deadline), events.read_time(self.wake_at)
        if wake_at is None or (deadline is None and self.videos) or not isinstance(self.videos, Mapping):
            raise ValueError("the stored arguments name no videos, no deadline or no time to fire")
        # By the event loop's time from here on, whatever happens to the system's clock.
        clock = steady_clock(time.time())
        # An event that comes sooner can overtake the executor's own report of the deferral; polls may.
        soonest = clock() + base.MIN_DEFERRAL_SECONDS
        # A clock that is ahead must not end all waits at once.
        ends = max(soonest, clock() + (self.min_wait or 0.0))
        if not self.videos or deadline is None:
            await asyncio.sleep(max(wake_at, ends) - clock())
            return {}
        deadline = max(deadline, ends)
        # Once, and before anybody watches: of many who import it at the same time, some would find half a module.
        poller_of = await load_poller()
        log = PollLog(self.log, len(self.videos))
        watchers = {
            asyncio.create_task(self._watch(poller_of, request_id, deadline, clock, log)): request_id
            for request_id in self.videos
        }
        try:
            await self._coalesce(watchers, max(wake_at, ends), clock)
            await asyncio.sleep(max(0.0, soonest - clock()))
            return {watchers[watcher]: watcher.result().status for watcher in watchers if watcher.done()}
        finally:
            for watcher in watchers:
                watcher.cancel()
            await asyncio.gather(*watchers, return_exceptions=True)

    async def _coalesce(
        self, watchers: Mapping[asyncio.Task[WaitResult], str], until: float, clock: Callable[[], float]
    ) -> None:
        """Wait until all have ended, or it is time for those that have."""
        pending = set(watchers)
        while pending and (left := until - clock()) > 0:
            done, pending = await asyncio.wait(pending, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            for watcher in done:
                request_id, now = watchers[watcher], clock()
                # The worker's clock may be ahead of this one.
                ready_since = min(now, self._last_polled.get(request_id, self._times(request_id, now)[1]))
                until = min(until, max(now + COALESCE_SECONDS, ready_since + MAX_READY_AGE))

    def _times(self, request_id: str, now: float) -> tuple[float, float]:
        """Return the epoch seconds of a video's submit and of its last poll, as far as they are known."""
        given = self.videos[request_id]
        times = [events.read_time(value) for value in given] if isinstance(given, (list, tuple)) else []
        known = [now if value is None else value for value in times]
        return (known[0], known[1]) if len(known) > 1 else (now, now)

    async def _watch(
        self,
        poller_of: Callable[[str], Poller],
        request_id: str,
        deadline: float,
        clock: Callable[[], float],
        log: PollLog,
    ) -> WaitResult:
        wait = Wait(request_id, deadline)
        self._waits.append(wait)

        def decide(poll: PollResult, seconds_left: Callable[[], float]) -> WaitResult | None:
            now = clock()
            log.note(request_id, poll, now, seconds_left)
            result = wait.evaluate(poll, now=now)
            if result is None and isinstance(poll, VideoStatus):
                self._last_polled[request_id] = now
            return result

        now = clock()
        submitted, last_polled = self._times(request_id, now)
        request = WaitRequest(
            request_id,
            waited=now - submitted,
            first=0.0,
            left=max(0.0, deadline - now),
            last_polled=now - last_polled,
            interval=self.poke_interval,
            model=self.model,
        )
        return await poller_of(self.siliconflow_conn_id).watch(decide, request)
