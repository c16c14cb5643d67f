"""Wait in the triggerer until a refused submit may be tried again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent


class SubmitRetryTrigger(BaseTrigger):
    """
    Fire at a time, handing back what the task must remember.

    Airflow's own ``DateTimeTrigger`` hands back the time alone, and ``dag.test()`` drops a deferral's kwargs.

    :param until: Epoch seconds at which to fire.
    :param since: Epoch seconds of the first refusal.
    :param refusals: Refusals so far.
    """

    def __init__(self, until: float, since: float, refusals: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.until = until
        self.since = since
        self.refusals = refusals

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class path and the arguments to make the trigger anew."""
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {"until": self.until, "since": self.since, "refusals": self.refusals},
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Fire ``{"since": …, "refusals": …}`` once."""
        await asyncio.sleep(max(0.0, self.until - time.time()))
        yield TriggerEvent({"since": self.since, "refusals": self.refusals})
