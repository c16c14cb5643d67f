"""A line whose places nobody tells."""

from __future__ import annotations

import random

import pytest

from airflow_provider_siliconflow.client.models import VideoState, VideoStatus
from airflow_provider_siliconflow.polling.estimator import LINE_LEAST, ModelEstimator, VideoTimeline
from airflow_provider_siliconflow.polling.line import Line


def line_of(count: int) -> Line:
    """Return a line of videos that were submitted one a second."""
    line = Line()
    for number in range(count):
        line.join((float(number), number))
    return line


def order(number: int) -> tuple[float, int]:
    return float(number), number


def test_the_rest_of_the_way_is_the_places_to_the_front_at_its_pace() -> None:
    line = line_of(100)
    line.begun(order(0), now=0)
    line.begun(order(10), now=20)
    line.queued(order(30), now=50)
    assert line.rest(order(60), was_seen=False) == (20, 100)
    assert line.rest(order(30), was_seen=False) == (20, 40)


def test_who_is_out_is_counted_no_more() -> None:
    line = line_of(100)
    line.begun(order(0), now=0)
    line.begun(order(10), now=20)
    line.queued(order(30), now=50)
    for number in (5, 20, 21, 20):
        line.leave(order(number))
    assert line.rest(order(60), was_seen=False) == (20, 96)


def test_nothing_is_told_before_it_is_seen() -> None:
    line = line_of(100)
    assert line.rest(order(60), was_seen=False) is None
    line.begun(order(0), now=0)
    line.begun(order(10), now=20)
    assert line.rest(order(60), was_seen=False) is None, "nobody was seen in line"
    line.queued(order(50), now=50)
    assert line.rest(order(40), was_seen=False) is None, "whether this one is in line, nobody knows"
    assert line.rest(order(5), was_seen=False) is None, "this one has left it"


def test_when_the_line_passed_a_video_is_told_by_those_around_it() -> None:
    line = line_of(100)
    for now, number in enumerate((10, 20, 30)):
        line.begun(order(number), now=now)
    assert line.passed(order(25)) is None, "nobody was seen in line: perhaps there is none"
    line.queued(order(40), now=50)
    assert line.passed(order(25)) == (float("-inf"), 2)
    line.queued(order(22), now=0.5)
    assert line.passed(order(25)) == (0.5, 2)
    assert line.passed(order(30)) == (0.5, 2)
    assert line.passed(order(5)) == (float("-inf"), 0)
    assert line.passed(order(31)) is None


def test_a_line_that_was_not_seen_for_long_is_none() -> None:
    line = line_of(1000)
    line.queued(order(999), now=5)
    for number in range(100):
        line.begun(order(number), now=number)
    assert line.rest(order(999), was_seen=True) is None
    line.queued(order(999), now=100)
    assert line.rest(order(999), was_seen=False)


def test_only_who_is_before_it_says_that_a_video_is_in_line() -> None:
    line = line_of(100)
    line.begun(order(0), now=0)
    line.queued(order(5), now=1)
    line.begun(order(10), now=20)
    assert line.rest(order(60), was_seen=False) is None, "whoever was seen in line has left it"
    assert line.rest(order(60), was_seen=True) == (20, 100), "it stands there itself"
    assert line.rest(order(10), was_seen=True) is None, "it was the last to leave"


@pytest.mark.parametrize("submitted", [5.5, 4.5])
def test_after_all_have_left_a_later_submit_begins_a_line_of_its_own(submitted: float) -> None:
    """A batch leaves for as long as it archives, and comes back."""
    line = line_of(3)
    line.begun(order(0), now=0)
    line.begun(order(1), now=5)
    line.queued(order(2), now=50)
    for number in range(3):
        line.leave(order(number))
    line.join((submitted, 9))
    assert (line.rest((submitted, 9), was_seen=False) is None) == (submitted > 5)


def test_a_line_of_those_who_are_out_has_no_pace() -> None:
    line = line_of(100)
    for number in (1, 2):
        line.leave(order(number))
        line.begun(order(number), now=number)
    line.queued(order(3), now=50)
    assert line.rest(order(50), was_seen=False) is None


def test_of_the_same_time_the_number_decides() -> None:
    line = Line()
    for number in range(10):
        line.join((0.0, number))
    line.begun((0.0, 0), now=0)
    line.begun((0.0, 2), now=6)
    line.queued((0.0, 3), now=50)
    assert line.rest((0.0, 5), was_seen=False) == (6, 9)


def test_a_crowd_without_order_is_seen_to_be_one() -> None:
    line, chance = line_of(1000), random.Random(1)
    numbers = list(range(1000))
    chance.shuffle(numbers)
    for now, (begun, queued) in enumerate(zip(numbers[:300], numbers[300:], strict=False)):
        line.begun(order(begun), now=now)
        line.queued(order(queued), now=50)
    assert [line.rest(order(number), was_seen=False) for number in range(1000)] == [None] * 1000


def test_a_little_disorder_is_still_a_line() -> None:
    line, chance = line_of(1000), random.Random(1)
    for number in range(300):
        line.begun(order(min(number + chance.randrange(40), 999)), now=number)
        line.queued(order(number + 1 + chance.randrange(40)), now=50)
    rest = line.rest(order(900), was_seen=True)
    assert rest
    moved, seconds = rest
    assert 500 < moved + seconds < 1000


@pytest.mark.parametrize("tells_places", [False, True])
def test_a_model_waits_for_the_line_where_no_places_are_told(tells_places: bool) -> None:
    model = ModelEstimator()
    videos = [VideoTimeline(0.0, 0.0, number=number) for number in range(100)]
    for video in videos:
        model.line.join(video.order)
    for number in range(5):
        now = 10.0 * number
        model.record_poll(videos[number], VideoStatus("id", VideoState.IN_PROGRESS), now)
        model.record_poll(videos[number], VideoStatus("id", VideoState.SUCCEED, inference_seconds=1.0), now + 1)
    model.record_poll(videos[6], VideoStatus("id", VideoState.IN_QUEUE, position=2 if tells_places else None), 50.0)
    _, origin = model.view(videos[50])
    # The fifth began after 40 s, ten seconds after the one before it; 46 stand between it and this one.
    assert origin == (0.0 if tells_places else pytest.approx(40 + LINE_LEAST * 460))


def test_a_model_counts_from_when_a_video_was_passed_by() -> None:
    model = ModelEstimator()
    videos = [VideoTimeline(0.0, 0.0, number=number) for number in range(9)]
    for video in videos:
        model.line.join(video.order)
    model.record_poll(videos[0], VideoStatus("id", VideoState.IN_PROGRESS), 1.0)
    model.record_poll(videos[5], VideoStatus("id", VideoState.IN_QUEUE), 70.0)
    model.record_poll(videos[7], VideoStatus("id", VideoState.IN_PROGRESS), 90.0)
    _, origin = model.view(videos[5])
    assert origin == 70.0
