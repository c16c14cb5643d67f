"""The trigger through Airflow's own storage, to its one event, on a loop it never blocks."""

from __future__ import annotations

import asyncio
import gc
import inspect
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import aiohttp
import pytest
from airflow.models.trigger import Trigger
from airflow.triggers.base import TriggerEvent

from airflow_provider_siliconflow.polling.decision import WaitStatus
from airflow_provider_siliconflow.triggers.base import MIN_DEFERRAL_SECONDS
from airflow_provider_siliconflow.triggers.events import WaitEvent
from airflow_provider_siliconflow.triggers.video import VideoReadyTrigger
from tests.unit.hooks.fixtures import Connect
from tests.unit.hooks.scripted_server import KEY, PATIENCE, Script, ScriptedServer, Step, reply

ID = "gs6fhi8yrhxt"
READY = reply(200, {"status": "Succeed", "results": {"videos": [{"url": "https://s3/c.mp4?Signature=s3cr3t"}]}})
QUEUED = reply(200, {"status": "InQueue", "position": 3})
#: Seconds of a trigger's own work in one turn of the loop.
BLOCKED = 0.05


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch, connect: Connect, server: ScriptedServer) -> None:
    monkeypatch.setattr("airflow_provider_siliconflow.triggers.base.MIN_DEFERRAL_SECONDS", 0.0)
    monkeypatch.setattr("airflow_provider_siliconflow.polling.scheduler.BACKOFF", 0.0)
    monkeypatch.setattr("airflow_provider_siliconflow.polling.scheduler.MAX_BACKOFF", 0.0)
    monkeypatch.setattr("airflow_provider_siliconflow.polling.poller.RENEWAL", 0.05)
    monkeypatch.setattr("airflow_provider_siliconflow.polling.decision.REJECTION_GRACE", 0.2)
    connect(server.url, max_backoff=0, requests_per_minute=60_000)


def trigger(request_id: str = ID, seconds: float = 60.0, **kwargs: Any) -> VideoReadyTrigger:
    return VideoReadyTrigger(request_id, "siliconflow_default", time.time() + seconds, 0.01, **kwargs)


async def events(of: VideoReadyTrigger) -> list[TriggerEvent]:
    async with asyncio.timeout(PATIENCE):
        return [event async for event in of.run()]


def test_the_first_poll_comes_after_the_executor_has_reported_the_deferral() -> None:
    assert MIN_DEFERRAL_SECONDS >= 10


def test_it_survives_airflows_own_storage() -> None:
    for first in (
        trigger(model="Wan-AI/Wan2.2-T2V-A14B", submitted_at=1.5),
        VideoReadyTrigger("视频", "conn", 1.5, None),
    ):
        row = Trigger.from_object(first)
        kind: Any = VideoReadyTrigger
        again = kind(**row.kwargs)
        assert again.serialize() == first.serialize()
        assert row.classpath == "airflow_provider_siliconflow.triggers.video.VideoReadyTrigger"
        # Whatever a later release adds to the constructor must be in what is kept.
        assert set(row.kwargs) == set(inspect.signature(VideoReadyTrigger).parameters) - {"unknown"}


def test_what_is_kept_and_shown_is_plain_and_secret_of_nobody() -> None:
    first = trigger()
    _, kwargs = first.serialize()
    assert json.loads(json.dumps(kwargs)) == kwargs
    for text in (repr(first), json.dumps(kwargs)):
        for secret in (KEY, "http", "prompt"):
            assert secret not in text


@pytest.mark.parametrize(
    ("steps", "status"),
    [
        ([READY], WaitStatus.READY),
        ([QUEUED, reply(200, {"status": "Reviewing"}), reply(500), Step.RESET, reply(429), READY], WaitStatus.READY),
        ([reply(200, b"<html>"), reply(200, {"status": "Failed", "reason": "why"})], WaitStatus.FAILED),
        ([reply(401, "Invalid token"), reply(403, "Forbidden"), reply(402, "poor"), READY], WaitStatus.READY),
        ([*(reply(code, "no") for code in (400, 404, 405, 410, 451, 302)), READY], WaitStatus.READY),
        ([reply(404, "404 page not found")], WaitStatus.REJECTED),
    ],
)
async def test_one_event_of_plain_fields_for_each_end(
    server: ScriptedServer, steps: list[Script], status: WaitStatus
) -> None:
    server.script = list(steps)
    first = trigger()
    (event,) = await events(first)
    counted = {name: event.payload.pop(name) for name in ("polls", "poll_errors")}
    assert counted["polls"] >= len(steps)
    assert counted["polls"] > counted["poll_errors"] or status is WaitStatus.REJECTED
    assert event.payload.items() <= WaitEvent(status, ID, first.deadline).encode().items()
    assert "s3cr3t" not in repr(event)


