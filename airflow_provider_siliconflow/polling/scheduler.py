"""Which video to poll next, and when: the due times of all waits under one rate. Pure: every time is handed in."""

from __future__ import annotations

import heapq
from itertools import count
from typing import TYPE_CHECKING, NamedTuple

from airflow_provider_siliconflow.client.models import VideoStatus
from airflow_provider_siliconflow.exceptions import (
    SiliconFlowConnectionError,
    SiliconFlowOverloadedError,
    SiliconFlowRateLimitError,
)
from airflow_provider_siliconflow.polling import intervals
from airflow_provider_siliconflow.polling.decision import PollResult, WaitRequest, is_account_error
from airflow_provider_siliconflow.polling.estimator import Estimators, VideoTimeline
from airflow_provider_siliconflow.polling.intervals import POLL_COST
from airflow_provider_siliconflow.polling.job import PollJob

if TYPE_CHECKING:
    from airflow_provider_siliconflow.polling.rate_limit import RateLimit

#: Part of the time to the first poll by which it comes later, by chance: against those who come all at once.
SPREAD = 0.5
#: Seconds between two polls at least, where the user says how many.
_MIN_INTERVAL = 0.01
#: Seconds to the next poll after one that failed; doubled each time, up to the second figure.
BACKOFF, MAX_BACKOFF = 5.0, 60.0
#: Doublings beyond this many change nothing.
_DOUBLINGS = 10
#: Seconds of delay that a poll must be worth at most: estimates are not so certain that anybody should be kept waiting
#: for longer on their account.
MAX_THRESHOLD = 30.0
#: Weight of one poll in the running threshold.
_LEARNING = 0.1
#: A poll worth less than this part of the threshold can wait until it is worth it.
_EARLY = 0.5
#: Seconds after which a poll counts as late, and its gain is computed.
_LATE = 1.0
#: Jobs put off in one go at most, so that the event loop is not held up.
_MAX_MOVES = 50
#: Entries of a heap at most that are of nobody any more.
_MAX_STALE = 50


class _Entry(NamedTuple):
    due: float
    number: int
    job: PollJob


