"""When the trigger of a list fires, on a fake clock: the sooner a video can have been ready, the sooner."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from airflow_provider_siliconflow.client.models import VideoState
from airflow_provider_siliconflow.triggers import batch
from airflow_provider_siliconflow.triggers.batch import COALESCE_SECONDS, MAX_READY_AGE, VideoBatchTrigger
from tests.unit.polling.fakes import EpochClock, Service, now, run, status


@pytest.fixture
def service(service: Service, monkeypatch: pytest.MonkeyPatch) -> Service:
    """Put the service behind the trigger, on one fake clock."""
    monkeypatch.setattr(batch, "time", EpochClock)
    return service


def fired(
    service: Service,
    ready: dict[str, float],
    *,
    interval: float,
    next_wakeup: float = 1e4,
    ahead: float = 0.0,
    min_wait: float | None = None,
) -> Any:
    """
    Wait for some videos and one that never gets ready.

    :param ready: When each is ready.
    :param interval: Seconds between two polls.
    :param wake: When to fire in any case.
    :param ahead: Seconds by which the worker's clock is ahead of the triggerer's.
    :return: When the event came, and the videos in it.
    """
    ready = ready | {"never": 1e9}
    service.answer = lambda video: status(
        video, VideoState.SUCCEED if now() >= ready[video] else VideoState.IN_PROGRESS
    )

    async def main() -> tuple[float, list[str]]:
        epoch = EpochClock.time()
        videos = {video: [epoch + ahead] * 2 for video in ready}
        trigger = VideoBatchTrigger("conn", videos, epoch + 1e5, epoch + next_wakeup, {}, interval, None, min_wait)
        (event,) = [event.payload async for event in trigger.run()]
        return now(), sorted(event["ended"])

    return run(main())


def last_poll(service: Service, video: str, before: float) -> float:
    """Return when a video was last polled before a time; a call takes 0.1 s."""
    return max((when for when in service.times(video) if when < before), default=0.0) + 0.1


def test_the_event_comes_when_a_video_may_have_been_ready_for_as_long_as_may_be(service: Service) -> None:
    at, ended = fired(service, {"v": 50.0}, interval=20.0)
    assert ended == ["v"]
    unready = last_poll(service, "v", before=50.0)
    assert unready > 20
    assert at == pytest.approx(unready + MAX_READY_AGE, abs=0.5)


def test_those_that_end_later_come_along_and_move_nothing_back(service: Service) -> None:
    at, ended = fired(service, {"v": 50.0, "later": 62.0}, interval=20.0)
    assert ended == ["later", "v"]
    assert at == pytest.approx(last_poll(service, "v", before=50.0) + MAX_READY_AGE, abs=0.5)


def test_where_polls_are_far_apart_it_gathers_a_little(service: Service) -> None:
    at, ended = fired(service, {"v": 50.0}, interval=100.0)
    assert ended == ["v"]
    assert at == pytest.approx(service.times("v")[-1] + 0.1 + COALESCE_SECONDS, abs=0.5)


def test_it_fires_at_its_time_though_it_still_gathers(service: Service) -> None:
    at, ended = fired(service, {"v": 50.0}, interval=20.0, next_wakeup=70.0)
    assert ended == ["v"]
    assert at == pytest.approx(70.0, abs=0.5)


def test_a_worker_whose_clock_is_ahead_keeps_no_video_waiting(service: Service) -> None:
    at, ended = fired(service, {"v": 0.0}, interval=20.0, ahead=500.0)
    assert ended == ["v"]
    assert at <= service.times("v")[0] + 0.1 + MAX_READY_AGE + 0.5


@pytest.mark.parametrize("jump", [-3600.0, 3600.0])
def test_a_clock_that_is_set_holds_no_ready_video(
    service: Service, monkeypatch: pytest.MonkeyPatch, jump: float
) -> None:
    class SetClock(EpochClock):
        @staticmethod
        def time() -> float:
            return EpochClock.time() + (jump if now() > 45 else 0.0)

    monkeypatch.setattr(batch, "time", SetClock)
    at, ended = fired(service, {"v": 50.0}, interval=20.0)
    assert ended == ["v"]
    assert at == pytest.approx(last_poll(service, "v", before=50.0) + MAX_READY_AGE, abs=0.5)


@pytest.mark.parametrize("ahead", [3600.0, -3600.0])
def test_a_triggerer_whose_clock_is_wrong_from_the_start_holds_no_ready_video(service: Service, ahead: float) -> None:
    at, ended = fired(service, {"v": 50.0}, interval=20.0, ahead=ahead)
    assert ended == ["v"]
    assert at <= 50.0 + 40.0 + MAX_READY_AGE


def test_a_triggerer_whose_clock_is_ahead_wakes_workers_ever_less_often(service: Service) -> None:
    at, ended = fired(service, {"v": 1e9}, interval=20.0, next_wakeup=-3600.0, min_wait=80.0)
    assert ended == []
    assert at == pytest.approx(80.0, abs=0.5)


def test_a_triggerer_whose_clock_is_ahead_holds_no_ready_video(service: Service) -> None:
    at, ended = fired(service, {"v": 50.0}, interval=20.0, next_wakeup=-3600.0, min_wait=600.0)
    assert ended == ["v"]
    assert at <= 50.0 + MAX_READY_AGE


@pytest.mark.parametrize(
    "odd",
    [
        {"deadline": "gone"},
        {"deadline": None},
        {"wake_at": float("nan")},
        {"videos": ["v", "other"]},
        {"videos": "v"},
    ],
)
def test_odd_arguments_are_an_error_that_hands_back_the_state(service: Service, odd: dict[str, Any]) -> None:
    async def main() -> None:
        epoch = EpochClock.time()
        kwargs: dict[str, Any] = {
            "videos": {"v": [epoch] * 2},
            "deadline": epoch + 1e5,
            "wake_at": epoch + 1e4,
            "state": {"rows": []},
        }
        given = {name: value for name, value in (kwargs | odd).items() if value != "gone"}
        (event,) = [event.payload async for event in VideoBatchTrigger("conn", **given).run()]
        assert event["message"]
        assert event["state"] == {"rows": []}
        assert 10.0 <= now() <= 11.0

    run(main())


def test_version_0_has_an_argument_less_and_version_2_one_more(service: Service) -> None:
    service.answer = lambda video: status(video, VideoState.SUCCEED)

    async def main() -> None:
        epoch = EpochClock.time()
        older: dict[str, Any] = {"deadline": epoch + 1e5, "wake_at": epoch + 1e4, "state": {}, "videos": {"v": [epoch]}}
        for kwargs in (older, older | {"version": 2, "priority": 3, "videos": {"v": [epoch, "x", 3]}}):
            (event,) = [event.payload async for event in VideoBatchTrigger("conn", **kwargs).run()]
            assert (event["ended"], event["message"]) == ({"v": "ready"}, "")

    run(main())


def test_it_says_how_all_are_once_a_minute(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[tuple[float, str]] = []

    async def main() -> None:
        epoch = EpochClock.time()
        videos = {"one": [epoch] * 2, "other": [epoch] * 2}
        trigger = VideoBatchTrigger("conn", videos, epoch + 1e5, epoch + 200, {}, poke_interval=10.0)
        monkeypatch.setattr(trigger.log, "info", lambda text, *args: said.append((now(), text % args)))
        assert [event.payload["ended"] async for event in trigger.run()] == [{}]

    run(main())
    times = [at for at, _ in said]
    assert {line for _, line in said} == {"2 videos: 2 InProgress"}
    assert len(times) == 4
    assert all(after - before >= 60 for before, after in pairwise(times))
