"""Wait in the triggerer until a submit that was rejected temporarily may be sent again."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import TriggerEvent

from airflow_provider_siliconflow.triggers import base, events
from airflow_provider_siliconflow.triggers.base import StoredTrigger
from airflow_provider_siliconflow.triggers.events import SubmitRetryEvent

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class SubmitRetryTrigger(StoredTrigger):
    """
    Fire at a time, handing back what the task must remember.

    Airflow's own ``DateTimeTrigger`` hands back the time alone, and ``dag.test()`` drops a deferral's kwargs.

    :param until: Epoch seconds at which to fire.
    :param since: Epoch seconds of the first rejection.
    :param rejections: Rejections so far.
    :param wait: Seconds after which to fire at the latest, by the event loop's time: the clocks of worker and triggerer
        may differ.
    :param version: Of these arguments.
    """

    def __init__(
        self,
        until: float | None = None,
        since: float | None = None,
        rejections: int = 1,
        wait: float | None = None,
        version: int = events.VERSION,
        **unknown: Any,
    ) -> None:
        super().__init__(unknown)
        self.until = until
        self.since = since
        self.rejections = rejections
        self.wait = wait
        self.version = version

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """
        Wait until it is time.

        :yield: One :class:`.SubmitRetryEvent`.
        """
        until, longest = events.read_time(self.until), events.read_seconds(self.wait)
        left = 0.0 if until is None else until - time.time()
        await asyncio.sleep(max(base.MIN_DEFERRAL_SECONDS, left if longest is None else min(left, longest)))
        given = {"since": self.since, "rejections": self.rejections}
        yield TriggerEvent(SubmitRetryEvent.decode(given).encode())
