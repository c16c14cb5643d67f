"""Wait in the triggerer for a video to be ready."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import TriggerEvent

from airflow_provider_siliconflow.client.masking import describe_error
from airflow_provider_siliconflow.exceptions import SiliconFlowConnectionError, SiliconFlowError
from airflow_provider_siliconflow.polling.decision import (
    PollResult,
    Wait,
    WaitRequest,
    WaitResult,
    WaitStatus,
)
from airflow_provider_siliconflow.triggers import base, events
from airflow_provider_siliconflow.triggers.base import StoredTrigger, load_poller, steady_clock
from airflow_provider_siliconflow.triggers.events import WaitEvent
from airflow_provider_siliconflow.triggers.poll_log import PollLog

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

#: Seconds after the deadline for which the last poll may be on its way.
LATE_SECONDS = 30.0


class VideoReadyTrigger(StoredTrigger):
    """
    Wait until a video is ready, failed, or the deadline has passed, and fire one event.

    All triggers of a connection in a triggerer share one session, one rate and one back-off
    (:mod:`airflow_provider_siliconflow.polling.poller`). What is missing or odd among the arguments fails no trigger.

    :param request_id: The video's request id.
    :param siliconflow_conn_id: Airflow connection of type ``siliconflow``.
    :param deadline: Epoch seconds after which to stop waiting.
    :param poke_interval: Seconds between two polls; None to poll when it is worth it, by what past videos took.
    :param model: The video's model, if known: how long videos take is learned for each.
    :param submitted_at: Epoch seconds at which the video was submitted, or else at which the wait for it began.
    :param first_poll_after: Seconds until the first poll, and so until the first event.
    :param min_wait: Seconds before which the wait does not end without a video, whatever this triggerer's clock says.
    :param version: Of these arguments.
    """

    def __init__(
        self,
        request_id: str = "",
        siliconflow_conn_id: str = "siliconflow_default",
        deadline: float | None = None,
        poke_interval: float | None = None,
        model: str | None = None,
        submitted_at: float | None = None,
        first_poll_after: float | None = None,
        min_wait: float | None = None,
        version: int = events.VERSION,
        **unknown: Any,
    ) -> None:
        super().__init__(unknown)
        self.request_id = request_id
        self.siliconflow_conn_id = siliconflow_conn_id
        self.deadline = events.read_time(deadline)
        self.poke_interval = events.read_seconds(poke_interval)
        self.model = model if isinstance(model, str) else None
        self.submitted_at = events.read_time(submitted_at)
        self.first_poll_after = events.read_seconds(first_poll_after)
        self.min_wait = events.read_seconds(min_wait)
        self.version = version

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """
        Wait until the wait has ended.

        :yield: One :class:`.WaitEvent`.
        """
        first = base.MIN_DEFERRAL_SECONDS if self.first_poll_after is None else self.first_poll_after
        wait = Wait(self.request_id, self.deadline)
        try:
            event = WaitEvent.of(await self._wait(wait, first), first, self.min_wait or 0.0)
        except Exception as error:
            self.log.exception("Waiting for video %s failed", self.request_id)
            message = describe_error(error)
            event = WaitEvent(None, self.request_id, self.deadline, first, self.min_wait or 0.0, message=message)
            await asyncio.sleep(base.MIN_DEFERRAL_SECONDS)
        yield TriggerEvent(replace(event, polls=wait.polls, poll_errors=wait.errors).encode())

    async def on_kill(self) -> None:
        """
        Log that nothing can cancel a video. Does nothing else, for Airflow may call it on a mere move as well.

        Airflow calls it from 3.3 on; 3.3.2 also when a trigger moves to another triggerer (apache/airflow#73454).
        """
        self.log.warning(
            "No longer waiting here for video %s. It keeps running at SiliconFlow and is billed: nothing can cancel it."
            " A retry re-attaches to it.",
            self.request_id,
        )

    async def _wait(self, wait: Wait, first: float) -> WaitResult:
        if self.deadline is None or not self.request_id:
            raise SiliconFlowError("the stored arguments name no video or no deadline")
        poller_of = await load_poller()
        clock = steady_clock(time.time())
        log = PollLog(self.log, 1)
        now = clock()
        ends = now + (self.min_wait or 0.0)
        request = WaitRequest(
            self.request_id,
            waited=now - self.submitted_at if self.submitted_at is not None else 0.0,
            first=first,
            left=max(self.deadline, ends) - now,
            interval=self.poke_interval,
            model=self.model,
        )

        def decide(poll: PollResult, seconds_left: Callable[[], float]) -> WaitResult | None:
            result = wait.evaluate(poll, now=clock())
            log.note(self.request_id, poll, clock(), seconds_left)
            if result and (result.status in (WaitStatus.READY, WaitStatus.FAILED) or clock() >= ends):
                return result
            return None

        try:
            async with asyncio.timeout(max(request.left, 2 * first) + LATE_SECONDS):
                return await poller_of(self.siliconflow_conn_id).watch(decide, request)
        except TimeoutError:
            last = wait.last or SiliconFlowConnectionError("no poll was answered")
            return WaitResult(WaitStatus.TIMED_OUT, self.request_id, last, self.deadline)
