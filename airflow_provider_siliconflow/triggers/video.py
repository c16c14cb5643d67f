"""Wait in the triggerer for a video to be ready."""

from __future__ import annotations

import asyncio
import importlib
import time
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from types import ModuleType
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_siliconflow.exceptions import SiliconFlowConnectionError, SiliconFlowError
from airflow_provider_siliconflow.polling.decision import WaitResult, describe, evaluate, event_of

if TYPE_CHECKING:
    from airflow_provider_siliconflow.client.models import VideoStatus

#: Seconds from the deferral to the first look. An event that comes sooner can overtake the executor's own report
#: of the deferred try, and Airflow then fails the task (seen on 3.3.2 with LocalExecutor).
MIN_DEFERRAL_SECONDS = 10.0
#: Seconds. The clean event of the trigger comes first; this is for a triggerer that is gone or late.
DEFER_TIMEOUT_SLACK = 120.0
#: Seconds after the deadline for which its last look may be on its way.
_LATE = 30.0
#: Seconds between two lines in the log.
LOG_INTERVAL = 60.0


_POLLER = "airflow_provider_siliconflow.polling.poller"
_poller: ModuleType | None = None


async def load_poller() -> ModuleType:
    """
    Import the poller when it is wanted, so that a DAG file which imports the sensor loads no HTTP library.

    On a thread, since the first import reads many files and the event loop is everybody's.
    """
    global _poller
    if _poller is None:
        # Not looked up in sys.modules, where a module stands half made while another trigger imports it.
        _poller = await asyncio.to_thread(importlib.import_module, _POLLER)
    return _poller


class VideoReadyTrigger(BaseTrigger):
    """
    Wait until a video is ready, failed, or the deadline has passed, and fire one event.

    All triggers of a connection in a triggerer share one session, one rate and one back-off
    (:mod:`airflow_provider_siliconflow.polling.poller`).

    :param request_id: The video's request id.
    :param siliconflow_conn_id: Airflow connection of type ``siliconflow``.
    :param deadline: Epoch seconds after which to stop waiting. Wall clock, since the trigger may go on in another
        triggerer.
    :param poke_interval: Seconds between two looks; None looks when it is worth it, by what past videos took.
    :param model: The video's model, if known: how long videos take is learned for each.
    :param since: Epoch seconds at which the video was submitted, or else at which the wait for it began.
    """

    def __init__(
        self,
        request_id: str,
        siliconflow_conn_id: str,
        deadline: float,
        poke_interval: float | None = None,
        model: str | None = None,
        since: float | None = None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.request_id = request_id
        self.siliconflow_conn_id = siliconflow_conn_id
        self.deadline = deadline
        self.poke_interval = poke_interval
        self.model = model
        self.since = since
        self._last: VideoStatus | SiliconFlowError | None = None
        self._said = ""
        self._said_at = float("-inf")

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class path and the arguments to make the trigger anew; plain JSON without secrets."""
        names = ("request_id", "siliconflow_conn_id", "deadline", "poke_interval", "model", "since")
        return f"{type(self).__module__}.{type(self).__qualname__}", {name: getattr(self, name) for name in names}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Fire ``{"ending": …, "request_id": …, "deadline": …}`` once."""
        try:
            event = event_of(await self._wait())
        except Exception as error:
            self.log.exception("Waiting for video %s broke off", self.request_id)
            event = {"ending": "broken", "request_id": self.request_id, "message": f"{type(error).__name__}: {error}"}
        yield TriggerEvent(event)

    async def on_kill(self) -> None:
        """
        Tell the truth: nothing can cancel a video. Does nothing else, for Airflow may call it on a mere move as well.

        Airflow calls it from 3.3 on; 3.3.2 also when a trigger moves to another triggerer (apache/airflow#73454).
        """
        self.log.warning(
            "No longer waiting here for video %s. It keeps running at SiliconFlow and is billed: nothing can cancel it."
            " A retry takes it up.",
            self.request_id,
        )

    async def _wait(self) -> WaitResult:
        poller = await load_poller()
        now = time.time()
        left = max(self.deadline - now, 0.0)
        try:
            async with asyncio.timeout(max(left, 2 * MIN_DEFERRAL_SECONDS) + _LATE):
                found: WaitResult = await poller.poller_of(self.siliconflow_conn_id).watch(
                    self._decide,
                    self.request_id,
                    model=self.model,
                    waited=now - self.since if self.since else 0.0,
                    first=MIN_DEFERRAL_SECONDS,
                    left=left,
                    interval=self.poke_interval,
                )
                return found
        except TimeoutError:
            last = self._last or SiliconFlowConnectionError("nobody came to look at the video")
            # The time-out was measured by another clock.
            now = max(time.time(), self.deadline)
            outcome = evaluate(self.request_id, last, now=now, deadline=self.deadline)
            assert outcome, "the deadline has passed"
            return outcome

    def _decide(self, look: VideoStatus | SiliconFlowError, seconds_left: Callable[[], float]) -> WaitResult | None:
        self._last = look
        now = time.time()
        outcome = evaluate(self.request_id, look, now=now, deadline=self.deadline)
        if not outcome and now - self._said_at >= LOG_INTERVAL and (said := describe(look)) != self._said:
            self._said, self._said_at = said, now
            self.log.info("Video %s: %s Expected in about %.0f s.", self.request_id, said, seconds_left())
        return outcome


class Waiting(Protocol):
    """Be a task that waits for a video, in seconds of ``timeout``, and resumes in ``execute_complete``."""

    siliconflow_conn_id: str
    timeout: float

    @property
    def defer(self) -> Callable[..., NoReturn]:
        """Return what leaves the worker."""
        ...


def defer_until_ready(
    task: Waiting,
    request_id: str,
    deadline: float,
    poke_interval: float | None,
    model: str | None = None,
    since: float | None = None,
) -> NoReturn:
    """
    Leave the worker until the trigger has seen a wait end.

    :param task: The operator that waits.
    :param request_id: The video it waits for.
    :param deadline: Epoch seconds at which its wait ends.
    :param poke_interval: Seconds between two looks; None to learn from what videos take.
    :param model: The video's model, if known.
    :param since: Epoch seconds at which it was submitted; None if only the start of the wait is known.
    """
    left = max(deadline - time.time(), MIN_DEFERRAL_SECONDS)
    since = deadline - task.timeout if since is None else since
    task.defer(
        trigger=VideoReadyTrigger(request_id, task.siliconflow_conn_id, deadline, poke_interval, model, since),
        method_name="execute_complete",
        # Airflow enforces no time-out on a deferred task unless one is given here.
        timeout=timedelta(seconds=left + DEFER_TIMEOUT_SLACK),
    )
