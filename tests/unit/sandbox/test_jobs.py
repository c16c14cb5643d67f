"""The states of a video as properties: the times drawn, the queue, the limits. No sockets."""

from __future__ import annotations

from statistics import median

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_siliconflow.sandbox.jobs import Job, JobQueue, OutcomeSampler
from airflow_provider_siliconflow.sandbox.limits import RateLimiter
from airflow_provider_siliconflow.sandbox.settings import Settings
from tests.unit.sandbox.caller import T2V


def _job(number: int, accepted_at: float) -> Job:
    return Job(f"id{number}", "cn", "cn", number, T2V, "x", "960x960", None, None, 1, accepted_at)


def test_times_are_those_of_the_field() -> None:
    outcomes = OutcomeSampler(Settings())
    totals = [sum(outcomes.draw(number, "x")[:2]) for number in range(4000)]
    assert 60 <= min(totals) < 75
    assert 525 < max(totals) <= 540
    assert median(totals) == pytest.approx(240, abs=6)


def test_speed_divides_all_times() -> None:
    slow, fast = OutcomeSampler(Settings()), OutcomeSampler(Settings(speed=20))
    for number in range(20):
        plain, quick = slow.draw(number, "x"), fast.draw(number, "x")
        assert quick[:2] == pytest.approx([seconds / 20 for seconds in plain[:2]])
        assert quick[2:] == plain[2:]


def test_outcomes_depend_on_the_seed_alone() -> None:
    draws = [[OutcomeSampler(Settings(seed=seed)).draw(number, "x") for number in range(9)] for seed in (1, 1, 2)]
    assert draws[0] == draws[1] != draws[2]


_ARRIVALS = st.lists(st.tuples(st.floats(0, 100), st.floats(0.1, 50), st.floats(0.1, 500)), min_size=1, max_size=30)


@settings(derandomize=True, deadline=None)
@given(arrivals=_ARRIVALS, slots=st.integers(0, 3), wait=st.floats(0, 2000))
def test_a_queue_is_first_in_first_started(arrivals: list[tuple[float, float, float]], slots: int, wait: float) -> None:
    job_queue, jobs, now = JobQueue(slots), [], 0.0
    for number, (pause, queue, work) in enumerate(arrivals):
        now += pause
        jobs.append(_job(number, now))
        job_queue.join(jobs[-1], queue, work)
        assert jobs[-1].accepted_at + queue <= jobs[-1].started_at <= jobs[-1].ready_at
    assert [job.started_at for job in jobs] == sorted(job.started_at for job in jobs)
    positions = [job_queue.position(job, wait) for job in jobs]
    queued = [job for job in jobs if job.started_at > wait]
    assert positions == [0] * (len(jobs) - len(queued)) + list(range(1, len(queued) + 1))
    busy = [sum(other.started_at <= job.started_at < other.ready_at for other in jobs) for job in jobs]
    assert not slots or max(busy) <= slots


def test_without_slots_a_busy_queue_keeps_the_times_drawn() -> None:
    outcomes, job_queue = OutcomeSampler(Settings()), JobQueue(0)
    for number in range(500):
        job, drawn = _job(number, 0.0), outcomes.draw(number, "x")
        job_queue.join(job, *drawn[:2])
        assert job.ready_at == pytest.approx(sum(drawn[:2]))


def test_a_restored_queue_is_the_same_queue() -> None:
    first, second = JobQueue(1), JobQueue(1)
    for number in range(3):
        job = _job(number, 0.0)
        first.join(job, 10, 100)
        second.restore(_job(number, 0.0), job.started_at, job.ready_at)
    late, copy = _job(3, 0.0), _job(3, 0.0)
    first.join(late, 10, 100)
    second.join(copy, 10, 100)
    assert (late.started_at, late.ready_at, late.queue_index) == (copy.started_at, copy.ready_at, copy.queue_index)
    assert late.started_at == pytest.approx(310)


@settings(derandomize=True, deadline=None)
@given(st.lists(st.floats(0, 30), max_size=60), st.integers(1, 5))
def test_no_minute_holds_more_calls_than_the_limit(pauses: list[float], limit: int) -> None:
    window, now, passed = RateLimiter(limit), 0.0, []
    for pause in pauses:
        now += pause
        wait = window.admit("a", now)
        if wait:
            assert RateLimiter(limit).admit("b", now) == 0.0
            assert 0 < wait <= 60
        else:
            passed.append(now)
    assert all(sum(now - 60 < other <= now for other in passed) <= limit for now in passed)
