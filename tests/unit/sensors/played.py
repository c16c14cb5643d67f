"""Play the parts of Airflow around a sensor: worker, scheduler, database and triggerer, each as short as it can be."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import import_module
from typing import Any

from airflow.sdk.exceptions import AirflowRescheduleException, TaskDeferred
from airflow.sdk.serde import deserialize, serialize
from airflow.triggers.base import BaseTrigger

from airflow_provider_siliconflow.sensors.video import VideoReadySensor


def stored(trigger: BaseTrigger) -> BaseTrigger:
    """Return a trigger made anew from what the database would hold of it."""
    classpath, kwargs = trigger.serialize()
    row = json.dumps(serialize(kwargs))
    module, _, name = classpath.rpartition(".")
    kind: type[BaseTrigger] = getattr(import_module(module), name)
    again: Any = deserialize(json.loads(row))
    return kind(**again)


def fire(trigger: BaseTrigger) -> Any:
    """Run a trigger to its one event, and return what that carries after a way through JSON."""

    async def events() -> list[Any]:
        return [event.payload async for event in trigger.run()]

    (payload,) = asyncio.run(events())
    return json.loads(json.dumps(payload))


@dataclass
class Played:
    """
    Hold one try of a sensor.

    :param sensor: The sensor; made anew for each process by ``make``.
    """

    make: Callable[[], VideoReadySensor]
    xcoms: dict[str, Any] = field(default_factory=dict)
    deferrals: list[TaskDeferred] = field(default_factory=list)
    first_reschedule: datetime | None = None
    map_index: int = -1

    def xcom_push(self, key: str, value: Any) -> None:
        self.xcoms[key] = json.loads(json.dumps(value))

    def xcom_pull(self, key: str, map_indexes: int) -> Any:
        return self.xcoms.get(key)

    def get_first_reschedule_date(self, context: Any) -> datetime | None:
        return self.first_reschedule

    def finish(self) -> Any:
        """Run worker after worker, a trigger between them where one was left, until the try ends."""
        step: Callable[[], Any] = self.start
        for _ in range(20):
            try:
                return step()
            except AirflowRescheduleException:
                self.first_reschedule = self.first_reschedule or datetime.now(UTC)
                step = self.start
            except TaskDeferred as deferral:
                self.deferrals.append(deferral)
                step = self.resume
        raise AssertionError("the try does not end")

    def start(self) -> Any:
        """Run a worker from its start."""
        return self.make().execute({"ti": self})  # type: ignore[typeddict-item]

    def fail_deferral(self, failure: Any) -> Any:
        """Run the worker that Airflow starts where a deferral failed."""
        return self.make().resume_execution("__fail__", failure, {"ti": self})  # type: ignore[typeddict-item]

    def resume(self) -> Any:
        """Run the last deferral's trigger, then a worker."""
        deferral = self.deferrals[-1]
        event = fire(stored(deferral.trigger))
        return self.make().resume_execution(deferral.method_name, {"event": event}, {"ti": self})  # type: ignore[typeddict-item]
