"""How calls are spent, saved up, paused and slowed."""

from __future__ import annotations

import pytest

from airflow_provider_siliconflow.exceptions import SiliconFlowConnectionError, SiliconFlowRateLimitError
from airflow_provider_siliconflow.polling.rate_limit import RateLimit
from tests.unit.polling.drive import add, scheduler


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
