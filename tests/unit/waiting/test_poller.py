"""One poller for many waiting: what it asks, when, and what it leaves behind."""

from __future__ import annotations

import asyncio
import contextvars
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowNotFoundException

from airflow_provider_siliconflow.api.video import StatusWord, VideoStatus
from airflow_provider_siliconflow.exceptions import (
    SiliconFlowAuthenticationError,
    SiliconFlowConfigError,
    SiliconFlowConnectionError,
    SiliconFlowError,
    SiliconFlowOverloadedError,
    SiliconFlowRateLimitError,
    SiliconFlowServerError,
)
from airflow_provider_siliconflow.hooks.settings import Settings
from airflow_provider_siliconflow.waiting import poller
from airflow_provider_siliconflow.waiting.poller import IN_FLIGHT, Poller, poller_of
from airflow_provider_siliconflow.waiting.session import Look
from tests.unit.waiting.fakes import Service, now, run, status

FIRST = 10.0


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Service:
    """Put a service behind every poller, and forget what was learned before."""
    service = Service()
    monkeypatch.setattr(poller, "SiliconFlowAsyncHook", service.open)
    monkeypatch.setattr(poller, "_knowledge", {})
    return service


def final(look: Look, left: Callable[[], float]) -> Look | None:
    """Decide as the trigger does, but without a deadline: ready and refused are the end."""
    if isinstance(look, VideoStatus):
        return look if look.status is StatusWord.SUCCEED else None
    return look if isinstance(look, (SiliconFlowAuthenticationError, SiliconFlowConfigError)) else None


def watch(request_id: str, decide: Callable[..., Any] = final, **given: Any) -> asyncio.Task[Any]:
    """Wait for a video on a task of its own, as a trigger does."""
    how = {"model": None, "waited": 0.0, "first": FIRST, "left": 1800.0, "interval": 5.0} | given
    return asyncio.ensure_future(_watch(request_id, decide, how))


async def _watch(request_id: str, decide: Callable[..., Any], how: dict[str, Any]) -> Any:
    return await poller_of("conn").watch(decide, request_id, **how)


def pollers() -> list[Poller]:
    """Return the pollers of the running loop."""
    return list(poller._pollers.get(asyncio.get_running_loop(), {}).values())


def ready_after(service: Service, seconds: float) -> None:
    """Let every video be ready at a time."""
    service.answer = lambda video: status(video, StatusWord.SUCCEED if now() >= seconds else StatusWord.IN_PROGRESS)


async def until(condition: Callable[[], bool]) -> None:
    """Go on until something is so."""
    for _ in range(10_000):
        if condition():
            return
        await asyncio.sleep(0.05)
    raise AssertionError("never came true")


