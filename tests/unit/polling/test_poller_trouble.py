"""One poller for many waiting, when the service or the connection makes trouble: who is told, and who is spared."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from airflow.providers.common.compat.sdk import AirflowNotFoundException

from airflow_provider_siliconflow.client.models import VideoState, VideoStatus
from airflow_provider_siliconflow.exceptions import (
    SiliconFlowAuthenticationError,
    SiliconFlowConfigError,
    SiliconFlowConnectionError,
    SiliconFlowError,
    SiliconFlowOverloadedError,
    SiliconFlowRateLimitError,
    SiliconFlowServerError,
)
from airflow_provider_siliconflow.polling.session import PollResult
from tests.unit.polling.fakes import Service, now, run, status
from tests.unit.polling.watching import FIRST, cancelled, pollers, ready_after, watch


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
    service.answer = lambda video: status(video, VideoState.SUCCEED) if now() > 60 else error

    async def main() -> None:
        polls = await asyncio.gather(*(watch(f"v{number}") for number in range(10)))
        assert all(look.status is VideoState.SUCCEED for look in polls)
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
        polls = await asyncio.gather(*tasks)
        assert all(look.status is VideoState.SUCCEED for look in polls)

    run(main())
    assert (service.opened, service.closed) == (2, 2)


def test_a_key_that_stays_refused_is_final_after_one_look_up(service: Service) -> None:
    service.accepted = "sk-other"

    async def main() -> None:
        polls = await asyncio.gather(*(watch(f"v{number}") for number in range(50)))
        assert all(isinstance(look, SiliconFlowAuthenticationError) for look in polls)

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
        assert (await watch("v")).status is VideoState.SUCCEED

    run(main())
    assert service.opened == 1


def test_without_a_connection_all_are_told_and_the_next_try_anew(service: Service) -> None:
    service.lookup_errors = [AirflowNotFoundException("no such connection")]
    ready_after(service, 0)

    async def main() -> None:
        found = await asyncio.gather(watch("one"), watch("other"), return_exceptions=True)
        assert [type(each) for each in found] == [AirflowNotFoundException] * 2
        assert (await watch("later")).status is VideoState.SUCCEED
        assert pollers() == []

    run(main())


def test_an_unusable_connection_is_for_the_judge(service: Service) -> None:
    service.lookup_errors = [SiliconFlowConfigError("no key")]

    async def main() -> None:
        assert isinstance(await watch("v"), SiliconFlowConfigError)

    run(main())


def test_a_mistake_in_one_harms_no_other(service: Service) -> None:
    ready_after(service, 40)

    def broken(look: PollResult, left: Callable[[], float]) -> PollResult | None:
        raise ZeroDivisionError

    async def main() -> None:
        bad, good = watch("bad", broken), watch("good")
        with pytest.raises(ZeroDivisionError):
            await bad
        assert (await good).status is VideoState.SUCCEED

    run(main())


def test_a_look_that_a_closed_session_cancels_is_made_again(service: Service) -> None:
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


def test_a_mistake_of_the_hook_ends_the_one_wait(service: Service) -> None:
    def answer(video: str) -> VideoStatus:
        if video == "bad":
            raise KeyError(video)
        return status(video, VideoState.SUCCEED)

    service.answer = answer

    async def main() -> None:
        bad, good = watch("bad"), watch("good")
        with pytest.raises(KeyError):
            await bad
        assert (await good).status is VideoState.SUCCEED

    run(main())
