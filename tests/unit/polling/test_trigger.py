"""What the trigger makes of the poller's looks, on a fake clock."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from airflow_provider_siliconflow.client.models import VideoState, VideoStatus
from airflow_provider_siliconflow.exceptions import SiliconFlowRateLimitError
from airflow_provider_siliconflow.triggers import video
from airflow_provider_siliconflow.triggers.video import MIN_DEFERRAL_SECONDS, VideoReadyTrigger
from tests.unit.polling.fakes import EpochClock, Service, now, run, status


@pytest.fixture
def service(service: Service, monkeypatch: pytest.MonkeyPatch) -> Service:
    """Put the service behind every trigger, on one fake clock."""
    monkeypatch.setattr(video, "time", EpochClock)
    return service


async def fire(left: float = 1800.0, **given: Any) -> tuple[float, dict[str, Any]]:
    """Run a trigger to its end; return how long it took and its one event."""
    begun = now()
    trigger = VideoReadyTrigger("v", "conn", deadline=EpochClock.time() + left, **given)
    events = [event.payload async for event in trigger.run()]
    assert len(events) == 1
    return now() - begun, events[0]


@pytest.mark.parametrize("interval", [None, 5.0])
def test_a_video_that_is_ready_at_once_still_waits_for_the_first_look(service: Service, interval: float | None) -> None:
    service.answer = lambda request_id: status(request_id, VideoState.SUCCEED)

    async def main() -> None:
        took, event = await fire(poke_interval=interval, since=EpochClock.time() - 400)
        assert MIN_DEFERRAL_SECONDS <= took <= 1.6 * MIN_DEFERRAL_SECONDS
        assert event["ending"] == "ready"

    run(main())


def test_the_deadline_ends_the_wait(service: Service) -> None:
    async def main() -> None:
        took, event = await fire(left=300.0)
        assert 300 <= took < 301
        assert event["ending"] == "timed_out"

    run(main())


@pytest.mark.parametrize("seen", [True, False])
def test_a_service_that_hangs_cannot_keep_a_trigger_past_its_deadline(service: Service, seen: bool) -> None:
    async def hang() -> VideoStatus:
        await asyncio.sleep(1e6)
        raise AssertionError

    service.answer = lambda request_id: status(request_id) if seen and now() < 100 else hang()

    async def main() -> None:
        took, event = await fire(left=300.0, poke_interval=30.0)
        assert 300 <= took <= 331
        assert event["ending"] == "timed_out"

    run(main())


def test_a_service_that_always_refuses_cannot_either(service: Service) -> None:
    service.answer = lambda request_id: SiliconFlowRateLimitError("no", status_code=429, retry_after=1e9)

    async def main() -> None:
        took, event = await fire(left=300.0)
        assert 300 <= took <= 331
        assert event["ending"] == "timed_out"

    run(main())


def test_the_log_has_a_line_a_minute_at_most_and_only_for_news(
    service: Service, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(VideoReadyTrigger, "log", logging.getLogger("trigger"))
    caplog.set_level("INFO", "trigger")

    def answer(request_id: str) -> VideoStatus:
        if now() < 300:
            return VideoStatus(request_id, VideoState.IN_QUEUE, "InQueue", position=300 - int(now()))
        return VideoStatus(request_id, VideoState.IN_PROGRESS, "InProgress")

    service.answer = answer

    async def main() -> None:
        await fire(left=900.0, poke_interval=5.0)

    run(main())
    lines = [record.getMessage() for record in caplog.records if record.name == "trigger"]
    assert 5 <= len(lines) <= 6
    assert "at place" in lines[0]
    assert "Expected in about" in lines[0]
    assert "InProgress" in lines[-1]


def test_the_arguments_make_the_trigger_anew() -> None:
    trigger = VideoReadyTrigger("v", "conn", 1.5, poke_interval=None, model="m", since=0.5)
    path, kwargs = trigger.serialize()
    assert path == "airflow_provider_siliconflow.triggers.video.VideoReadyTrigger"
    assert VideoReadyTrigger(**kwargs).serialize() == (path, kwargs)
    assert VideoReadyTrigger("v", "conn", 1.5, 15.0).serialize()[1]["poke_interval"] == 15.0
