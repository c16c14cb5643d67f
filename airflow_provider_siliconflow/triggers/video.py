"""Wait in the triggerer for a video to be ready."""

from __future__ import annotations

import asyncio
import importlib
import logging
import time
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn, Protocol, cast

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_siliconflow.client.masking import describe_error
from airflow_provider_siliconflow.exceptions import SiliconFlowConnectionError, SiliconFlowError
from airflow_provider_siliconflow.polling.decision import (
    PollResult,
    Wait,
    WaitRequest,
    WaitResult,
    WaitStatus,
    describe,
)
from airflow_provider_siliconflow.triggers import events
from airflow_provider_siliconflow.triggers.clock import steady_clock
from airflow_provider_siliconflow.triggers.events import WaitEvent

if TYPE_CHECKING:
    from airflow_provider_siliconflow.polling.poller import Poller

log = logging.getLogger(__name__)

#: Seconds from the deferral to the first poll. An event that comes sooner can overtake the executor's own report of
#: the deferral, and Airflow then fails the task (seen on 3.3.2 with LocalExecutor).
MIN_DEFERRAL_SECONDS = 10.0
#: Seconds. The event of the trigger comes first; this is for a triggerer that is gone or late.
DEFER_TIMEOUT_SLACK = 120.0
#: Seconds after the deadline for which the last poll may be on its way.
_LATE = 30.0
#: Seconds between two lines in the log.
LOG_INTERVAL = 60.0

_POLLER = "airflow_provider_siliconflow.polling.poller"
_poller: PollerModule | None = None
_told: set[str] = set()


class PollerModule(Protocol):
    """What is needed of :mod:`airflow_provider_siliconflow.polling.poller`."""

    def poller_of(self, conn_id: str) -> Poller:
        """Return the poller of a connection on the running event loop."""
        ...


async def load_poller() -> PollerModule:
    """
    Import the poller when it is wanted, so that a DAG file which imports the sensor loads no HTTP library.

    On a thread, since the first import reads many files and the event loop is shared.
    """
    global _poller
    if _poller is None:
        # Not looked up in sys.modules, where a module stands half made while another trigger imports it.
        _poller = cast("PollerModule", await asyncio.to_thread(importlib.import_module, _POLLER))
    return _poller


def ignore_unknown(trigger: BaseTrigger, unknown: dict[str, Any]) -> None:
    """Log once that a trigger was deferred by a release with arguments that this one does not know."""
    names = f"{type(trigger).__name__}: {', '.join(sorted(unknown))}"
    if unknown and names not in _told:
        _told.add(names)
        log.warning("Arguments of another release are ignored (%s): were all parts of Airflow restarted?", names)


