"""Which video to look at next, and when: everybody's due times under one budget. Pure: every time is handed in."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from itertools import count

from airflow_provider_siliconflow.client.models import VideoStatus
from airflow_provider_siliconflow.exceptions import (
    SiliconFlowConnectionError,
    SiliconFlowError,
    SiliconFlowOverloadedError,
    SiliconFlowRateLimitError,
)
from airflow_provider_siliconflow.polling import intervals
from airflow_provider_siliconflow.polling.estimator import Estimators, ModelEstimator, VideoTimeline
from airflow_provider_siliconflow.polling.intervals import POLL_COST
from airflow_provider_siliconflow.polling.rate_limit import RateLimit

#: Part of the time to the first look by which it comes later, by chance: against those who come all at once.
SPREAD = 0.5
#: Seconds between two looks at least, where the user says how many.
_LEAST_INTERVAL = 0.01
#: Seconds to the next look after one that failed; doubled each time, up to the second figure.
_AGAIN, _AGAIN_AT_MOST = 5.0, 60.0
#: Seconds of delay that the price of a look rises to at most. What was learned is not so certain that anybody should
#: be kept waiting for longer on its account: from there on, each comes in turn.
MAX_THRESHOLD = 30.0
#: Weight of one look in the running price.
_LEARNING = 0.1
#: A look worth less than this part of the price can wait until it is worth the price.
_EARLY = 0.5
#: Seconds after which a look counts as late, and the price is looked into.
_LATE = 1.0
#: Waits put off in one go at most, so that the event loop is not held up.
_MOVES = 50


@dataclass(slots=True, eq=False)
class PollJob:
    """
    Hold one wait for one video; times are seconds of the agenda's one clock.

    :param request_id: The video.
    :param known: What is known of its model.
    :param seen: What is known of itself.
    :param not_before: The next look comes no sooner.
    :param deadline: A look comes then, whatever else.
    :param interval: A fixed number of seconds between looks, instead of the learned ones.
    :param looks: How many there were.
    :param failures: How many of the last looks failed in a row.
    """

    request_id: str
    known: ModelEstimator
    seen: VideoTimeline
    not_before: float
    deadline: float
    interval: float | None
    polls: int = 0
    failures: int = 0

    @property
    def _is_unseen(self) -> bool:
        return self.seen.last_polled <= self.seen.since

    def due(self, threshold: float) -> float:
        """Return when to look next, if a look is worth so many seconds of delay."""
        if self.interval is not None:
            pause = 0.0 if self._is_unseen else self.interval * threshold / POLL_COST
        else:
            known, origin = self.known.view(self.seen)
            pause = intervals.next_poll(known, self.seen.last_polled - origin, threshold)
            # However dear looks are, and whatever is believed of a line, there is one half way to the deadline.
            pause = min(
                intervals.jitter(pause, self.request_id, self.polls), (self.deadline - self.seen.last_polled) / 2
            )
            pause = max(intervals.SHORTEST, pause)
        if max(self.seen.last_polled, self.not_before) >= self.deadline:
            # Whoever judges has another clock, and not seen the deadline pass yet.
            return max(self.seen.last_polled + intervals.SHORTEST, self.not_before)
        return min(max(self.seen.last_polled + pause, self.not_before), self.deadline)

    def expected_gain(self, now: float) -> float:
        """Return what a look now is worth, in seconds of delay."""
        if now < self.not_before:
            return 0.0
        if self.interval is not None:
            return POLL_COST * max((now - self.seen.last_polled) / self.interval, float(self._is_unseen))
        known, origin = self.known.view(self.seen)
        return intervals.expected_gain(known, self.seen.last_polled - origin, now - origin)


@dataclass(slots=True, order=True)
class _Entry:
    due: float
    number: int
    wait: PollJob | None


class PollScheduler:
    """
    Hold all waits of one connection.

    A video may be looked at once a look is worth :data:`.schedule.POLL_COST`. While the budget suffices, it is. When it
    does not, the price of a look rises, for all alike, to what the budget's next look is worth, and those come first
    whose look gets worth that price first: looks go where they tell most.

    :param budget: How often anybody may look.
    :param knowledge: What past videos took.
    """

    def __init__(self, budget: RateLimit, knowledge: Estimators) -> None:
        self.budget = budget
        self.threshold = POLL_COST
        self._knowledge = knowledge
        self._numbers = count()
        # Everybody who waits, and None for those who are being looked at.
        self._entries: dict[PollJob, _Entry | None] = {}
        # By when a look is worth its cost, and from then on by when it is worth the price.
        self._later: list[_Entry] = []
        self._now: list[_Entry] = []

    def __len__(self) -> int:
        return len(self._entries)

    def add(
        self,
        request_id: str,
        *,
        now: float,
        model: str | None,
        waited: float,
        last_polled: float | None = None,
        first: float,
        left: float,
        interval: float | None,
    ) -> PollJob:
        """
        Begin to wait for a video that was not ready of late.

        :param request_id: The video.
        :param now: The time.
        :param model: Its model, if known.
        :param waited: Seconds since it was submitted, or else since the wait for it began.
        :param looked: Seconds since it was last seen not to be ready; None if it never was.
        :param first: Seconds until the first look at least; it comes a little later by chance.
        :param left: Seconds until the last look.
        :param interval: A fixed number of seconds between looks, instead of the learned ones.
        """
        since = now - max(0.0, waited)
        not_before = now + first * (1 + SPREAD * intervals.chance(request_id, 0))
        deadline = max(now + left, not_before)
        last = since if last_polled is None else max(since, now - max(0.0, last_polled))
        seen = VideoTimeline(since, last, number=next(self._numbers))
        pace = None if interval is None else max(interval, _LEAST_INTERVAL)
        wait = PollJob(request_id, self._knowledge.of(model), seen, not_before, deadline, pace)
        wait.known.line.join(seen.order)
        self._push(self._later, wait, POLL_COST)
        return wait

    def discard(self, wait: PollJob) -> None:
        """Wait for a video no more, if it was waited for."""
        if wait not in self._entries:
            return
        wait.known.line.leave(wait.seen.order)
        if entry := self._entries.pop(wait):
            entry.wait = None
        if len(self._later) + len(self._now) > 2 * len(self._entries) + _MOVES:
            for heap in (self._later, self._now):
                heap[:] = [entry for entry in heap if entry.wait]
                heapq.heapify(heap)

    def _push(self, heap: list[_Entry], wait: PollJob, threshold: float) -> None:
        entry = _Entry(wait.due(threshold), next(self._numbers), wait)
        self._entries[wait] = entry
        heapq.heappush(heap, entry)

    def pop_due(self, now: float) -> PollJob | None:
        """
        Return the video to look at now, and spend a call on it.

        :return: None if nobody is due or no call may be made now; :meth:`wake` tells when to ask again. Whoever gets a
            wait gives it back by :meth:`saw` and :meth:`again`, or by :meth:`discard`.
        """
        if self.budget.next(now) > now:
            return None
        for _ in range(_MOVES):
            if (entry := _top(self._later)) and entry.due <= now:
                heapq.heappop(self._later)
                if entry.wait and self.threshold > POLL_COST:
                    entry.due = entry.wait.due(self.threshold)
                heapq.heappush(self._now, entry)
                continue
            if not (entry := _top(self._now)):
                return None
            heapq.heappop(self._now)
            wait = entry.wait
            assert wait
            crowded = self.threshold > POLL_COST or now > entry.due + _LATE
            value = wait.expected_gain(now) if crowded else POLL_COST
            if value < self.threshold * _EARLY and wait.due(self.threshold) > max(now, entry.due):
                # It was put here when looks were cheaper.
                self._push(self._now, wait, self.threshold)
                continue
            self.budget.spend(now)
            self._entries[wait] = None
            self.threshold = min(MAX_THRESHOLD, max(POLL_COST, self.threshold + _LEARNING * (value - self.threshold)))
            return wait
        return None

    def next_wakeup(self, now: float) -> float | None:
        """Return when to call :meth:`take` next, or None if nobody waits to be looked at."""
        if _top(self._now):
            return max(now, self.budget.next(now))
        entry = _top(self._later)
        return max(now, entry.due, self.budget.next(now)) if entry else None

    def record_poll(self, wait: PollJob, look: VideoStatus | SiliconFlowError, *, sent: float, now: float) -> None:
        """
        Learn from a look.

        :param look: What it brought.
        :param sent: When it was sent.
        :param now: When it was answered.
        """
        wait.polls += 1
        if isinstance(look, VideoStatus):
            wait.failures = 0
            self.budget.on_success()
            wait.known.record_poll(wait.seen, look, now)
            return
        wait.not_before = now + intervals.jitter(
            min(_AGAIN * 2**wait.failures, _AGAIN_AT_MOST), wait.request_id, wait.polls
        )
        wait.failures = min(wait.failures + 1, 10)
        crowded = isinstance(look, (SiliconFlowRateLimitError, SiliconFlowOverloadedError))
        if crowded or isinstance(look, SiliconFlowConnectionError):
            self.budget.on_throttled(now, sent, getattr(look, "retry_after", None), slower=crowded)
        else:
            self.budget.on_success()

    def requeue(self, wait: PollJob) -> None:
        """Go on waiting for a video that was taken."""
        if wait in self._entries:
            self._push(self._later, wait, POLL_COST)


def _top(heap: list[_Entry]) -> _Entry | None:
    """Return the first entry of somebody who still waits."""
    while heap and heap[0].wait is None:
        heapq.heappop(heap)
    return heap[0] if heap else None
