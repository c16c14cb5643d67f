"""Wait in the triggerer for a video to be ready."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_siliconflow.exceptions import SiliconFlowError
from airflow_provider_siliconflow.waiting.outcome import Outcome, describe, event_of, judge

if TYPE_CHECKING:
    from airflow_provider_siliconflow.api.video import VideoStatus
    from airflow_provider_siliconflow.hooks.siliconflow import SiliconFlowAsyncHook

#: Seconds from the deferral to the first look. An event that comes sooner can overtake the executor's own report
#: of the deferred try, and Airflow then fails the task (seen on 3.3.2 with LocalExecutor).
FIRST_LOOK = 10.0


class VideoReadyTrigger(BaseTrigger):
    """
    Look at a video until it is ready, failed, or the deadline has passed, and fire one event.

    :param request_id: The video's request id.
    :param siliconflow_conn_id: Airflow connection of type ``siliconflow``.
    :param deadline: Epoch seconds after which to stop waiting. Wall clock, since the trigger may go on in another
        triggerer.
    :param poke_interval: Seconds between two looks.
    """

    def __init__(self, request_id: str, siliconflow_conn_id: str, deadline: float, poke_interval: float) -> None:
        super().__init__()
        self.request_id = request_id
        self.siliconflow_conn_id = siliconflow_conn_id
        self.deadline = deadline
        self.poke_interval = poke_interval

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class path and the arguments to make the trigger anew; plain JSON without secrets."""
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {
                "request_id": self.request_id,
                "siliconflow_conn_id": self.siliconflow_conn_id,
                "deadline": self.deadline,
                "poke_interval": self.poke_interval,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Fire ``{"ending": …, "request_id": …, "deadline": …}`` once."""
        try:
            await asyncio.sleep(FIRST_LOOK)
            event = event_of(await self._wait())
        except Exception as error:
            self.log.exception("Waiting for video %s broke off", self.request_id)
            event = {"ending": "broken", "request_id": self.request_id, "message": f"{type(error).__name__}: {error}"}
        yield TriggerEvent(event)

    async def _wait(self) -> Outcome:
        # Imported here, so that a DAG file which imports the sensor loads no HTTP library.
        from airflow_provider_siliconflow.hooks.siliconflow import SiliconFlowAsyncHook

        async with SiliconFlowAsyncHook(self.siliconflow_conn_id) as hook:
            while True:
                look = await self._look(hook)
                outcome = judge(self.request_id, look, now=time.time(), deadline=self.deadline)
                if outcome:
                    return outcome
                self.log.info("Video %s: %s", self.request_id, describe(look))
                pause = getattr(look, "retry_after", None) or self.poke_interval
                await asyncio.sleep(max(0.0, min(pause, self.deadline - time.time())))

    async def _look(self, hook: SiliconFlowAsyncHook) -> VideoStatus | SiliconFlowError:
        try:
            return await hook.get_video_status(self.request_id, attempts=1)
        except SiliconFlowError as error:
            return error