class VideoReadyTrigger(BaseTrigger):
    """
    Wait until a video is ready, failed, or the deadline has passed, and fire one event.

    All triggers of a connection in a triggerer share one session, one rate and one back-off
    (:mod:`airflow_provider_siliconflow.polling.poller`). Arguments are stored by Airflow and may come from another
    release: what is unknown is ignored, and what is missing or odd fails no trigger.

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
        super().__init__()  # type: ignore[no-untyped-call]
        ignore_unknown(self, unknown)
        self.request_id = request_id
        self.siliconflow_conn_id = siliconflow_conn_id
        self.deadline = events.read_time(deadline)
        self.poke_interval = events.read_seconds(poke_interval)
        self.model = model if isinstance(model, str) else None
        self.submitted_at = events.read_time(submitted_at)
        self.first_poll_after = events.read_seconds(first_poll_after)
        self.min_wait = events.read_seconds(min_wait)
        self.version = version
        self._logged = ""
        self._logged_at = float("-inf")

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class path and the arguments to make the trigger anew; plain JSON without secrets."""
        names = (
            *("request_id", "siliconflow_conn_id", "deadline", "poke_interval", "model", "submitted_at"),
            *("first_poll_after", "min_wait", "version"),
        )
        return f"{type(self).__module__}.{type(self).__qualname__}", {name: getattr(self, name) for name in names}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Fire one :class:`.WaitEvent`."""
        first = MIN_DEFERRAL_SECONDS if self.first_poll_after is None else self.first_poll_after
        try:
            event = WaitEvent.of(await self._wait(first), first, self.min_wait or 0.0)
        except Exception as error:
            self.log.exception("Waiting for video %s failed", self.request_id)
            message = describe_error(error)
            event = WaitEvent(None, self.request_id, self.deadline, first, self.min_wait or 0.0, message)
            await asyncio.sleep(MIN_DEFERRAL_SECONDS)
        yield TriggerEvent(event.encode())

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

    async def _wait(self, first: float) -> WaitResult:
        if self.deadline is None or not self.request_id:
            raise SiliconFlowError("the stored arguments name no video or no deadline")
        poller = await load_poller()
        clock = steady_clock(time.time())
        wait = Wait(self.request_id, self.deadline)
        now = clock()
        ends = now + (self.min_wait or 0.0)
        left = max(self.deadline, ends) - now
        request = WaitRequest(
            self.request_id,
            waited=now - self.submitted_at if self.submitted_at is not None else 0.0,
            first=first,
            left=left,
            interval=self.poke_interval,
            model=self.model,
        )

        def decide(poll: PollResult, seconds_left: Callable[[], float]) -> WaitResult | None:
            result = wait.evaluate(poll, now=clock())
            if result and (result.status in (WaitStatus.READY, WaitStatus.FAILED) or clock() >= ends):
                return result
            self._log_poll(poll, clock(), seconds_left)
            return None

        try:
            async with asyncio.timeout(max(left, 2 * first) + _LATE):
                return await poller.poller_of(self.siliconflow_conn_id).watch(decide, request)
        except TimeoutError:
            last = wait.last or SiliconFlowConnectionError("no poll was answered")
            result = wait.evaluate(last, now=max(clock(), self.deadline))
            assert result, "the deadline has passed"
            return result

    def _log_poll(self, poll: PollResult, now: float, seconds_left: Callable[[], float]) -> None:
        """Log what was polled: news of the video, and a failed poll in any case, once a minute at most."""
        text, is_error = describe(poll), isinstance(poll, SiliconFlowError)
        if now - self._logged_at < LOG_INTERVAL or (text == self._logged and not is_error):
            return
        self._logged, self._logged_at = text, now
        if is_error:
            self.log.warning("Video %s: %s The wait goes on.", self.request_id, text)
        else:
            self.log.info("Video %s: %s Expected in about %.0f s.", self.request_id, text, seconds_left())


class Waiting(Protocol):
    """A task that waits for a video, in seconds of ``timeout``, and resumes in ``execute_complete``."""

    siliconflow_conn_id: str

    @property
    def defer(self) -> Callable[..., NoReturn]:
        """Return what leaves the worker."""
        ...


def defer_until_ready(
    task: Waiting,
    wait: Wait,
    *,
    poke_interval: float | None = None,
    model: str | None = None,
    submitted_at: float | None = None,
    first_poll_after: float | None = None,
    min_wait: float | None = None,
) -> NoReturn:
    """
    Leave the worker until the trigger has seen the wait end.

    :param task: The task that waits.
    :param wait: Its wait; it must have a deadline.
    :param poke_interval: Seconds between two polls; None to learn it from what past videos took.
    :param model: The video's model, if known.
    :param submitted_at: Epoch seconds at which the video was submitted, or else at which the wait for it began.
    :param first_poll_after: Seconds until the first poll; by default as few as Airflow bears.
    :param min_wait: Seconds before which the wait does not end without a video, whatever the triggerer's clock says.
    """
    assert wait.deadline is not None, "a deferral without a deadline may never end"
    left = max(wait.deadline - time.time(), MIN_DEFERRAL_SECONDS)
    task.defer(
        trigger=VideoReadyTrigger(
            wait.request_id,
            task.siliconflow_conn_id,
            wait.deadline,
            poke_interval,
            model,
            submitted_at,
            None if first_poll_after is None else min(first_poll_after, left),
            None if min_wait is None else min(min_wait, left),
        ),
        method_name="execute_complete",
        # Airflow enforces no time-out on a deferred task unless one is given here.
        timeout=timedelta(seconds=left + DEFER_TIMEOUT_SLACK),
    )
