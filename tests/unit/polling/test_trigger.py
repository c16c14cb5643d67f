"""What the trigger makes of the poller's polls, on a fake clock."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from airflow_provider_siliconflow._airflow.names import AirflowNotFoundException
from airflow_provider_siliconflow.client.models import VideoState, VideoStatus
from airflow_provider_siliconflow.exceptions import (
    SiliconFlowAuthenticationError,
    SiliconFlowBalanceError,
    SiliconFlowConfigError,
    SiliconFlowError,
    SiliconFlowNotFoundError,
    SiliconFlowPermissionError,
    SiliconFlowRateLimitError,
    SiliconFlowServerError,
)
from airflow_provider_siliconflow.polling.decision import CONNECTION_GRACE, REJECTION_GRACE
from airflow_provider_siliconflow.triggers import video
from airflow_provider_siliconflow.triggers.base import MIN_DEFERRAL_SECONDS
from airflow_provider_siliconflow.triggers.video import VideoReadyTrigger
from tests.unit.polling.fakes import EpochClock, Service, now, run, status

ACCOUNT: list[SiliconFlowError] = [
    SiliconFlowAuthenticationError("Invalid token", status_code=401),
    SiliconFlowBalanceError("poor", status_code=402),
    SiliconFlowPermissionError("Forbidden", status_code=403),
]


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
def test_a_video_that_is_ready_at_once_waits_for_the_first_poll_all_the_same(
    service: Service, interval: float | None
) -> None:
    service.answer = lambda request_id: status(request_id, VideoState.SUCCEED)

    async def main() -> None:
        took, event = await fire(poke_interval=interval, submitted_at=EpochClock.time() - 400)
        assert MIN_DEFERRAL_SECONDS <= took <= 1.6 * MIN_DEFERRAL_SECONDS
        assert event["status"] == "ready"

    run(main())


def test_the_deadline_ends_the_wait(service: Service) -> None:
    async def main() -> None:
        took, event = await fire(left=300.0)
        assert 300 <= took < 301
        assert event["status"] == "timed_out"

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
        assert event["status"] == "timed_out"

    run(main())


def test_a_service_that_always_refuses_cannot_either(service: Service) -> None:
    service.answer = lambda request_id: SiliconFlowRateLimitError("no", status_code=429, retry_after=1e9)

    async def main() -> None:
        took, event = await fire(left=300.0)
        assert 300 <= took <= 331
        assert event["status"] == "timed_out"

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
    assert "at position" in lines[0]
    assert "Expected in about" in lines[0]
    assert "InProgress" in lines[-1]


@pytest.mark.parametrize("error", [*ACCOUNT, SiliconFlowServerError("500", status_code=500)])
def test_a_poll_that_fails_for_long_is_logged_once_a_minute(
    service: Service, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, error: SiliconFlowError
) -> None:
    """In the trigger's own log, which is the task's."""
    monkeypatch.setattr(VideoReadyTrigger, "log", logging.getLogger("trigger"))
    service.answer = lambda request_id: error

    async def main() -> None:
        _, event = await fire(left=1200.0)
        assert event["status"] == "timed_out"

    run(main())
    lines = [record for record in caplog.records if record.name == "trigger" and record.levelname == "WARNING"]
    assert 9 <= len(lines) <= 20
    assert all(error.message in record.getMessage() for record in lines)


@pytest.mark.parametrize("error", ACCOUNT)
def test_a_rejected_account_is_waited_out(service: Service, error: SiliconFlowError) -> None:
    service.answer = lambda request_id: status(request_id, VideoState.SUCCEED) if now() > 900 else error

    async def main() -> None:
        took, event = await fire()
        assert event["status"] == "ready"
        assert took == pytest.approx(930, abs=60)

    run(main())


@pytest.mark.parametrize("code", [302, 400, 404, 405, 410, 451])
def test_a_rejection_ends_the_wait_after_the_grace_period(service: Service, code: int) -> None:
    service.answer = lambda request_id: SiliconFlowNotFoundError("no", status_code=code)

    async def main() -> None:
        took, event = await fire()
        assert event["status"] == "rejected"
        assert REJECTION_GRACE <= took <= REJECTION_GRACE + 90

    run(main())


@pytest.mark.parametrize("code", [302, 400, 404, 405, 410, 451])
def test_a_rejection_that_passes_ends_nothing(service: Service, code: int) -> None:
    def answer(request_id: str) -> VideoStatus | SiliconFlowError:
        if 20 < now() < 110:
            return SiliconFlowNotFoundError("no", status_code=code)
        return status(request_id, VideoState.SUCCEED if now() > 300 else VideoState.IN_PROGRESS)

    service.answer = answer

    async def main() -> None:
        assert (await fire(poke_interval=5.0))[1]["status"] == "ready"

    run(main())


@pytest.mark.parametrize(
    ("error", "ends"),
    [
        (AirflowNotFoundException("no such connection"), CONNECTION_GRACE),
        (SiliconFlowConfigError("no key"), CONNECTION_GRACE),
        (OSError("the API server is away"), 1800.0),
    ],
    ids=["not found", "malformed", "away"],
)
def test_a_connection_may_be_away_for_minutes(service: Service, error: Exception, ends: float) -> None:
    service.lookup_errors = [error] * 1000

    async def main() -> None:
        took, event = await fire()
        assert event["status"] == ("rejected" if ends < 1800 else "timed_out")
        assert ends <= took <= ends + 70

    run(main())


@pytest.mark.parametrize("jump", [-3600.0, 3600.0, -1e6])
def test_a_clock_that_is_set_moves_no_deadline(service: Service, monkeypatch: pytest.MonkeyPatch, jump: float) -> None:
    class SetClock(EpochClock):
        @staticmethod
        def time() -> float:
            return EpochClock.time() + (jump if now() > 100 else 0.0)

    async def main() -> None:
        monkeypatch.setattr(video, "time", SetClock)
        took, event = await fire(left=300.0)
        assert 300 <= took < 301
        assert event["status"] == "timed_out"

    run(main())


def test_a_triggerer_whose_clock_is_ahead_ends_waits_ever_less_often(service: Service) -> None:
    """By an hour: the deadline has passed for the triggerer, and not for the worker."""

    async def main() -> None:
        took, event = await fire(left=-3600.0, min_wait=160.0, poke_interval=5.0)
        assert 160 <= took <= 161
        assert (event["status"], event["min_wait"]) == ("timed_out", 160.0)

    run(main())


def test_a_triggerer_whose_clock_is_ahead_holds_no_ready_video(service: Service) -> None:
    service.answer = lambda request_id: status(request_id, VideoState.SUCCEED if now() > 60 else VideoState.IN_PROGRESS)

    async def main() -> None:
        took, event = await fire(left=-3600.0, min_wait=600.0, poke_interval=5.0)
        assert 60 <= took <= 70
        assert event["status"] == "ready"

    run(main())
