"""What a person reads of a wait in the trigger's log."""

from __future__ import annotations

import logging

import pytest

from airflow_provider_siliconflow.client.models import VideoState, VideoStatus
from airflow_provider_siliconflow.exceptions import SiliconFlowServerError
from airflow_provider_siliconflow.polling.decision import PollResult
from airflow_provider_siliconflow.triggers.base import LOG_INTERVAL
from airflow_provider_siliconflow.triggers.poll_log import PollLog

BROKEN = SiliconFlowServerError("bad gateway", status_code=502)


def queued(position: int, video: str = "a") -> VideoStatus:
    return VideoStatus(video, VideoState.IN_QUEUE, "InQueue", position=position)


def status(state: VideoState, video: str = "a") -> VideoStatus:
    return VideoStatus(video, state, state.value)


def lines(caplog: pytest.LogCaptureFixture, count: int, polls: list[tuple[float, str, PollResult]]) -> list[str]:
    caplog.set_level("INFO")
    log = PollLog(logging.getLogger("trigger"), count)
    for at, video, poll in polls:
        log.note(video, poll, at, lambda: 240.0)
    return [record.getMessage() for record in caplog.records]


def test_each_change_of_state_is_told_at_once_and_the_end(caplog: pytest.LogCaptureFixture) -> None:
    polls: list[tuple[float, str, PollResult]] = [
        (0.0, "a", queued(3)),
        (5.0, "a", queued(2)),
        (10.0, "a", status(VideoState.IN_PROGRESS)),
        (15.0, "a", status(VideoState.IN_PROGRESS)),
        (20.0, "a", status(VideoState.SUCCEED)),
    ]
    assert lines(caplog, 1, polls) == [
        "Video a: last polled as InQueue at position 3. Expected in about 240 s.",
        "Video a: last polled as InProgress. Expected in about 240 s.",
        "Video a: last polled as Succeed.",
    ]


def test_another_position_is_told_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    found = lines(caplog, 1, [(float(at), "a", queued(300 - at)) for at in range(0, 300, 5)])
    assert len(found) == 300 / LOG_INTERVAL
    assert "at position 240" in found[1]


def test_failures_between_two_equal_states_are_no_change_of_state(caplog: pytest.LogCaptureFixture) -> None:
    polls: list[tuple[float, str, PollResult]] = []
    for at in range(0, 60, 2):
        polls += [(at, "a", queued(3)), (at + 1, "a", BROKEN)]
    assert len(lines(caplog, 1, polls)) == 1
    assert "bad gateway" in lines(caplog, 1, [(0.0, "a", BROKEN)])[-1]


def test_of_many_each_change_is_told_and_how_many_are_in_which_state(caplog: pytest.LogCaptureFixture) -> None:
    polls: list[tuple[float, str, PollResult]] = [
        (0.0, "a", queued(1)),
        (0.0, "b", queued(2, "b")),
        (5.0, "a", status(VideoState.IN_PROGRESS)),
        (5.0, "b", queued(1, "b")),
        (70.0, "b", BROKEN),
        (75.0, "a", status(VideoState.FAILED)),
    ]
    assert lines(caplog, 2, polls) == [
        "2 videos: 2 InQueue",
        "Video a: last polled as InProgress.",
        "2 videos: 1 InProgress, 1 SiliconFlowServerError; the last poll failed: " + str(BROKEN),
        "Video a: last polled as Failed.",
    ]