async def cancelled(*tasks: asyncio.Task[Any]) -> None:
    """Cancel, as Airflow does with triggers that it moves elsewhere."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def test_all_share_one_look_up_and_one_session(service: Service) -> None:
    ready_after(service, 30)

    async def main() -> None:
        looks = await asyncio.gather(*(watch(f"v{number}") for number in range(100)))
        assert [look.request_id for look in looks] == [f"v{number}" for number in range(100)]
        assert pollers() == []

    run(main())
    assert (service.opened, service.closed) == (1, 1)


def test_the_first_look_waits_and_the_next_keep_the_interval(service: Service) -> None:
    ready_after(service, 30)
    run(
        asyncio.wait_for(
            _watch("v", final, {"model": None, "waited": 0, "first": FIRST, "left": 99, "interval": 5}), 99
        )
    )
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
        last.cancel()
        await asyncio.sleep(0)
        assert service.closed == 1
        assert pollers() == []
        await asyncio.sleep(0)
        assert service.under_way == 0
        await asyncio.gather(last, return_exceptions=True)
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


def test_a_429_slows_everybody(service: Service) -> None:
    async def main() -> None:
        tasks = [watch(f"v{number}") for number in range(50)]
        await asyncio.sleep(30)
        service.answer = lambda video: SiliconFlowRateLimitError("slow down", status_code=429, retry_after=20.0)
        await asyncio.sleep(5)
        begun = next(when for when, _ in service.calls if when >= 30)
        assert begun < 31
        # Those under way may still come, for as long as the first answer takes; then nobody does.
        assert not [when for when, _ in service.calls if begun + 0.2 < when < begun + 20]
        service.answer = status
        await asyncio.sleep(60)
        assert [when for when, _ in service.calls if when >= begun + 20]
        await cancelled(*tasks)

    run(main())


def test_refusals_in_a_row_make_longer_pauses(service: Service) -> None:
    service.answer = lambda video: SiliconFlowOverloadedError("busy", status_code=503)

    async def main() -> None:
        tasks = [watch(f"v{number}") for number in range(20)]
        await asyncio.sleep(300)
        await cancelled(*tasks)

    run(main())
    # Without a back-off there would be 20 calls each 5 s: 1160.
    assert len(service.calls) < 60


@pytest.mark.parametrize("error", [SiliconFlowConnectionError("reset"), SiliconFlowServerError("500", status_code=500)])
def test_an_error_that_passes_ends_no_wait(service: Service, error: SiliconFlowError) -> None:
    service.answer = lambda video: status(video, StatusWord.SUCCEED) if now() > 60 else error

    async def main() -> None:
        looks = await asyncio.gather(*(watch(f"v{number}") for number in range(10)))
        assert all(look.status is StatusWord.SUCCEED for look in looks)
        assert now() < 60 + 60

    run(main())


def test_one_video_that_fails_to_be_seen_does_not_slow_the_others(service: Service) -> None:
    service.answer = lambda video: SiliconFlowServerError("500", status_code=500) if video == "bad" else status(video)

    async def main() -> None:
        tasks = [watch("bad"), watch("good")]
        await asyncio.sleep(300)
        await cancelled(*tasks)

    run(main())
    assert len(service.times("good")) > 50
    assert 4 < len(service.times("bad")) < 15


def test_a_rotated_key_heals_with_one_look_up(service: Service) -> None:
    service.accepted = "sk-old"
    ready_after(service, 60)

    async def main() -> None:
        tasks = [watch(f"v{number}") for number in range(50)]
        await asyncio.sleep(30)
        service.rotate("sk-new")
        looks = await asyncio.gather(*tasks)
        assert all(look.status is StatusWord.SUCCEED for look in looks)

    run(main())
    assert (service.opened, service.closed) == (2, 2)


def test_a_key_that_stays_refused_is_final_after_one_look_up(service: Service) -> None:
    service.accepted = "sk-other"

    async def main() -> None:
        looks = await asyncio.gather(*(watch(f"v{number}") for number in range(50)))
        assert all(isinstance(look, SiliconFlowAuthenticationError) for look in looks)

    run(main())
    assert service.opened == service.closed <= 3
    assert len(service.calls) == 50


def test_a_key_whose_look_up_fails_is_final(service: Service) -> None:
    service.accepted = "sk-other"

    async def main() -> None:
        waiting = watch("v")
        await asyncio.sleep(1)
        service.lookup_errors = [OSError("the API server is away")]
        assert isinstance(await waiting, SiliconFlowAuthenticationError)

    run(main())


def test_a_look_up_that_fails_for_a_while_is_tried_again(service: Service) -> None:
    service.lookup_errors = [OSError("away"), OSError("away"), OSError("away")]
    ready_after(service, 0)

    async def main() -> None:
        assert (await watch("v")).status is StatusWord.SUCCEED

    run(main())
    assert service.opened == 1


def test_without_a_connection_all_are_told_and_the_next_try_anew(service: Service) -> None:
    service.lookup_errors = [AirflowNotFoundException("no such connection")]
    ready_after(service, 0)

    async def main() -> None:
        found = await asyncio.gather(watch("one"), watch("other"), return_exceptions=True)
        assert [type(each) for each in found] == [AirflowNotFoundException] * 2
        assert (await watch("later")).status is StatusWord.SUCCEED
        assert pollers() == []

    run(main())


def test_an_unusable_connection_is_for_the_judge(service: Service) -> None:
    service.lookup_errors = [SiliconFlowConfigError("no key")]

    async def main() -> None:
        assert isinstance(await watch("v"), SiliconFlowConfigError)

    run(main())


def test_a_mistake_in_one_harms_no_other(service: Service) -> None:
    ready_after(service, 40)

    def broken(look: Look, left: Callable[[], float]) -> Look | None:
        raise ZeroDivisionError

    async def main() -> None:
        bad, good = watch("bad", broken), watch("good")
        with pytest.raises(ZeroDivisionError):
            await bad
        assert (await good).status is StatusWord.SUCCEED

    run(main())


def test_a_look_that_a_closed_session_cancels_is_made_again(service: Service) -> None:
    """As aiohttp does with those that wait for a connection or an address when the key is renewed."""
    cancels = [True]

    def answer(video: str) -> VideoStatus:
        if cancels:
            cancels.pop()
            raise asyncio.CancelledError
        return status(video, StatusWord.SUCCEED)

    service.answer = answer

    async def main() -> None:
        assert (await watch("v", left=1e6)).status is StatusWord.SUCCEED
        assert now() < 2 * FIRST
        assert len(service.times("v")) == 2
        assert pollers() == []

    run(main())


def test_a_mistake_of_the_hook_ends_the_one_wait(service: Service) -> None:
    def answer(video: str) -> VideoStatus:
        if video == "bad":
            raise KeyError(video)
        return status(video, StatusWord.SUCCEED)

    service.answer = answer

    async def main() -> None:
        bad, good = watch("bad"), watch("good")
        with pytest.raises(KeyError):
            await bad
        assert (await good).status is StatusWord.SUCCEED

    run(main())


def test_each_decides_in_its_own_context(service: Service) -> None:
    ready_after(service, 0)
    who = contextvars.ContextVar("who", default="nobody")

    async def one(name: str) -> None:
        who.set(name)
        assert (
            await poller_of("conn").watch(
                lambda look, left: who.get(), name, model=None, waited=0, first=FIRST, left=99, interval=5
            )
            == name
        )

    async def main() -> None:
        await asyncio.gather(*(one(f"v{number}") for number in range(20)))

    run(main())


def test_calls_under_way_are_bounded_and_leaving_them_makes_room(service: Service) -> None:
    async def hang() -> VideoStatus:
        await asyncio.sleep(1e6)
        raise AssertionError

    service.answer = lambda video: hang() if video.startswith("hangs") else status(video, StatusWord.SUCCEED)

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


def test_a_budget_is_kept_and_shared_fairly(service: Service) -> None:
    service.settings = replace(service.settings, requests_per_minute=60.0)

    async def main() -> None:
        tasks = [watch(f"v{number}") for number in range(30)]
        await asyncio.sleep(610)
        await cancelled(*tasks)

    run(main())
    assert 590 <= len(service.calls) <= 605
    share = Counter(video for _, video in service.calls).values()
    assert max(share) - min(share) <= 2


def test_the_last_look_comes_at_the_deadline(service: Service) -> None:
    seen: list[float] = []

    def decide(look: Look, left: Callable[[], float]) -> Look | None:
        seen.append(now())
        return look if now() >= 100 else None

    async def main() -> None:
        await watch("v", decide, left=100.0, interval=64.0)

    run(main())
    assert 100 <= seen[-1] < 101


def test_a_judge_whose_clock_is_late_is_not_asked_all_the_time(service: Service) -> None:
    """The deadline is kept by this loop's clock, and judged by another."""

    async def main() -> None:
        await watch("v", lambda look, left: look if now() >= 200 else None, left=100.0, interval=50.0)

    run(main())
    late = [when for when in service.times("v") if when >= 100]
    assert 10 <= len(late) <= 51, "every two seconds at most"


