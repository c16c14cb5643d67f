"""Wait as a trigger does, beside a service that is played."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from airflow_provider_siliconflow.client.models import VideoState, VideoStatus
from airflow_provider_siliconflow.polling import poller
from airflow_provider_siliconflow.polling.decision import PollResult, WaitRequest
from airflow_provider_siliconflow.polling.poller import Poller, poller_of
from tests.unit.polling.fakes import Service, now, status

FIRST = 10.0


def pollers() -> list[Poller]:
    """Return the pollers of all event loops."""
    return [each for of_loop in poller.pollers.values() for each in of_loop.values()]


def final(poll: PollResult, left: Callable[[], float]) -> PollResult | None:
    """Decide as the trigger does, but without a deadline: only a video that is ready is the end."""
    return poll if isinstance(poll, VideoStatus) and poll.status is VideoState.SUCCEED else None


def watch(
    request_id: str, decide: Callable[..., Any] = final, conn_id: str = "conn", **given: Any
) -> asyncio.Task[Any]:
    """Wait for a video on a task of its own, as a trigger does."""
    return asyncio.ensure_future(_watch(decide, request(request_id, **given), conn_id))


def request(request_id: str, **given: Any) -> WaitRequest:
    """Make a request to wait for a video."""
    return WaitRequest(request_id, **{"waited": 0.0, "first": FIRST, "left": 1800.0, "interval": 5.0} | given)


async def _watch(decide: Callable[..., Any], wait: WaitRequest, conn_id: str) -> Any:
    return await poller_of(conn_id).watch(decide, wait)


def ready_after(service: Service, seconds: float) -> None:
    """Let every video be ready at a time."""
    service.answer = lambda video: status(video, VideoState.SUCCEED if now() >= seconds else VideoState.IN_PROGRESS)


async def until(condition: Callable[[], bool]) -> None:
    """Run until something is so."""
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