class PollScheduler:
    """
    All waits of one connection.

    A video may be polled once a poll is worth :data:`.intervals.POLL_COST`. While the rate suffices, it is. When it
    does not, the threshold rises, for all alike, to what the next poll in turn is worth, and those come first whose
    poll reaches it first: polls go where they tell most.

    :param rate_limit: How often the account may be called.
    :param estimators: What past videos took.
    """

    def __init__(self, rate_limit: RateLimit, estimators: Estimators) -> None:
        self.rate_limit = rate_limit
        self.threshold = POLL_COST
        self._estimators = estimators
        self._count = count()
        # Everybody who waits, with the number of the one entry that is valid; None for those who are being polled.
        self._numbers: dict[PollJob, int | None] = {}
        # By when a poll is worth its cost, and from then on by when it reaches the threshold.
        self._later: list[_Entry] = []
        self._now: list[_Entry] = []

    def __len__(self) -> int:
        return len(self._numbers)

    def add(self, request: WaitRequest, *, now: float) -> PollJob:
        """
        Begin to wait for a video.

        :param request: The video, and how to poll it.
        :param now: The time.
        :return: What the other methods know the wait by.
        """
        since = now - max(0.0, request.waited)
        last = since if request.last_polled is None else max(since, now - max(0.0, request.last_polled))
        not_before = now + request.first * (1 + SPREAD * intervals.chance(request.request_id, 0))
        job = PollJob(
            request.request_id,
            self._estimators(request.model),
            VideoTimeline(since, last),
            not_before,
            deadline=max(now + request.left, not_before),
            interval=None if request.interval is None else max(request.interval, _MIN_INTERVAL),
        )
        self._push(self._later, job, job.due(POLL_COST))
        return job

    def discard(self, job: PollJob) -> None:
        """
        Wait for a video no more, if it was waited for.

        :param job: The wait.
        """
        self._numbers.pop(job, None)
        for heap in (self._later, self._now):
            if len(heap) > len(self._numbers) + _MAX_STALE:
                heap[:] = filter(self._is_valid, heap)
                heapq.heapify(heap)

    def pop_due(self, now: float) -> PollJob | None:
        """
        Return the video to poll now, and spend a call on it.

        :param now: The time.
        :return: None if nobody is due or no call may be made now; :meth:`next_wakeup` tells when to ask again. The
            caller gives a job back by :meth:`record_poll` and :meth:`requeue`, or by :meth:`discard`.
        """
        if self.rate_limit.next(now, self) > now:
            return None
        for _ in range(_MAX_MOVES):
            if (entry := self._top(self._later)) and entry.due <= now:
                heapq.heappop(self._later)
                due = entry.job.due(self.threshold) if self.threshold > POLL_COST else entry.due
                heapq.heappush(self._now, entry._replace(due=due))
                continue
            if not (entry := self._top(self._now)):
                return None
            heapq.heappop(self._now)
            job = entry.job
            is_crowded = self.threshold > POLL_COST or now > entry.due + _LATE
            gain = job.expected_gain(now) if is_crowded else POLL_COST
            if gain < self.threshold * _EARLY and (due := job.due(self.threshold)) > max(now, entry.due):
                # It was put here when the threshold was lower.
                self._push(self._now, job, due)
                continue
            self.rate_limit.spend(now, self)
            self._numbers[job] = None
            self.threshold = min(MAX_THRESHOLD, max(POLL_COST, self.threshold + _LEARNING * (gain - self.threshold)))
            return job
        return None

    def next_wakeup(self, now: float) -> float | None:
        """
        Return when to call :meth:`pop_due` next.

        :param now: The time.
        :return: None if nobody waits to be polled.
        """
        if self._top(self._now):
            return max(now, self.rate_limit.next(now, self))
        entry = self._top(self._later)
        return max(now, entry.due, self.rate_limit.next(now, self)) if entry else None

    def record_poll(self, job: PollJob, result: PollResult, *, sent: float, now: float) -> None:
        """
        Learn from a poll.

        :param job: The wait it was made for.
        :param result: What it returned.
        :param sent: When it was sent.
        :param now: When it was answered.
        """
        job.polls += 1
        job.is_rejected = is_account_error(result)
        if isinstance(result, VideoStatus):
            job.failures = 0
            self.rate_limit.on_success()
            job.estimator.record_poll(job.timeline, result, now)
            return
        backoff = min(BACKOFF * 2**job.failures, MAX_BACKOFF)
        job.not_before = now + intervals.jitter(backoff, job.request_id, job.polls)
        job.failures = min(job.failures + 1, _DOUBLINGS)
        is_crowded = isinstance(result, (SiliconFlowRateLimitError, SiliconFlowOverloadedError))
        if is_crowded or job.is_rejected or isinstance(result, SiliconFlowConnectionError):
            retry_after = getattr(result, "retry_after", None)
            self.rate_limit.on_throttled(now, sent, retry_after, slower=is_crowded)
        else:
            self.rate_limit.on_success()

    def requeue(self, job: PollJob) -> None:
        """
        Keep waiting for a video that was polled, if it is still waited for.

        :param job: The wait.
        """
        if job in self._numbers:
            self._push(self._later, job, job.due(POLL_COST))

    def retry_failed(self, now: float) -> None:
        """
        Let those whose last poll failed come now: what it failed for has changed.

        :param now: The time.
        """
        for job, number in self._numbers.items():
            if job.failures:
                job.failures, job.not_before = 0, min(job.not_before, now)
                if number is not None:
                    # As one who is polled for the first time: the time of its last poll tells nothing.
                    self._push(self._later, job, now)

    def _push(self, heap: list[_Entry], job: PollJob, due: float) -> None:
        self._numbers[job] = number = next(self._count)
        heapq.heappush(heap, _Entry(due, number, job))

    def _is_valid(self, entry: _Entry) -> bool:
        return self._numbers.get(entry.job) == entry.number

    def _top(self, heap: list[_Entry]) -> _Entry | None:
        """Return the first valid entry."""
        while heap and not self._is_valid(heap[0]):
            heapq.heappop(heap)
        return heap[0] if heap else None
