"""One poller for many waiting, when the service or the connection makes trouble: who is told, and who is spared."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest

from airflow_provider_siliconflow._airflow.names import AirflowNotFoundException
from airflow_provider_siliconflow.client.models import VideoState, VideoStatus
from airflow_provider_siliconflow.exceptions import (
    SiliconFlowConnectionError,
    SiliconFlowError,
    SiliconFlowOverloadedError,
    SiliconFlowRateLimitError,
    SiliconFlowServerError,
)
from airflow_provider_siliconflow.polling.decision import PollResult
from airflow_provider_siliconflow.polling.poller import RENEWAL
from tests.unit.polling.fakes import Service, now, run, status
from tests.unit.polling.watching import FIRST, cancelled, final, pollers, ready_after, until, watch


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


def test_rejections_in_a_row_make_longer_pauses(service: Service) -> None:
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
    service.answer = lambda video: status(video, VideoState.SUCCEED) if now() > 60 else error

    async def main() -> None:
        polls = await asyncio.gather(*(watch(f"v{number}") for number in range(10)))
        assert all(poll.status is VideoState.SUCCEED for poll in polls)
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


@pytest.mark.parametrize("kind", [AirflowNotFoundException, OSError, RuntimeError])
def test_no_foreign_error_shows_a_secret(
    service: Service, kind: type[Exception], caplog: pytest.LogCaptureFixture
) -> None:
    secret = "zqA4b5cD6eF7g8H9i0J1"
    service.lookup_errors = [kind(f"GET https://vault/v1?token={secret} with sk-{secret}: 403")]
    ready_after(service, 0)
    polls: list[PollResult] = []

    def decide(poll: PollResult, left: Callable[[], float]) -> PollResult | None:
        polls.append(poll)
        return final(poll, left)

    async def main() -> None:
        await watch("one", decide)

    run(main())
    assert len(polls) == 2
    assert secret not in f"{polls[0]} {caplog.text}"


def test_two_connections_of_one_host_and_key_share_one_rate_fairly(service: Service) -> None:
    service.settings = replace(service.settings, requests_per_minute=60.0)
    service.others["slower"] = replace(service.settings, base_url="https://sf.test/v1/", requests_per_minute=30.0)
    service.others["other account"] = replace(service.settings, api_key="sk-of-another")

    async def main() -> None:
        tasks = [watch(f"{conn}-{n}", conn_id=conn) for conn in ("conn", "slower", "other account") for n in range(20)]
        await asyncio.sleep(610)
        await cancelled(*tasks)

    run(main())
    calls = Counter(video.partition("-")[0] for _, video in service.calls)
    assert 295 <= calls["conn"] + calls["slower"] <= 310
    assert abs(calls["conn"] - calls["slower"]) <= 4
    assert 590 <= calls["other account"] <= 610


def test_two_connections_of_one_host_and_key_share_one_back_off(service: Service) -> None:
    def answer(video: str) -> VideoStatus | SiliconFlowError:
        if video == "throttled" and now() >= 30:
            return SiliconFlowRateLimitError("slow down", status_code=429, retry_after=25.0)
        return status(video)

    service.answer = answer

    async def main() -> None:
        tasks = [watch("throttled", interval=1.0), watch("other", conn_id="same account", interval=1.0)]
        await asyncio.sleep(90)
        await cancelled(*tasks)

    run(main())
    begun = next(when for when in service.times("throttled") if when >= 30)
    assert not [when for when in service.times("other") if begun + 0.2 < when < begun + 20]
    assert [when for when in service.times("other") if when > begun + 20]


@pytest.mark.parametrize("again", [0, 1, 2, 3])
@pytest.mark.parametrize("turns", range(12))
def test_no_cancellation_leaves_a_session_open(service: Service, turns: int, again: int) -> None:
    """Cancelled after any turn of the loop, and once more while the poller closes."""
    service.accepted = "sk-other"

    async def main() -> None:
        before = asyncio.all_tasks()
        for start in (0.0, FIRST - 0.05, FIRST + 0.1, FIRST + 0.1 + RENEWAL):
            task = watch("v", first=FIRST / 1.5)
            await asyncio.sleep(start)
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            for _ in range(again):
                await asyncio.sleep(0)
                task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await until(lambda: asyncio.all_tasks() == before)
            assert service.opened == service.closed

    run(main())


def test_a_mistake_in_one_harms_no_other(service: Service) -> None:
    ready_after(service, 40)

    def broken(poll: PollResult, left: Callable[[], float]) -> PollResult | None:
        raise ZeroDivisionError

    async def main() -> None:
        bad, good = watch("bad", broken), watch("good")
        with pytest.raises(ZeroDivisionError):
            await bad
        assert (await good).status is VideoState.SUCCEED

    run(main())


def test_a_poll_that_a_closed_session_cancels_is_made_again(service: Service) -> None:
    """As aiohttp does with those that wait for a connection or an address when the key is renewed."""
    cancels = [True]

    def answer(video: str) -> VideoStatus:
        if cancels:
            cancels.pop()
            raise asyncio.CancelledError
        return status(video, VideoState.SUCCEED)

    service.answer = answer

    async def main() -> None:
        assert (await watch("v", left=1e6)).status is VideoState.SUCCEED
        assert now() < 2 * FIRST
        assert len(service.times("v")) == 2
        assert pollers() == []

    run(main())


def test_a_mistake_of_the_hook_ends_no_wait(service: Service) -> None:
    def answer(video: str) -> VideoStatus:
        if video == "bad" and now() < 60:
            raise KeyError(video)
        return status(video, VideoState.SUCCEED)

    service.answer = answer

    async def main() -> None:
        bad, good = watch("bad"), watch("good")
        assert (await good).status is VideoState.SUCCEED
        assert (await bad).status is VideoState.SUCCEED

    run(main())
