"""What is learned of past videos and of the one at hand."""

from __future__ import annotations

import pytest

from airflow_provider_siliconflow.api.video import StatusWord, VideoStatus
from airflow_provider_siliconflow.waiting.learned import ENOUGH, MODELS, WINDOW, Knowledge, Model, Sightings, Window


def saw(
    model: Model,
    video: Sightings,
    word: StatusWord,
    now: float,
    place: int | None = None,
    inference: float | None = None,
) -> None:
    model.saw(video, VideoStatus("id", word, position=place, inference_seconds=inference), now)


def finish(model: Model, looked: float, ready: float, inference: float | None = None) -> None:
    """Let a video be seen in progress at one age, and ready at another."""
    video = Sightings(0.0, 0.0)
    saw(model, video, StatusWord.IN_PROGRESS, looked)
    saw(model, video, StatusWord.SUCCEED, ready, inference=inference)


def test_without_experience_the_prior_speaks() -> None:
    known, origin = Model().view(Sightings(since=7.0, looked=7.0))
    assert origin == 7.0
    assert known.middle == pytest.approx(240)


def test_a_few_videos_outweigh_the_prior_but_never_silence_it() -> None:
    model = Model()
    for _ in range(WINDOW):
        finish(model, 300, 304)
    known, _ = model.view(Sightings(0.0, 0.0))
    assert 300 < known.middle < 304
    assert 0 < known.share(290) < 0.05
    assert 1 - known.share(600) > 0.001


def test_old_videos_are_forgotten() -> None:
    model = Model()
    for _ in range(WINDOW):
        finish(model, 100, 104)
    for _ in range(WINDOW):
        finish(model, 400, 404)
    assert 400 < model.view(Sightings(0.0, 0.0))[0].middle < 404
    assert len(model.total) == WINDOW


def test_the_time_in_line_is_told_apart_from_the_work() -> None:
    model = Model()
    for line in (100.0, 500.0, 900.0, 1300.0, 1700.0):
        video = Sightings(0.0, 0.0)
        saw(model, video, StatusWord.IN_QUEUE, line - 1)
        saw(model, video, StatusWord.IN_PROGRESS, line + 1)
        saw(model, video, StatusWord.IN_PROGRESS, line + 99)
        saw(model, video, StatusWord.SUCCEED, line + 101)
    video = Sightings(0.0, 0.0)
    saw(model, video, StatusWord.IN_QUEUE, 4999)
    saw(model, video, StatusWord.IN_PROGRESS, 5001)
    known, origin = model.view(video)
    assert origin == 4999
    assert 95 < known.middle < 110


def test_the_figure_of_the_service_narrows_what_was_seen() -> None:
    model = Model()
    for _ in range(WINDOW):
        finish(model, 60, 180, inference=120.0)
    assert model.work.readiness().middle == pytest.approx(120, abs=1)


@pytest.mark.parametrize("inference", [120_000.0, -1.0, 0.12])
def test_a_figure_that_does_not_fit_what_was_seen_is_not_believed(inference: float) -> None:
    model = Model()
    video = Sightings(0.0, 0.0)
    saw(model, video, StatusWord.IN_QUEUE, 10)
    saw(model, video, StatusWord.IN_PROGRESS, 20)
    saw(model, video, StatusWord.IN_PROGRESS, 100)
    saw(model, video, StatusWord.SUCCEED, 160, inference=inference)
    work = model.work.readiness()
    assert work.share(150) - work.share(80) > 0.3


def test_the_line_tells_when_the_work_begins() -> None:
    model = Model()
    for _ in range(ENOUGH):
        finish(model, 100, 110, inference=105.0)
    ahead = Sightings(0.0, 0.0)
    saw(model, ahead, StatusWord.IN_QUEUE, 0, place=10)
    saw(model, ahead, StatusWord.IN_QUEUE, 50, place=5)
    assert model.seconds_a_place() == 10
    video = Sightings(0.0, 0.0)
    saw(model, video, StatusWord.IN_QUEUE, 60, place=100)
    _, origin = model.view(video)
    assert 60 + 500 < origin < 60 + 1000
    assert 900 < model.seconds_left(video, 60) < 1500


def test_a_line_that_stands_still_makes_places_dearer() -> None:
    model, video = Model(), Sightings(0.0, 0.0)
    saw(model, video, StatusWord.IN_QUEUE, 0, place=10)
    saw(model, video, StatusWord.IN_QUEUE, 50, place=5)
    saw(model, video, StatusWord.IN_QUEUE, 100, place=5)
    assert model.seconds_a_place() == 20


def test_leaving_the_line_shows_how_it_moves() -> None:
    model, video = Model(), Sightings(0.0, 0.0)
    saw(model, video, StatusWord.IN_QUEUE, 0, place=2)
    saw(model, video, StatusWord.IN_PROGRESS, 40)
    assert model.seconds_a_place() == 10


def test_an_unknown_word_tells_only_that_it_is_not_ready() -> None:
    model, video = Model(), Sightings(0.0, 0.0)
    saw(model, video, StatusWord.UNKNOWN, 30)
    assert video == Sightings(0.0, 30)


def test_a_wide_start_spreads_the_end() -> None:
    window = Window()
    for _ in range(WINDOW):
        window.add(100, 101)
    assert window.readiness().share(110) - window.readiness().share(99) > 0.9
    spread = window.readiness(60)
    assert spread is window.readiness(64)
    assert 0.3 < spread.share(132) < 0.7


def test_seconds_left_end_with_all_that_is_known() -> None:
    model, video = Model(), Sightings(0.0, 0.0)
    assert model.seconds_left(video, 0) == pytest.approx(240)
    assert model.seconds_left(video, 1e6) == 0


def test_models_are_known_apart_and_in_bounded_number() -> None:
    knowledge = Knowledge()
    one = knowledge.of("a")
    assert knowledge.of("a") is one
    assert knowledge.of(None) is not one
    for number in range(MODELS):
        knowledge.of(str(number))
    assert knowledge.of("a") is not one
