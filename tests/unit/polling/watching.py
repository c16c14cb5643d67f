"""Wait as a trigger does, beside a service that is played."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from airflow_provider_siliconflow.client.models import VideoState, VideoStatus
from airflow_provider_siliconflow.exceptions import (
    SiliconFlowAuthenticationError,
    SiliconFlowConfigError,
)
from airflow_provider_siliconflow.polling import poller
from airflow_provider_siliconflow.polling.poller import Poller, poller_of
from airflow_provider_siliconflow.polling.session import PollResult
from tests.unit.polling.fakes import Service, now, status

FIRST = 10.0


def final(look: PollResult, left: Callable[[], float]) -> PollResult | None:
    """Decide as the trigger does, but without a deadline: ready and refused are the end."""
    if isinstance(look, VideoStatus):
        return look if look.status is VideoState.SUCCEED else None
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
    service.answer = lambda video: status(video, VideoState.SUCCEED if now() >= seconds else VideoState.IN_PROGRESS)


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
