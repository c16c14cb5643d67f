"""One poller for many waiting: what it asks, when, and what it leaves behind."""

from __future__ import annotations

import asyncio
import contextvars
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import pytest

from airflow_provider_siliconflow.client.models import VideoState, VideoStatus
from airflow_provider_siliconflow.exceptions import (
    SiliconFlowError,
    SiliconFlowRateLimitError,
)
from airflow_provider_siliconflow.hooks.connection import Settings
from airflow_provider_siliconflow.polling.decision import PollResult
from airflow_provider_siliconflow.polling.poller import IN_FLIGHT, poller_of
from tests.unit.polling.fakes import Service, now, run, status
from tests.unit.polling.watching import FIRST, cancelled, pollers, ready_after, request, until, watch


def test_all_share_one_lookup_and_one_session(service: Service) -> None:
    ready_after(service, 30)

    async def main() -> None:
        polls = await asyncio.gather(*(watch(f"v{number}") for number in range(100)))
        assert [poll.request_id for poll in polls] == [f"v{number}" for number in range(100)]
        assert pollers() == []

    run(main())
    assert (service.opened, service.closed) == (1, 1)


def test_the_first_poll_waits_and_the_next_keep_the_interval(service: Service) -> None:
    ready_after(service, 30)

    async def main() -> None:
        await watch("v")

    run(main())
    times = service.times("v")
    assert FIRST <= times[0] <= FIRST * 1.5
    assert [round(b - a, 1) for a, b in pairwise(times)] == [5.1] * (len(times) - 1)


def test_those_who_come_at_once_are_spread(service: Service) -> None:
    ready_after(service, 0)

    async def main() -> None:
        await asyncio.gather(*(watch(f"v{number}") for number in range(40)))

    run(main())
    assert max(Counter(int(when * 2) for when, _ in service.calls).values()) <= 10


def test_nobody_is_asked_for_who_left(service: Service) -> None:
    async def main() -> None:
        stays, goes = watch("stays"), watch("goes")
        await asyncio.sleep(20)
        await cancelled(goes)
        left = now()
        await asyncio.sleep(60)
        assert all(when <= left for when in service.times("goes"))
        assert service.times("stays")[-1] > left + 50
        await cancelled(stays)
        asked = len(service.calls)
        await asyncio.sleep(60)
        assert len(service.calls) == asked

    run(main())


def test_a_cancelled_wait_frees_its_call_at_once_and_the_last_one_everything(service: Service) -> None:
    async def main() -> None:
        first, last = watch("first"), watch("last")
        before = asyncio.all_tasks()
        await until(lambda: bool(service.times("first")))
        first.cancel()
        await asyncio.sleep(0)
        assert len(pollers()[0]) == 1
        await until(lambda: bool(service.times("last")))
        assert service.under_way == 1
        cancelled_at = now()
        last.cancel()
        await asyncio.gather(last, return_exceptions=True)
        assert now() == cancelled_at
        assert service.closed == 1
        assert pollers() == []
        assert service.under_way == 0
        assert asyncio.all_tasks() < before
        assert last.cancelled()

    run(main())


def test_one_who_comes_after_the_end_gets_a_new_poller(service: Service) -> None:
    ready_after(service, 0)

    async def main() -> None:
        await watch("one")
        await watch("other")

    run(main())
    assert (service.opened, service.closed) == (2, 2)


def test_what_was_learned_outlives_the_poller(service: Service) -> None:
    async def main() -> list[float]:
        delays = []
        for _ in range(20):
            begun = now()
            ready_after(service, begun + 300)
            await watch("v", interval=None)
            delays.append(now() - begun - 300)
        return delays

    delays = run(main())
    assert sum(delays[10:]) < 5 * len(delays[10:])


