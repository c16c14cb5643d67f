"""Which video to look at next, and when: everybody's due times under one budget. Pure: every time is handed in."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from itertools import count

from airflow_provider_siliconflow.api.video import VideoStatus
from airflow_provider_siliconflow.exceptions import (
    SiliconFlowConnectionError,
    SiliconFlowError,
    SiliconFlowOverloadedError,
    SiliconFlowRateLimitError,
)
from airflow_provider_siliconflow.waiting import schedule
from airflow_provider_siliconflow.waiting.budget import Budget
from airflow_provider_siliconflow.waiting.learned import Knowledge, Model, Sightings
from airflow_provider_siliconflow.waiting.schedule import LOOK_COST

#: Part of the time to the first look by which it comes later, by chance: against those who come all at once.
SPREAD = 0.5
#: Seconds between two looks at least, where the user says how many.
_LEAST_INTERVAL = 0.01
#: Seconds to the next look after one that failed; doubled each time, up to the second figure.
_AGAIN, _AGAIN_AT_MOST = 5.0, 60.0
#: Seconds of delay that the price of a look rises to at most. What was learned is not so certain that anybody should
#: be kept waiting for longer on its account: from there on, each comes in turn.
DEAREST = 30.0
#: Weight of one look in the running price.
_LEARNING = 0.1
#: A look worth less than this part of the price can wait until it is worth the price.
_EARLY = 0.5
#: Seconds after which a look counts as late, and the price is looked into.
_LATE = 1.0
#: Waits put off in one go at most, so that the event loop is not held up.
_MOVES = 50


@dataclass(slots=True, eq=False)
class Wait:
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
    known: Model
    seen: Sightings
    not_before: float
    deadline: float
    interval: float | None
    looks: int = 0
    failures: int = 0

    @property
    def _is_unseen(self) -> bool:
        return self.seen.looked <= self.seen.since

    def due(self, price: float) -> float:
        """Return when to look next, if a look is worth so many seconds of delay."""
        if self.interval is not None:
            pause = 0.0 if self._is_unseen else self.interval * price / LOOK_COST
        else:
            known, origin = self.known.view(self.seen)
            pause = schedule.next_look(known, self.seen.looked - origin, price)
            # However dear looks are, and whatever is believed of a line, there is one half way to the deadline.
            pause = min(schedule.jitter(pause, self.request_id, self.looks), (self.deadline - self.seen.looked) / 2)
            pause = max(schedule.SHORTEST, pause)
        if max(self.seen.looked, self.not_before) >= self.deadline:
            # Whoever judges has another clock, and not seen the deadline pass yet.
            return max(self.seen.looked + schedule.SHORTEST, self.not_before)
        return min(max(self.seen.looked + pause, self.not_before), self.deadline)

    def worth(self, now: float) -> float:
        """Return what a look now is worth, in seconds of delay."""
        if now < self.not_before:
            return 0.0
        if self.interval is not None:
            return LOOK_COST * max((now - self.seen.looked) / self.interval, float(self._is_unseen))
        known, origin = self.known.view(self.seen)
        return schedule.worth(known, self.seen.looked - origin, now - origin)


@dataclass(slots=True, order=True)
class _Entry:
    due: float
    number: int
    wait: Wait | None


class Agenda:
    """
    Hold all waits of one connection.

    A video may be looked at once a look is worth :data:`.schedule.LOOK_COST`. While the budget suffices, it is. When it
    does not, the price of a look rises, for all alike, to what the budget's next look is worth, and those come first
    whose look gets worth that price first: looks go where they tell most.

    :param budget: How often anybody may look.
    :param knowledge: What past videos took.
    """

    def __init__(self, budget: Budget, knowledge: Knowledge) -> None:
        self.budget = budget
        self.price = LOOK_COST
        self._knowledge = knowledge
        self._numbers = count()
        # Everybody who waits, and None for those who are being looked at.
        self._entries: dict[Wait, _Entry | None] = {}
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
        looked: float | None = None,
        first: float,
        left: float,
        interval: float | None,
    ) -> Wait:
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
        not_before = now + first * (1 + SPREAD * schedule.chance(request_id, 0))
        deadline = max(now + left, not_before)
        last = since if looked is None else max(since, now - max(0.0, looked))
        seen = Sightings(since, last, number=next(self._numbers))
        pace = None if interval is None else max(interval, _LEAST_INTERVAL)
        wait = Wait(request_id, self._knowledge.of(model), seen, not_before, deadline, pace)
        wait.known.line.join(seen.order)
        self._push(self._later, wait, LOOK_COST)
        return wait

    def discard(self, wait: Wait) -> None:
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

    def _push(self, heap: list[_Entry], wait: Wait, price: float) -> None:
        entry = _Entry(wait.due(price), next(self._numbers), wait)
        self._entries[wait] = entry
        heapq.heappush(heap, entry)

    def take(self, now: float) -> Wait | None:
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
                if entry.wait and self.price > LOOK_COST:
                    entry.due = entry.wait.due(self.price)
                heapq.heappush(self._now, entry)
                continue
            if not (entry := _top(self._now)):
                return None
            heapq.heappop(self._now)
            wait = entry.wait
            assert wait
            crowded = self.price > LOOK_COST or now > entry.due + _LATE
            value = wait.worth(now) if crowded else LOOK_COST
            if value < self.price * _EARLY and wait.due(self.price) > max(now, entry.due):
                # It was put here when looks were cheaper.
                self._push(self._now, wait, self.price)
                continue
            self.budget.spend(now)
            self._entries[wait] = None
            self.price = min(DEAREST, max(LOOK_COST, self.price + _LEARNING * (value - self.price)))
            return wait
        return None

    def wake(self, now: float) -> float | None:
        """Return when to call :meth:`take` next, or None if nobody waits to be looked at."""
        if _top(self._now):
            return max(now, self.budget.next(now))
        entry = _top(self._later)
        return max(now, entry.due, self.budget.next(now)) if entry else None

    def saw(self, wait: Wait, look: VideoStatus | SiliconFlowError, *, sent: float, now: float) -> None:
        """
        Learn from a look.

        :param look: What it brought.
        :param sent: When it was sent.
        :param now: When it was answered.
        """
        wait.looks += 1
        if isinstance(look, VideoStatus):
            wait.failures = 0
            self.budget.answered()
            wait.known.saw(wait.seen, look, now)
            return
        wait.not_before = now + schedule.jitter(
            min(_AGAIN * 2**wait.failures, _AGAIN_AT_MOST), wait.request_id, wait.looks
        )
        wait.failures = min(wait.failures + 1, 10)
        crowded = isinstance(look, (SiliconFlowRateLimitError, SiliconFlowOverloadedError))
        if crowded or isinstance(look, SiliconFlowConnectionError):
            self.budget.refused(now, sent, getattr(look, "retry_after", None), slower=crowded)
        else:
            self.budget.answered()

    def again(self, wait: Wait) -> None:
        """Go on waiting for a video that was taken."""
        if wait in self._entries:
            self._push(self._later, wait, LOOK_COST)


def _top(heap: list[_Entry]) -> _Entry | None:
    """Return the first entry of somebody who still waits."""
    while heap and heap[0].wait is None:
        heapq.heappop(heap)
    return heap[0] if heap else None
