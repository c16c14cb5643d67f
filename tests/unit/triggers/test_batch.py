"""The trigger of a list, against the sandbox: one event, and nothing left behind."""

from __future__ import annotations

import asyncio
import inspect
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from airflow.models.trigger import Trigger

from airflow_provider_siliconflow.client.models import VideoRequest
from airflow_provider_siliconflow.hooks.siliconflow import SiliconFlowHook
from airflow_provider_siliconflow.polling import poller
from airflow_provider_siliconflow.polling.decision import Wait
from airflow_provider_siliconflow.sandbox.faults import Fault
from airflow_provider_siliconflow.sandbox.server import Sandbox
from airflow_provider_siliconflow.triggers import base, batch
from airflow_provider_siliconflow.triggers.base import MIN_DEFERRAL_SECONDS
from airflow_provider_siliconflow.triggers.batch import MAX_READY_AGE, VideoBatchTrigger
from airflow_provider_siliconflow.triggers.events import BatchEvent
from tests.unit.polling.watching import pollers

MODEL = "Wan-AI/Wan2.2-T2V-A14B"
#: Seconds after which a test counts as hung.
PATIENCE = 20.0
#: Seconds after which the sandbox has finished any video.
FINISHED_AFTER = 600
STATE = {"rows": [{"index": 0}], "pending": {}}
Videos = dict[str, list[float]]


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "MIN_DEFERRAL_SECONDS", 0.0)
    monkeypatch.setattr("airflow_provider_siliconflow.polling.scheduler.BACKOFF", 0.0)
    monkeypatch.setattr("airflow_provider_siliconflow.polling.poller.RENEWAL", 0.05)


@pytest.fixture
def videos(sandbox: Sandbox) -> Iterator[Videos]:
    """Submit four videos; at the end, no poller may be left anywhere."""
    hook = SiliconFlowHook()
    requests = [VideoRequest(MODEL, f"video {number}", "1280x720") for number in range(4)]
    yield {hook.submit_video(request).request_id: [time.time()] * 2 for request in requests}
    assert pollers() == []


def trigger(videos: Videos, left: float = 60.0, wake: float = 60.0, **more: Any) -> VideoBatchTrigger:
    now = time.time()
    return VideoBatchTrigger(
        "siliconflow_default", videos, now + left, now + wake, STATE, **{"poke_interval": 0.01} | more
    )


async def event_of(trigger: VideoBatchTrigger) -> dict[str, Any]:
    async with asyncio.timeout(PATIENCE):
        (event,) = [event.payload async for event in trigger.run()]
    return dict(event)


def test_the_first_poll_comes_after_the_executor_has_reported_the_deferral() -> None:
    assert MIN_DEFERRAL_SECONDS >= 10
    # A ready video waits for others, but its bytes are to be safe within a minute.
    assert batch.COALESCE_SECONDS < MAX_READY_AGE <= 45


async def test_all_that_ended_come_in_one_event(sandbox: Sandbox, videos: Videos) -> None:
    sandbox.advance(FINISHED_AFTER)
    event = await event_of(trigger(videos))
    assert sorted(event["ended"]) == sorted(videos)
    assert event["state"] == STATE
    assert event["message"] == ""


