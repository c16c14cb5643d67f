"""Who is polled next, under which threshold, and how the rate limit is kept."""

from __future__ import annotations

import gc
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_siliconflow.client.models import VideoState, VideoStatus
from airflow_provider_siliconflow.exceptions import SiliconFlowConnectionError, SiliconFlowRateLimitError
from airflow_provider_siliconflow.polling.decision import WaitRequest
from airflow_provider_siliconflow.polling.estimator import new_estimators
from airflow_provider_siliconflow.polling.intervals import POLL_COST
from airflow_provider_siliconflow.polling.job import PollJob
from airflow_provider_siliconflow.polling.rate_limit import RateLimit
from airflow_provider_siliconflow.polling.scheduler import MAX_THRESHOLD, PollScheduler

PENDING = VideoStatus("id", VideoState.IN_PROGRESS)


@dataclass
class Drive:
    """Walk an scheduler through time: every poll is answered at once, and tells that nothing is ready."""

    scheduler: PollScheduler
    now: float = 0.0
    polls: list[tuple[float, str]] = field(default_factory=list)

    def until(self, end: float) -> None:
        while (next_wakeup := self.scheduler.next_wakeup(self.now)) is not None and next_wakeup <= end:
            self.now = next_wakeup
            for _ in range(1000):
                wait = self.scheduler.pop_due(self.now)
                if not wait:
                    break
                self.polls.append((self.now, wait.request_id))
                self.scheduler.record_poll(wait, PENDING, sent=self.now, now=self.now)
                self.scheduler.requeue(wait)
        self.now = end


def scheduler(per_minute: float = 1e9) -> PollScheduler:
    return PollScheduler(RateLimit(per_minute, 30.0), new_estimators())


def add(scheduler: PollScheduler, request_id: str = "v", now: float = 0.0, waited: float = 0.0, left: float = 1e6,
        interval: float | None = None) -> PollJob:  # fmt: skip
    request = WaitRequest(request_id, waited=waited, first=10.0, left=left, interval=interval)
    return scheduler.add(request, now=now)


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
    one = scheduler()
    for number in range(1000):
        one.discard(add(one, f"v{number}"))
    assert sum(isinstance(kept, PollJob) for kept in gc.get_objects()) <= 100


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


def spend_all(rate_limit: RateLimit, now: float) -> int:
    spent = 0
    while rate_limit.next(now) <= now:
        rate_limit.spend(now)
        spent += 1
    return spent


def test_a_second_of_calls_is_saved_up_at_most() -> None:
    rate_limit = RateLimit(600.0, 30.0)
    assert spend_all(rate_limit, 1000.0) == 10
    assert rate_limit.next(1000.0) == pytest.approx(1000.1)
    assert spend_all(rate_limit, 5000.0) == 10


def test_a_rate_below_one_a_second_still_allows_a_call() -> None:
    rate_limit = RateLimit(6.0, 30.0)
    assert spend_all(rate_limit, 0.0) == 1
    assert rate_limit.next(0.0) == pytest.approx(10.0)


def test_a_throttled_call_pauses_all_and_halves_the_rate() -> None:
    rate_limit = RateLimit(600.0, 30.0)
    rate_limit.on_throttled(100.0, 99.0, retry_after=7.0)
    assert rate_limit.next(100.0) == 107.0
    assert spend_all(rate_limit, 107.0) == 1
    assert rate_limit.next(107.0) == pytest.approx(107.2, abs=0.02)
    spend_all(rate_limit, 107.0 + 400)
    assert rate_limit.next(507.0) == pytest.approx(507.1)


def test_throttled_calls_under_way_count_once() -> None:
    rate_limit = RateLimit(600.0, 30.0)
    for _ in range(50):
        rate_limit.on_throttled(100.0, 99.0)
    assert rate_limit.next(100.0) <= 101.25


def test_pauses_double_up_to_the_longest_and_start_anew_after_an_answer() -> None:
    rate_limit = RateLimit(600.0, 30.0)
    now, pauses = 0.0, []
    for _ in range(8):
        rate_limit.on_throttled(now, now, slower=False)
        pauses.append(rate_limit.next(now) - now)
        now += 100.0
    assert pauses[0] < 1.3 < pauses[2] < pauses[4] < pauses[5]
    assert max(pauses) <= 30.0
    rate_limit.on_success()
    rate_limit.on_throttled(now, now, slower=False)
    assert rate_limit.next(now) - now < 1.3


def test_the_service_is_obeyed_no_longer_than_the_longest_pause() -> None:
    rate_limit = RateLimit(600.0, 30.0)
    rate_limit.on_throttled(0.0, 0.0, retry_after=86_400.0)
    assert rate_limit.next(0.0) == 30.0


def test_a_lost_connection_pauses_but_does_not_slow() -> None:
    one = scheduler(per_minute=600.0)
    wait = add(one, interval=5.0)
    assert one.pop_due(20.0) is wait
    one.record_poll(wait, SiliconFlowConnectionError("reset"), sent=20.0, now=20.0)
    paused = one.rate_limit.next(20.0)
    assert paused > 20.5
    spend_all(one.rate_limit, paused)
    assert one.rate_limit.next(paused) == pytest.approx(paused + 0.1)


def test_the_least_rate_is_never_nothing() -> None:
    one = scheduler(per_minute=6000.0)
    now = 0.0
    for _ in range(100):
        one.rate_limit.on_throttled(now, now)
        now = one.rate_limit.next(now)
    wait = add(one, now=now)
    one.record_poll(wait, SiliconFlowRateLimitError("no", status_code=429), sent=now, now=now)
    spend_all(one.rate_limit, one.rate_limit.next(now))
    assert one.rate_limit.next(now) < now + 60
