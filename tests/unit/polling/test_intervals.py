"""The invariants of the schedule, and how near it comes to the best there is."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_siliconflow.polling import intervals
from airflow_provider_siliconflow.polling.intervals import DEFAULT_DISTRIBUTION, POLL_COST, CompletionDistribution

ages = st.floats(0, 5000)
costs = st.floats(0.01, 1000)
#: Seconds; (from, length, weight) of what may have been seen.
seen = st.lists(st.tuples(st.floats(0, 2000), st.floats(0, 500), st.floats(0.01, 10)), min_size=1, max_size=60)


@st.composite
def distribution(draw: st.DrawFn) -> CompletionDistribution:
    """Make what the provider itself makes: spans of past videos, and the prior."""
    spans = [(low, low + length, weight) for low, length, weight in draw(seen)]
    return CompletionDistribution([*spans, *DEFAULT_DISTRIBUTION])


def test_the_prior_is_what_the_field_reports() -> None:
    prior = CompletionDistribution(DEFAULT_DISTRIBUTION)
    assert prior.share(60) == pytest.approx(0.02)
    assert prior.middle == 240
    assert prior.share(540) == pytest.approx(0.92)


@given(distribution(), ages, ages)
def test_the_share_that_is_ready_rises_from_nothing_to_all(
    known: CompletionDistribution, one: float, other: float
) -> None:
    assert 0 <= known.share(min(one, other)) <= known.share(max(one, other)) <= 1
    assert known.share(-1) == 0
    assert known.share(90_000) == pytest.approx(1)


@given(distribution(), st.floats(0.01, 0.99))
def test_age_of_undoes_share(known: CompletionDistribution, share: float) -> None:
    assert known.share(known.age_of(share)) == pytest.approx(share, abs=1e-6)


@given(distribution(), st.floats(-500, 5000), costs)
def test_the_wait_gathers_exactly_its_cost(known: CompletionDistribution, last_polled: float, cost: float) -> None:
    wait = known.wait(last_polled, cost)
    assert known.delay(last_polled, last_polled + wait) == pytest.approx(cost, rel=1e-4, abs=1e-4)


@given(distribution(), st.floats(-500, 5000), costs, costs)
def test_a_dearer_poll_comes_later(known: CompletionDistribution, last_polled: float, one: float, other: float) -> None:
    assert intervals.next_poll(known, last_polled, min(one, other)) <= intervals.next_poll(
        known, last_polled, max(one, other)
    )


@given(distribution(), ages, ages)
def test_a_later_poll_never_makes_the_next_come_sooner(known: CompletionDistribution, one: float, other: float) -> None:
    first, second = sorted((one, other))
    sooner = first + intervals.next_poll(known, first)
    later = second + intervals.next_poll(known, second)
    assert sooner <= later + 1e-3


@given(distribution(), st.floats(-500, 5000))
def test_polls_keep_their_bounds(known: CompletionDistribution, last_polled: float) -> None:
    wait = intervals.next_poll(known, last_polled)
    assert intervals.SHORTEST <= wait <= intervals.LONGEST_BEFORE
    if known.share(last_polled) >= 0.5:
        assert wait <= intervals.LONGEST
    assert last_polled + wait <= max(last_polled, known.middle) + intervals.LONGEST + 1e-6


@given(distribution())
def test_polls_are_finite_in_number(known: CompletionDistribution) -> None:
    age, polls = 0.0, 0
    while age < 1800:
        age += intervals.next_poll(known, age)
        polls += 1
    assert 1800 / intervals.LONGEST_BEFORE <= polls <= 1800 / intervals.SHORTEST


@given(distribution(), ages, costs)
def test_a_poll_is_worth_its_cost_when_it_is_due(
    known: CompletionDistribution, last_polled: float, cost: float
) -> None:
    wait = intervals.next_poll(known, last_polled, cost)
    if wait > intervals.SHORTEST:
        assert intervals.expected_gain(known, last_polled, last_polled + wait) == pytest.approx(
            cost, rel=1e-3, abs=1e-3
        )
    assert intervals.expected_gain(known, last_polled, last_polled) == 0


@given(distribution(), ages, st.floats(0, 600), st.floats(0, 600))
def test_a_poll_gets_worth_more_with_time(
    known: CompletionDistribution, last_polled: float, one: float, other: float
) -> None:
    sooner, later = (last_polled + gone for gone in sorted((one, other)))
    assert (
        intervals.expected_gain(known, last_polled, sooner) <= intervals.expected_gain(known, last_polled, later) + 1e-6
    )


def test_after_all_that_is_known_the_longest_wait_continues() -> None:
    known = CompletionDistribution([(10, 20, 1)])
    assert known.wait(30, POLL_COST) == math.inf
    assert known.delay(30, 60) == 0
    assert intervals.next_poll(known, 30) == intervals.LONGEST


@given(st.text(), st.integers(0, 1000), st.floats(0, 1000))
def test_jitter_is_small_and_the_same_each_time(request_id: str, number: int, wait: float) -> None:
    moved = intervals.jitter(wait, request_id, number)
    assert abs(moved - wait) <= intervals.JITTER * wait
    assert moved == intervals.jitter(wait, request_id, number)


def test_jitter_breaks_lockstep() -> None:
    moved = sorted(intervals.jitter(100, f"video{number}", 1) for number in range(1000))
    assert max(b - a for a, b in pairwise(moved)) < 1
    assert 99 < sum(moved) / 1000 < 101


# --- the best there is -------------------------------------------------------------------------------------------

#: Seconds; the polls of the optimum are on this grid.
_GRID = [float(age) for age in range(121)]


def _cost_of(times: list[float], known: CompletionDistribution, cost: float) -> float:
    """Return expected delay plus what the polls cost, for polls at these ages."""
    total, last_polled = 0.0, 0.0
    for age in times:
        left = 1 - known.share(last_polled)
        total += left * (cost + known.delay(last_polled, age))
        last_polled = age
    return total


def _best(known: CompletionDistribution, cost: float) -> float:
    """Return the least such sum of any polls on the grid, by dynamic programming."""
    best = [0.0] * len(_GRID)
    for at in range(len(_GRID) - 2, -1, -1):
        left = 1 - known.share(_GRID[at])
        best[at] = min(
            left * (cost + known.delay(_GRID[at], _GRID[then])) + best[then] for then in range(at + 1, len(_GRID))
        )
    return best[0]


def _cases() -> dict[str, tuple[list[tuple[float, float, float]], float]]:
    """Return spans, and the factor that the rule stays below."""
    rng = random.Random(7)

    def seen(draw: Callable[[], float]) -> list[tuple[float, float, float]]:
        return [(age := min(115.0, draw()), age + 2, 1.0) for _ in range(30)]

    return {
        "steady": (seen(lambda: rng.gauss(60, 4)), 1.2),
        "long-tailed": (seen(lambda: 10 * rng.paretovariate(1.2)), 1.2),
        "bimodal": (seen(lambda: rng.gauss(rng.choice((30, 90)), 3)), 1.2),
        "even": ([(10, 110, 1.0)], 1.2),
        # All at one moment: the best there is polls once, right after it.
        "point": ([(60, 61, 1.0)], 2.0),
    }


@pytest.mark.parametrize("cost", [0.25, 1.0, 4.0])
@pytest.mark.parametrize("case", _cases())
def test_the_rule_costs_little_more_than_the_best_polls(case: str, cost: float) -> None:
    spans, factor = _cases()[case]
    known = CompletionDistribution(spans)
    times, age = [], 0.0
    while age < _GRID[-1]:
        age = min(_GRID[-1], age + known.wait(age, cost))
        times.append(age)

    assert _cost_of(times, known, cost) < factor * _best(known, cost)
