from __future__ import annotations

import json
from importlib import import_module
from typing import Any

import pytest
from airflow.models.trigger import Trigger

from airflow_provider_siliconflow.triggers.submit import SubmitRetryTrigger
from tests.unit.conftest import Clock

FACTS: dict[str, Any] = {"until": 1_800_000_042.5, "since": 1_800_000_000.25, "refusals": 3}


async def events(trigger: SubmitRetryTrigger) -> list[object]:
    return [event.payload async for event in trigger.run()]


async def test_fires_once_at_its_time_with_what_the_task_must_remember(clock: Clock) -> None:
    began = clock.now
    fired = await events(SubmitRetryTrigger(until=began + 42, since=began - 100, refusals=3))
    assert fired == [{"since": began - 100, "refusals": 3}]
    assert json.loads(json.dumps(fired)) == fired
    assert clock.naps == pytest.approx([42])


@pytest.mark.parametrize("late", [0, 1, 1e6])
async def test_fires_at_once_when_its_time_has_come_while_no_triggerer_ran(clock: Clock, late: float) -> None:
    assert len(await events(SubmitRetryTrigger(until=clock.now - late, since=0, refusals=1))) == 1
    assert clock.naps == [0]


def test_survives_the_database() -> None:
    row = Trigger.from_object(SubmitRetryTrigger(**FACTS))
    module, _, name = row.classpath.rpartition(".")
    again = getattr(import_module(module), name)(**row.kwargs)
    assert type(again) is SubmitRetryTrigger
    assert vars(again)["until"] == FACTS["until"]
    assert again.serialize() == SubmitRetryTrigger(**FACTS).serialize()
