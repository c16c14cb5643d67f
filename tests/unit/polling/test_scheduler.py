"""Who is polled next, under which threshold, and how the rate limit is kept."""

from __future__ import annotations

import gc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_siliconflow.exceptions import SiliconFlowConnectionError
from airflow_provider_siliconflow.polling.intervals import POLL_COST
from airflow_provider_siliconflow.polling.job import PollJob
from airflow_provider_siliconflow.polling.scheduler import MAX_THRESHOLD
from tests.unit.polling.drive import PENDING, Drive, add, scheduler


def test_nobody_waits_nobody_is_due() -> None:
    empty = scheduler()
    assert empty.next_wakeup(0.0) is None
    assert empty.pop_due(0.0) is None
    gone = add(empty)
    empty.discard(gone)
    assert empty.next_wakeup(0.0) is None
    assert empty.pop_due(100.0) is None
    assert len(empty) == 0


def test_who_was_taken_is_not_taken_again_until_given_back() -> None:
    one = scheduler()
    wait = add(one, interval=5.0)
    assert one.pop_due(15.0) is wait
    assert one.pop_due(1000.0) is None
    one.record_poll(wait, PENDING, sent=15.0, now=15.1)
    one.requeue(wait)
    assert one.next_wakeup(15.1) == pytest.approx(20.1)
    taken = one.pop_due(21.0)
    assert taken is wait
    one.discard(wait)
    one.requeue(wait)
    assert one.next_wakeup(21.0) is None


def test_a_long_wait_continues_where_it_was_after_a_restart() -> None:
    one = scheduler()
    add(one, waited=235.0)
    next_wakeup = one.next_wakeup(0.0)
    assert next_wakeup
    assert 10.0 <= next_wakeup <= 15.0


@given(st.lists(st.floats(0, 1000), min_size=1, max_size=30), st.floats(1, 600))
def test_the_rate_limit_is_never_overdrawn(waited: list[float], per_minute: float) -> None:
    drive = Drive(scheduler(per_minute))
    for number, seconds in enumerate(waited):
        add(drive.scheduler, f"v{number}", waited=seconds, interval=2.0)
    drive.until(300.0)
    times = [when for when, _ in drive.polls]
    rate = per_minute / 60
    for begin in range(0, 300, 60):
        assert sum(begin <= when < begin + 60 for when in times) <= 60 * rate + max(1.0, rate) + 1


def test_an_ample_rate_limit_leaves_the_price_alone() -> None:
    drive = Drive(scheduler())
    for number in range(50):
        add(drive.scheduler, f"v{number}")
    drive.until(600.0)
    assert drive.scheduler.threshold == POLL_COST


def test_a_scarce_rate_limit_raises_the_price_and_is_spent_whole() -> None:
    drive = Drive(scheduler(per_minute=60.0))
    for number in range(300):
        add(drive.scheduler, f"v{number}")
    drive.until(600.0)
    assert POLL_COST < drive.scheduler.threshold <= MAX_THRESHOLD
    assert len([when for when, _ in drive.polls if when > 300]) >= 299


def test_the_price_falls_when_the_crowd_has_gone() -> None:
    drive = Drive(scheduler(per_minute=60.0))
    waits = [add(drive.scheduler, f"v{number}") for number in range(300)]
    drive.until(600.0)
    for wait in waits[1:]:
        drive.scheduler.discard(wait)
    drive.until(1800.0)
    assert drive.scheduler.threshold < 2 * POLL_COST
    assert len([when for when, _ in drive.polls if when > 1200]) == pytest.approx(600 / 30, abs=5)


def test_a_scarce_rate_limit_goes_where_a_poll_tells_most() -> None:
    drive = Drive(scheduler(per_minute=30.0))
    for number in range(20):
        add(drive.scheduler, f"young{number}", waited=0.0)
        add(drive.scheduler, f"old{number}", waited=200.0)
    drive.until(60.0)
    assert drive.polls
    assert all(video.startswith("old") for _, video in drive.polls)


def test_nobody_starves() -> None:
    drive = Drive(scheduler(per_minute=60.0))
    for number in range(300):
        add(drive.scheduler, f"v{number}", waited=number * 5.0)
    drive.until(2400.0)
    assert len({video for when, video in drive.polls if when > 1200}) == 300


def test_however_dear_polls_are_there_is_one_half_way_to_the_deadline() -> None:
    one = scheduler()
    wait = add(one, left=1000.0)
    assert wait.due(threshold=1e9) == pytest.approx(500.0)
    wait.timeline.last_polled = 996.0
    assert wait.due(threshold=1e9) == pytest.approx(998.0)


def test_those_who_left_are_not_kept() -> None:
    def count() -> int:
        gc.collect()
        # Asking an object of another's for its class may import what is not installed.
        return sum(type(kept) is PollJob for kept in gc.get_objects())

    one, of_other_tests = scheduler(), count()
    for number in range(1000):
        one.discard(add(one, f"v{number}"))
    assert count() - of_other_tests <= 100


def test_a_failed_poll_is_tried_again_later_and_later() -> None:
    one = scheduler()
    wait = add(one, interval=1.0)
    now, pauses = 15.0, []
    for _ in range(8):
        taken = one.pop_due(now)
        assert taken is wait
        one.record_poll(wait, SiliconFlowConnectionError("reset"), sent=now, now=now)
        one.requeue(wait)
        next_wakeup = one.next_wakeup(now)
        assert next_wakeup
        pauses.append(next_wakeup - now)
        now = next_wakeup
    assert all(4 < pause < 67 for pause in pauses)
    assert pauses[-1] > 50 > 12 > pauses[0]


# --- the rate limit --------------------------------------------------------------------------------------------------