@pytest.mark.parametrize("seconds", [-5.0, 0.0, 0.3])
async def test_the_deadline_ends_the_wait(server: ScriptedServer, seconds: float) -> None:
    server.script = [QUEUED]
    (event,) = await events(trigger(seconds=seconds))
    assert event.payload["status"] == "timed_out"
    # Even one that comes late has been polled.
    assert server.requests


async def test_a_deadline_at_which_no_poll_has_returned(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_provider_siliconflow.triggers.video.LATE_SECONDS", 0.1)
    server.script = [Step.HANG]
    (event,) = await events(trigger(seconds=0.0))
    assert event.payload["status"] == "timed_out"


@pytest.mark.parametrize("fault", [RuntimeError("broken"), KeyError("x")])
async def test_one_event_even_if_something_breaks(monkeypatch: pytest.MonkeyPatch, fault: Exception) -> None:
    def fail(*args: object, **kwargs: object) -> None:
        raise fault

    monkeypatch.setattr("airflow_provider_siliconflow.polling.decision.Wait.evaluate", fail)
    (event,) = await events(trigger())
    assert event.payload["status"] == "error"
    assert type(fault).__name__ in event.payload["message"]


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110  # what is waited for happens on another thread
        await asyncio.sleep(0.01)


async def test_a_cancelled_trigger_leaves_no_session_and_no_event(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    sessions = []
    make = aiohttp.ClientSession

    def session(*args: Any, **kwargs: Any) -> Any:
        sessions.append(make(*args, **kwargs))
        return sessions[-1]

    monkeypatch.setattr("aiohttp.ClientSession", session)
    server.script = [QUEUED]
    task = asyncio.create_task(events(trigger()))
    async with asyncio.timeout(PATIENCE):
        await until(lambda: len(server.requests) >= 3)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await until(lambda: all(session.closed for session in sessions))
    assert sessions


async def test_on_kill_only_tells_the_truth(monkeypatch: pytest.MonkeyPatch) -> None:
    first = trigger()
    said: list[str] = []
    monkeypatch.setattr(first.log, "warning", lambda text, *args: said.append(text % args))
    await first.on_kill()
    (warning,) = said
    assert ID in warning
    assert "nothing can cancel it" in warning


@pytest.fixture
def slow_turns(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Return the callbacks of the loop that took too much of this thread's own CPU time; a busy machine adds none."""
    turns: list[str] = []
    run = asyncio.Handle._run  # noqa: SLF001  # nothing public measures the CPU time of one turn

    def timed(handle: asyncio.Handle) -> None:
        start = time.thread_time()
        run(handle)
        if (took := time.thread_time() - start) > BLOCKED:
            turns.append(f"{took:.3f} s in {handle!r}")

    monkeypatch.setattr(asyncio.Handle, "_run", timed)
    # What all of Airflow has allocated so far is not ours to be collected in one of our turns.
    gc.collect()
    gc.freeze()
    yield turns
    gc.unfreeze()


async def test_two_hundred_triggers_never_block_their_loop(server: ScriptedServer, slow_turns: list[str]) -> None:
    # The first trigger of a process imports, once, HTTP libraries and what Airflow looks connections up with.
    server.script = [READY]
    await events(trigger("first"))
    slow_turns.clear()
    server.script = [*[QUEUED] * 600, READY]
    async with asyncio.timeout(2 * PATIENCE):
        found = await asyncio.gather(*(events(trigger(f"id{number}")) for number in range(200)))
    assert {event.payload["status"] for (event,) in found} == {"ready"}
    assert len(server.requests) >= 800
    assert slow_turns == []


def test_the_measure_of_a_blocked_loop_sees_one(slow_turns: list[str]) -> None:
    async def block() -> None:
        start = time.thread_time()
        while time.thread_time() - start < 2 * BLOCKED:
            pass

    asyncio.run(block())
    assert len(slow_turns) == 1
