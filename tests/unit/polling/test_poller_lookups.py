"""One poller for many waiting, when the connection cannot be looked up, or its key is rejected."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from airflow_provider_siliconflow._airflow.names import AirflowNotFoundException
from airflow_provider_siliconflow.client.models import VideoState, VideoStatus
from airflow_provider_siliconflow.exceptions import (
    SiliconFlowAuthenticationError,
    SiliconFlowBadRequestError,
    SiliconFlowBalanceError,
    SiliconFlowConfigError,
    SiliconFlowConnectionError,
    SiliconFlowError,
    SiliconFlowPermissionError,
)
from airflow_provider_siliconflow.polling.decision import PollResult
from airflow_provider_siliconflow.polling.poller import RENEWAL
from tests.unit.polling.fakes import Service, now, run, status
from tests.unit.polling.watching import cancelled, final, pollers, ready_after, watch


def test_a_rotated_key_heals_with_one_lookup(service: Service) -> None:
    service.accepted = "sk-old"
    ready_after(service, 60)

    async def main() -> None:
        tasks = [watch(f"v{number}") for number in range(50)]
        await asyncio.sleep(30)
        service.rotate("sk-new")
        polls = await asyncio.gather(*tasks)
        assert all(poll.status is VideoState.SUCCEED for poll in polls)

    run(main())
    assert (service.opened, service.closed) == (2, 2)


@pytest.mark.parametrize("videos", [1, 50])
def test_a_key_rotated_before_the_connection_ends_no_wait(service: Service, videos: int) -> None:
    """The connection has the new key two minutes after the service."""
    service.accepted = "sk-old"
    ready_after(service, 60)

    async def main() -> None:
        tasks = [watch(f"v{number}") for number in range(videos)]
        await asyncio.sleep(30)
        service.rotate("sk-new", connection=False)
        await asyncio.sleep(120)
        assert not any(task.done() for task in tasks)
        service.rotate("sk-new")
        polls = await asyncio.gather(*tasks)
        assert all(poll.status is VideoState.SUCCEED for poll in polls)
        assert now() < 150 + RENEWAL + 10

    run(main())
    assert service.opened == service.closed


def test_a_key_that_stays_rejected_is_asked_for_every_ten_seconds_and_hardly_used(service: Service) -> None:
    service.accepted = "sk-other"

    async def main() -> None:
        tasks = [watch(f"v{number}") for number in range(1000)]
        await asyncio.sleep(600)
        assert not any(task.done() for task in tasks)
        await cancelled(*tasks)

    run(main())
    assert 55 <= service.opened <= 62
    assert service.opened == service.closed
    # 1000 waits at the interval of 5 s would be 120,000.
    assert len(service.calls) < 3000


@pytest.mark.parametrize(
    "error",
    [
        SiliconFlowAuthenticationError("no", status_code=401),
        SiliconFlowBalanceError("no", status_code=402),
        SiliconFlowPermissionError("no", status_code=403),
        SiliconFlowBalanceError("no", status_code=400, code=30001),
        SiliconFlowBadRequestError("no", status_code=403, code=20015),
    ],
)
def test_while_the_account_is_rejected_the_connection_is_looked_up_again(
    service: Service, error: SiliconFlowError
) -> None:
    service.answer = lambda video: error

    async def main() -> None:
        task = watch("v")
        await asyncio.sleep(300)
        looked_up = service.opened
        assert looked_up >= 25
        service.answer = status
        await asyncio.sleep(300)
        assert service.opened <= looked_up + 7
        await cancelled(task)

    run(main())


def test_a_lookup_that_fails_while_a_key_is_rejected_keeps_the_session(service: Service) -> None:
    service.accepted = "sk-other"
    ready_after(service, 0)

    async def main() -> None:
        waiting = watch("v")
        await asyncio.sleep(1)
        service.lookup_errors = [OSError("away"), SiliconFlowConfigError("no key"), AirflowNotFoundException("away")]
        await asyncio.sleep(60)
        assert not waiting.done()
        service.rotate("sk-new")
        assert (await waiting).status is VideoState.SUCCEED

    run(main())
    assert service.opened == service.closed


LOOK_UP_ERRORS = [AirflowNotFoundException("no such connection"), SiliconFlowConfigError("no key"), OSError("away")]


@pytest.mark.parametrize("error", LOOK_UP_ERRORS, ids=lambda error: type(error).__name__)
def test_a_lookup_that_fails_for_minutes_ends_no_wait(service: Service, error: Exception) -> None:
    service.lookup_errors = [error] * 7
    ready_after(service, 0)
    polls: list[PollResult] = []

    def decide(poll: PollResult, left: Callable[[], float]) -> PollResult | None:
        polls.append(poll)
        return final(poll, left)

    async def main() -> None:
        one, other = watch("one", decide), watch("other")
        assert (await one).status is VideoState.SUCCEED
        assert (await other).status is VideoState.SUCCEED
        assert 120 <= now() < 240
        assert pollers() == []

    run(main())
    assert service.opened == 1
    kind = SiliconFlowConnectionError if isinstance(error, OSError) else SiliconFlowConfigError
    assert [type(poll) for poll in polls] == [kind] * 7 + [VideoStatus]


def test_who_waits_decides_for_how_long_a_connection_may_be_away(service: Service) -> None:
    service.lookup_errors = [AirflowNotFoundException("no such connection")] * 100

    async def main() -> None:
        patient = watch("patient")
        assert isinstance(await watch("hasty", lambda poll, left: poll), SiliconFlowConfigError)
        await asyncio.sleep(600)
        assert not patient.done()
        await cancelled(patient)
        assert pollers() == []

    run(main())
    assert service.opened == 0
