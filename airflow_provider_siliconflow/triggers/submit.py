"""Wait in the triggerer until a submit that was rejected temporarily may be sent again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_siliconflow.triggers import events
from airflow_provider_siliconflow.triggers.video import MIN_DEFERRAL_SECONDS, ignore_unknown


class SubmitRetryTrigger(BaseTrigger):
    """
    Fire at a time, handing back what the task must remember.

    Airflow's own ``DateTimeTrigger`` hands back the time alone, and ``dag.test()`` drops a deferral's kwargs. Arguments
    may come from another release, as for :class:`.VideoReadyTrigger`.

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
        super().__init__()  # type: ignore[no-untyped-call]
        ignore_unknown(self, unknown)
        self.until = until
        self.since = since
        self.rejections = rejections
        self.wait = wait
        self.version = version

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class path and the arguments to make the trigger anew."""
        names = ("until", "since", "rejections", "wait", "version")
        return f"{type(self).__module__}.{type(self).__qualname__}", {name: getattr(self, name) for name in names}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Fire one :class:`.SubmitRetryEvent`."""
        now = time.time()
        until, longest = events.read_time(self.until), events.read_seconds(self.wait)
        left = 0.0 if until is None else until - now
        await asyncio.sleep(max(MIN_DEFERRAL_SECONDS, left if longest is None else min(left, longest)))
        given = {"since": self.since, "rejections": self.rejections}
        yield TriggerEvent(events.decode_submit_retry(given, now=now).encode())