@pytest.mark.parametrize("interval", [0.0, -1.0])
def test_an_interval_of_nothing_stops_nobody(service: Service, interval: float) -> None:
    service.settings = replace(service.settings, requests_per_minute=600.0)

    def answer(video: str) -> VideoStatus | SiliconFlowError:
        if len(service.calls) == 20:
            return SiliconFlowRateLimitError("slow down", status_code=429, retry_after=20.0)
        return status(video, StatusWord.SUCCEED if now() >= 60 else StatusWord.IN_PROGRESS)

    service.answer = answer

    async def main() -> None:
        greedy, patient = watch("greedy", interval=interval), watch("patient")
        await asyncio.gather(greedy, patient)

    run(main())
    assert len(service.times("patient")) >= 3
    assert len(service.times("greedy")) <= 601


def test_a_deadline_before_the_first_look_gets_that_look(service: Service) -> None:
    async def main() -> None:
        await watch("v", lambda look, left: look, left=-5.0)
        assert now() >= FIRST

    run(main())


def test_the_expected_time_comes_with_each_look(service: Service) -> None:
    told: list[float] = []

    def decide(look: Look, left: Callable[[], float]) -> Look | None:
        told.append(left())
        return look if now() > 200 else None

    async def main() -> None:
        await watch("v", decide, interval=None, waited=100.0)

    run(main())
    assert told[0] == pytest.approx(140, abs=60)


def test_settings_default_to_a_generous_rate() -> None:
    assert 600 <= Settings.requests_per_minute < float("inf")