def test_each_decides_in_its_own_context(service: Service) -> None:
    ready_after(service, 0)
    who = contextvars.ContextVar("who", default="nobody")

    async def one(name: str) -> None:
        who.set(name)
        assert await poller_of("conn").watch(lambda poll, left: who.get(), request(name)) == name

    async def main() -> None:
        await asyncio.gather(*(one(f"v{number}") for number in range(20)))

    run(main())


def test_calls_under_way_are_bounded_and_leaving_them_frees_a_slot(service: Service) -> None:
    async def hang() -> VideoStatus:
        await asyncio.sleep(1e6)
        raise AssertionError

    service.answer = lambda video: hang() if video.startswith("hangs") else status(video, VideoState.SUCCEED)

    async def main() -> None:
        hanging = [watch(f"hangs{number}") for number in range(IN_FLIGHT)]
        await asyncio.sleep(30)
        assert service.under_way == IN_FLIGHT
        fine = [watch(f"fine{number}") for number in range(10)]
        await asyncio.sleep(30)
        assert not any(task.done() for task in fine)
        await cancelled(*hanging)
        await asyncio.gather(*fine)

    run(main())
    assert service.most_under_way == IN_FLIGHT


def test_a_rate_limit_is_kept_and_shared_fairly(service: Service) -> None:
    service.settings = replace(service.settings, requests_per_minute=60.0)

    async def main() -> None:
        tasks = [watch(f"v{number}") for number in range(30)]
        await asyncio.sleep(610)
        await cancelled(*tasks)

    run(main())
    assert 590 <= len(service.calls) <= 605
    share = Counter(video for _, video in service.calls).values()
    assert max(share) - min(share) <= 2


def test_the_last_poll_comes_at_the_deadline(service: Service) -> None:
    seen: list[float] = []

    def decide(poll: PollResult, left: Callable[[], float]) -> PollResult | None:
        seen.append(now())
        return poll if now() >= 100 else None

    async def main() -> None:
        await watch("v", decide, left=100.0, interval=64.0)

    run(main())
    assert 100 <= seen[-1] < 101


def test_a_caller_whose_clock_is_late_is_not_asked_all_the_time(service: Service) -> None:
    """The deadline is kept by this loop's clock, and checked by another."""

    async def main() -> None:
        await watch("v", lambda poll, left: poll if now() >= 200 else None, left=100.0, interval=50.0)

    run(main())
    late = [when for when in service.times("v") if when >= 100]
    assert 10 <= len(late) <= 51, "every two seconds at most"


@pytest.mark.parametrize("interval", [0.0, -1.0])
def test_an_interval_of_nothing_stops_nobody(service: Service, interval: float) -> None:
    service.settings = replace(service.settings, requests_per_minute=600.0)

    def answer(video: str) -> VideoStatus | SiliconFlowError:
        if len(service.calls) == 20:
            return SiliconFlowRateLimitError("slow down", status_code=429, retry_after=20.0)
        return status(video, VideoState.SUCCEED if now() >= 60 else VideoState.IN_PROGRESS)

    service.answer = answer

    async def main() -> None:
        greedy, patient = watch("greedy", interval=interval), watch("patient")
        await asyncio.gather(greedy, patient)

    run(main())
    assert len(service.times("patient")) >= 3
    assert len(service.times("greedy")) <= 601


def test_a_deadline_before_the_first_poll_gets_that_poll(service: Service) -> None:
    async def main() -> None:
        await watch("v", lambda poll, left: poll, left=-5.0)
        assert now() >= FIRST

    run(main())


def test_the_expected_time_comes_with_each_poll(service: Service) -> None:
    told: list[float] = []

    def decide(poll: PollResult, left: Callable[[], float]) -> PollResult | None:
        told.append(left())
        return poll if now() > 200 else None

    async def main() -> None:
        await watch("v", decide, interval=None, waited=100.0)

    run(main())
    assert told[0] == pytest.approx(140, abs=60)


def test_settings_default_to_a_generous_rate() -> None:
    assert 600 <= Settings.requests_per_minute < float("inf")
