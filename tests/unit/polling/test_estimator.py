"""What is learned of past videos and of the one at hand."""

from __future__ import annotations

import pytest

from airflow_provider_siliconflow.client.models import VideoState, VideoStatus
from airflow_provider_siliconflow.polling.estimator import (
    ENOUGH,
    MODELS,
    WINDOW,
    DurationSamples,
    ModelEstimator,
    VideoTimeline,
    new_estimators,
)


def record_poll(
    model: ModelEstimator,
    video: VideoTimeline,
    word: VideoState,
    now: float,
    position: int | None = None,
    inference: float | None = None,
) -> None:
    model.record_poll(video, VideoStatus("id", word, position=position, inference_seconds=inference), now)


def finish(model: ModelEstimator, last_polled: float, ready: float, inference: float | None = None) -> None:
    """Let a video be seen in progress at one age, and ready at another."""
    video = VideoTimeline(0.0, 0.0)
    record_poll(model, video, VideoState.IN_PROGRESS, last_polled)
    record_poll(model, video, VideoState.SUCCEED, ready, inference=inference)


def test_without_experience_the_prior_speaks() -> None:
    known, origin = ModelEstimator().view(VideoTimeline(since=7.0, last_polled=7.0))
    assert origin == 7.0
    assert known.middle == pytest.approx(240)


def test_a_few_videos_outweigh_the_prior_but_never_silence_it() -> None:
    model = ModelEstimator()
    for _ in range(WINDOW):
        finish(model, 300, 304)
    known, _ = model.view(VideoTimeline(0.0, 0.0))
    assert 300 < known.middle < 304
    assert 0 < known.share(290) < 0.05
    assert 1 - known.share(600) > 0.001


def test_old_videos_are_forgotten() -> None:
    model = ModelEstimator()
    for _ in range(WINDOW):
        finish(model, 100, 104)
    for _ in range(WINDOW):
        finish(model, 400, 404)
    assert 400 < model.view(VideoTimeline(0.0, 0.0))[0].middle < 404
    assert len(model.total) == WINDOW


def test_the_time_in_the_queue_is_told_apart_from_the_work() -> None:
    model = ModelEstimator()
    for queued in (100.0, 500.0, 900.0, 1300.0, 1700.0):
        video = VideoTimeline(0.0, 0.0)
        record_poll(model, video, VideoState.IN_QUEUE, queued - 1)
        record_poll(model, video, VideoState.IN_PROGRESS, queued + 1)
        record_poll(model, video, VideoState.IN_PROGRESS, queued + 99)
        record_poll(model, video, VideoState.SUCCEED, queued + 101)
    video = VideoTimeline(0.0, 0.0)
    record_poll(model, video, VideoState.IN_QUEUE, 4999)
    record_poll(model, video, VideoState.IN_PROGRESS, 5001)
    known, origin = model.view(video)
    assert origin == 4999
    assert 95 < known.middle < 110


def test_the_figure_of_the_service_narrows_what_was_seen() -> None:
    model = ModelEstimator()
    for _ in range(WINDOW):
        finish(model, 60, 180, inference=120.0)
    assert model.work.distribution().middle == pytest.approx(120, abs=1)


@pytest.mark.parametrize("inference", [120_000.0, -1.0, 0.12])
def test_a_figure_that_does_not_fit_what_was_seen_is_not_believed(inference: float) -> None:
    model = ModelEstimator()
    video = VideoTimeline(0.0, 0.0)
    record_poll(model, video, VideoState.IN_QUEUE, 10)
    record_poll(model, video, VideoState.IN_PROGRESS, 20)
    record_poll(model, video, VideoState.IN_PROGRESS, 100)
    record_poll(model, video, VideoState.SUCCEED, 160, inference=inference)
    work = model.work.distribution()
    assert work.share(150) - work.share(80) > 0.3


def test_the_line_tells_when_the_work_begins() -> None:
    model = ModelEstimator()
    for _ in range(ENOUGH):
        finish(model, 100, 110, inference=105.0)
    ahead = VideoTimeline(0.0, 0.0)
    record_poll(model, ahead, VideoState.IN_QUEUE, 0, position=10)
    record_poll(model, ahead, VideoState.IN_QUEUE, 50, position=5)
    assert model.seconds_per_position == 10
    video = VideoTimeline(0.0, 0.0)
    record_poll(model, video, VideoState.IN_QUEUE, 60, position=100)
    _, origin = model.view(video)
    assert 60 + 500 < origin < 60 + 1000
    assert 900 < model.seconds_left(video, 60) < 1500


def test_a_line_that_stands_still_makes_places_dearer() -> None:
    model, video = ModelEstimator(), VideoTimeline(0.0, 0.0)
    record_poll(model, video, VideoState.IN_QUEUE, 0, position=10)
    record_poll(model, video, VideoState.IN_QUEUE, 50, position=5)
    record_poll(model, video, VideoState.IN_QUEUE, 100, position=5)
    assert model.seconds_per_position == 20


def test_leaving_the_line_shows_how_it_moves() -> None:
    model, video = ModelEstimator(), VideoTimeline(0.0, 0.0)
    record_poll(model, video, VideoState.IN_QUEUE, 0, position=2)
    record_poll(model, video, VideoState.IN_PROGRESS, 40)
    assert model.seconds_per_position == 10


def test_an_unknown_word_tells_only_that_it_is_not_ready() -> None:
    model, video = ModelEstimator(), VideoTimeline(0.0, 0.0)
    record_poll(model, video, VideoState.UNKNOWN, 30)
    assert video == VideoTimeline(0.0, 30)


def test_a_wide_start_spreads_the_end() -> None:
    window = DurationSamples()
    for _ in range(WINDOW):
        window.add(100, 101)
    assert window.distribution().share(110) - window.distribution().share(99) > 0.9
    spread = window.distribution(60)
    assert spread is window.distribution(64)
    assert 0.3 < spread.share(132) < 0.7


def test_seconds_left_end_with_all_that_is_known() -> None:
    model, video = ModelEstimator(), VideoTimeline(0.0, 0.0)
    assert model.seconds_left(video, 0) == pytest.approx(240)
    assert model.seconds_left(video, 1e6) == 0


def test_models_are_known_apart_and_in_bounded_number() -> None:
    estimators = new_estimators()
    one = estimators("a")
    assert estimators("a") is one
    assert estimators(None) is not one
    for number in range(MODELS):
        estimators(str(number))
    assert estimators("a") is not one