async def test_each_says_how_it_ended(sandbox: Sandbox, videos: Videos, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow_provider_siliconflow.polling.decision.REJECTION_GRACE", 0.2)
    failed, rejected, *ready = videos
    sandbox.script(Fault("status", "answer", status=200, body='{"status": "Failed"}', times=0, match=failed))
    sandbox.script(Fault("status", "answer", status=404, body='"no"', times=0, match=rejected))
    sandbox.advance(FINISHED_AFTER)
    event = await event_of(trigger(videos))
    assert event["ended"] == {failed: "failed", rejected: "rejected", **dict.fromkeys(ready, "ready")}


@pytest.mark.parametrize("kind", ["unauthorized", "payment_required", "forbidden", "not_found"])
async def test_one_rejected_poll_of_each_is_no_end(sandbox: Sandbox, videos: Videos, kind: str) -> None:
    sandbox.script(Fault("status", kind, times=len(videos)))
    sandbox.advance(FINISHED_AFTER)
    event = await event_of(trigger(videos))
    assert event["ended"] == dict.fromkeys(videos, "ready")


async def test_what_passes_is_no_end(sandbox: Sandbox, videos: Videos) -> None:
    faults = ("rate_limited", "overloaded", "bad_gateway", "reset", "not_json")
    sandbox.script(*(Fault("status", kind) for kind in faults))
    sandbox.advance(FINISHED_AFTER)
    event = await event_of(trigger(videos))
    assert sorted(event["ended"]) == sorted(videos)


async def test_the_poller_is_loaded_once_for_all(
    sandbox: Sandbox, videos: Videos, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of many that import a module at the same time, some find half of it."""
    loaded: list[object] = []

    async def load_poller() -> Callable[[str], poller.Poller]:
        loaded.append(poller.poller_of)
        return poller.poller_of

    monkeypatch.setattr(batch, "load_poller", load_poller)
    sandbox.advance(FINISHED_AFTER)
    await event_of(trigger(videos))
    assert len(loaded) == 1


async def test_it_fires_at_its_time_though_nothing_ended(sandbox: Sandbox, videos: Videos) -> None:
    event = await event_of(trigger(videos, wake=0.2))
    assert (event["ended"], event["state"]) == ({}, STATE)


async def test_it_fires_though_there_is_no_video_to_wait_for(sandbox: Sandbox) -> None:
    event = await event_of(trigger({}, wake=0.05))
    assert event == BatchEvent(state=STATE).encode()
    assert sandbox.ledger().status_calls == 0


async def test_no_event_comes_before_the_executor_has_said_its_word(
    sandbox: Sandbox, videos: Videos, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All are seen to be ready at once, and told when it is time."""
    monkeypatch.setattr(base, "MIN_DEFERRAL_SECONDS", 0.5)
    sandbox.advance(FINISHED_AFTER)
    before = time.time()
    event = await event_of(trigger(videos))
    assert time.time() >= before + 0.5
    assert sorted(event["ended"]) == sorted(videos)


async def test_a_video_that_was_polled_of_late_is_not_polled_again_at_once(
    sandbox: Sandbox, videos: Videos, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The task has polled it, or the trigger before this one has."""
    monkeypatch.setattr(batch, "COALESCE_SECONDS", 0.5)
    monkeypatch.setattr(batch, "MAX_READY_AGE", 0.5)
    now = time.time()
    fresh, *old = videos
    sandbox.advance(FINISHED_AFTER)
    since = {request_id: [now - 1000] * 2 for request_id in old} | {fresh: [now - 1000, now]}
    event = await event_of(trigger(since, poke_interval=PATIENCE + 10))
    assert set(event["ended"]) <= set(old)
    assert {job["request_id"]: job["status_calls"] for job in sandbox.ledger().jobs}[fresh] == 0


async def test_it_tells_when_a_video_was_last_seen_not_to_be_ready(
    sandbox: Sandbox, videos: Videos, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "COALESCE_SECONDS", 0.5)
    monkeypatch.setattr(batch, "MAX_READY_AGE", 0.5)
    fails = next(iter(videos))
    before = time.time()
    sandbox.script(
        Fault("status", "answer", status=200, body='{"status": "InProgress"}', times=9, match=fails),
        Fault("status", "answer", status=200, body='{"status": "Failed"}', times=0, match=fails),
    )
    event = await event_of(trigger(videos))
    assert event["ended"] == {fails: "failed"}
    assert set(event["last_polled"]) == set(videos)
    assert all(before <= at <= time.time() for at in event["last_polled"].values())


async def test_a_video_that_is_late_has_ended(sandbox: Sandbox, videos: Videos) -> None:
    event = await event_of(trigger(videos, left=-1.0))
    assert sorted(event["ended"]) == sorted(videos)


async def test_what_breaks_is_told_in_the_one_event(
    sandbox: Sandbox, videos: Videos, monkeypatch: pytest.MonkeyPatch
) -> None:
    def evaluate(*_: object, **__: object) -> None:
        raise RuntimeError("a mistake")

    monkeypatch.setattr(Wait, "evaluate", evaluate)
    event = await event_of(trigger(videos))
    assert event == BatchEvent(state=STATE, message="RuntimeError: a mistake").encode()


async def test_a_cancellation_frees_all(sandbox: Sandbox, videos: Videos, monkeypatch: pytest.MonkeyPatch) -> None:
    polled = asyncio.Event()
    monkeypatch.setattr(Wait, "evaluate", lambda *_, **__: polled.set())
    before = asyncio.all_tasks()
    running = asyncio.create_task(event_of(trigger(videos)))
    async with asyncio.timeout(PATIENCE):
        await polled.wait()
    running.cancel()
    # Sooner than its own patience would end it.
    await asyncio.wait({running}, timeout=PATIENCE / 4)
    assert running.cancelled()
    assert asyncio.all_tasks() == before
    assert pollers() == []


def test_it_survives_airflows_own_storage(videos: Videos) -> None:
    first = trigger(videos, model=MODEL)
    row = Trigger.from_object(first)
    again = VideoBatchTrigger(**row.kwargs)
    assert again.serialize() == first.serialize()
    assert row.classpath == "airflow_provider_siliconflow.triggers.batch.VideoBatchTrigger"
    assert set(row.kwargs) == set(inspect.signature(VideoBatchTrigger).parameters) - {"unknown"}
    assert json.loads(json.dumps(row.kwargs)) == row.kwargs


def lines(of: VideoBatchTrigger, level: str, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return what a trigger will have logged."""
    said: list[str] = []
    monkeypatch.setattr(of.log, level, lambda text, *args: said.append(text % args))
    return said


async def test_on_kill_tells_the_truth_and_asks_nothing(
    sandbox: Sandbox, videos: Videos, monkeypatch: pytest.MonkeyPatch
) -> None:
    for waits_for in ({}, videos):
        first = trigger(waits_for)
        said = lines(first, "warning", monkeypatch)
        await first.on_kill()
        assert len(said) == bool(waits_for)
        for request_id in waits_for:
            assert request_id in said[0]
            assert "4 videos. They keep running at SiliconFlow and are billed" in said[0]
    assert sandbox.ledger().status_calls == 0
