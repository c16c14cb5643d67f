from __future__ import annotations

import json
from importlib import import_module
from typing import Any

import pytest
from airflow.models.trigger import Trigger

from airflow_provider_siliconflow.triggers.base import MIN_DEFERRAL_SECONDS
from airflow_provider_siliconflow.triggers.submit import SubmitRetryTrigger
from tests.unit.conftest import Clock

FACTS: dict[str, Any] = {"until": 1_800_000_042.5, "since": 1_800_000_000.25, "rejections": 3}


async def events(trigger: SubmitRetryTrigger) -> list[Any]:
    return [event.payload async for event in trigger.run()]


async def test_fires_once_at_its_time_with_what_the_task_must_remember(clock: Clock) -> None:
    began = clock.now
    fired = await events(SubmitRetryTrigger(until=began + 42, since=began - 100, rejections=3))
    assert fired == [{"version": 1, "message": "", "since": began - 100, "rejections": 3}]
    assert json.loads(json.dumps(fired)) == fired
    assert clock.sleeps == pytest.approx([42])


@pytest.mark.parametrize("late", [0, 1, 1e6])
async def test_fires_as_soon_as_airflow_bears_when_its_time_has_come_while_no_triggerer_ran(
    clock: Clock, late: float
) -> None:
    assert len(await events(SubmitRetryTrigger(until=clock.now - late, since=0, rejections=1))) == 1
    assert clock.sleeps == [MIN_DEFERRAL_SECONDS]


def test_survives_the_database() -> None:
    row = Trigger.from_object(SubmitRetryTrigger(**FACTS))
    module, _, name = row.classpath.rpartition(".")
    again = getattr(import_module(module), name)(**row.kwargs)
    assert type(again) is SubmitRetryTrigger
    assert vars(again)["until"] == FACTS["until"]
    assert again.serialize() == SubmitRetryTrigger(**FACTS).serialize()


@pytest.mark.parametrize("behind", [3600.0, 1e9])
async def test_a_clock_that_is_behind_holds_no_submit(clock: Clock, behind: float) -> None:
    """The worker said how long to wait."""
    await events(SubmitRetryTrigger(until=clock.now + behind + 42, since=clock.now, rejections=1, wait=42.0))
    assert clock.sleeps == pytest.approx([42])


@pytest.mark.parametrize(
    "kwargs",
    [
        {"until": 1_800_000_042.5, "since": 1_800_000_000.25},
        {**FACTS, "version": 2, "priority": 3},
        {"until": "soon", "since": float("nan"), "rejections": None, "wait": []},
        {},
    ],
)
async def test_arguments_of_another_release_fire_all_the_same(clock: Clock, kwargs: dict[str, Any]) -> None:
    (fired,) = await events(SubmitRetryTrigger(**kwargs))
    assert set(fired) == {"version", "message", "since", "rejections"}
    assert clock.sleeps
