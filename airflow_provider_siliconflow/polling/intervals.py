"""
When to poll next, as pure mathematics: no clock, no I/O, no memory.

A poll is worth :data:`POLL_COST` seconds of delay. Polling a video at every instant would show it the moment it is
ready; each moment of not polling adds the chance that it is ready by now to the delay that is expected. Poll when that
sum, the integral of P(ready by u | not ready at the last poll), reaches what a poll is worth. For a steady chance this
is the best there is, to first order; `tests/unit/polling/test_intervals.py` compares it with the true optimum.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING
from zlib import crc32

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Seconds of delay that a poll is worth, while calls are not scarce.
POLL_COST = 0.75
#: Seconds between two polls at least: with a lower bound, polls are finite in number.
SHORTEST = 2.0
#: Seconds between two polls at most, once half of the known videos would be ready …
LONGEST = 30.0
#: … and before that.
LONGEST_BEFORE = 120.0
#: Part of the time to the next poll that chance moves it by, to either side, against lockstep.
JITTER = 0.1

#: What is assumed of a model of which no video was seen yet: from one age to the next (seconds), this share of the
#: videos gets ready. The field reports 60 s at least, 240 s in the middle, 540 s at most; beyond that, doubling the
#: age halves what is left.
DEFAULT_DISTRIBUTION = (
    (0.0, 60.0, 0.02),
    (60.0, 240.0, 0.48),
    (240.0, 540.0, 0.42),
    (540.0, 1080.0, 0.04),
    (1080.0, 2160.0, 0.02),
    (2160.0, 4320.0, 0.01),
    (4320.0, 86400.0, 0.01),
)

#: Below this share of videos still to come, nothing is known of the rest.
_NOTHING = 1e-9


class CompletionDistribution:
    """
    Hold how the time that videos take is spread: a share that rises in straight lines from knot to knot.

    :param spans: ``(from, to, weight)``: between these ages (seconds) a video got ready, and this much it counts.
        Ages may be equal; weights need not add up to 1.
    """

    __slots__ = ("_ages", "_areas", "_shares", "_slopes", "middle")

    def __init__(self, spans: Iterable[tuple[float, float, float]]) -> None:
        # A video counts evenly over at least a second, so that no share jumps.
        wide = [(low, max(high, low + 1.0), weight) for low, high, weight in spans]
        total = sum(weight for _, _, weight in wide)
        turns: dict[float, float] = {}
        for low, high, weight in wide:
            slope = weight / total / (high - low)
            turns[low] = turns.get(low, 0.0) + slope
            turns[high] = turns.get(high, 0.0) - slope
        self._ages = sorted(turns)
        self._slopes = [max(0.0, slope) for slope in accumulate(turns[age] for age in self._ages)]
        self._slopes[-1] = 0.0
        self._shares, self._areas = [0.0], [0.0]
        for (age, until), slope in zip(pairwise(self._ages), self._slopes, strict=False):
            wait, share = until - age, self._shares[-1]
            self._areas.append(self._areas[-1] + (share + slope * wait / 2) * wait)
            self._shares.append(min(1.0, share + slope * wait))
        #: Age by which half of the videos are ready.
        self.middle = self.age_of(0.5)

    def share(self, age: float) -> float:
        """
        Return which share of the videos is ready by an age.

        :param age: Seconds.
        :return: From 0 to 1.
        """
        at = bisect_right(self._ages, age) - 1
        return min(1.0, self._shares[at] + self._slopes[at] * (age - self._ages[at])) if at >= 0 else 0.0

    def age_of(self, share: float) -> float:
        """
        Return the age by which a share of the videos is ready.

        :param share: Above 0 and below 1.
        :return: Seconds.
        """
        at = max(bisect_left(self._shares, share) - 1, 0)
        slope = self._slopes[at]
        return self._ages[at] + (share - self._shares[at]) / slope if slope else self._ages[at]

    def _area(self, age: float) -> float:
        """Return the integral of the share up to an age."""
        at = bisect_right(self._ages, age) - 1
        if at < 0:
            return 0.0
        wait = age - self._ages[at]
        return self._areas[at] + (self._shares[at] + self._slopes[at] * wait / 2) * wait

    def delay(self, last_polled: float, age: float) -> float:
        """
        Return the delay to expect of a video that was not ready at the last poll.

        :param last_polled: Its age (seconds) at the last poll.
        :param age: Its age now, not below ``last_polled``.
        :return: Seconds.
        """
        ready = self.share(last_polled)
        if 1.0 - ready < _NOTHING:
            return 0.0
        gathered = self._area(age) - self._area(last_polled) - ready * (age - last_polled)
        return max(0.0, gathered / (1.0 - ready))

    def wait(self, last_polled: float, cost: float) -> float:
        """
        Return after how long the delay to expect reaches a cost.

        :param last_polled: The video's age (seconds) at the last poll.
        :param cost: Seconds of delay, above 0.
        :return: Seconds; infinity if nothing is known so late.
        """
        ready = self.share(last_polled)
        if 1.0 - ready < _NOTHING:
            return math.inf
        goal = cost * (1.0 - ready) + self._area(last_polled) - ready * last_polled

        def gathered(at: int) -> float:
            return self._areas[at] - ready * self._ages[at]

        first = bisect_right(self._ages, last_polled)
        at = bisect_left(range(len(self._ages)), goal, lo=first, key=gathered) - 1
        if at < first:
            # The goal is reached on the straight line that the last poll lies on, or before any video was ever ready.
            at, age, rise = first - 1, last_polled, 0.0
            missing = cost * (1.0 - ready)
            if at < 0:
                return math.inf
        else:
            age, rise = self._ages[at], self._shares[at] - ready
            missing = goal - gathered(at)
        root = math.sqrt(rise * rise + 2 * self._slopes[at] * missing)
        return max(0.0, age - last_polled + 2 * missing / (rise + root)) if rise + root > 0 else math.inf


def _longest(known: CompletionDistribution, last_polled: float) -> float:
    return min(LONGEST_BEFORE, max(last_polled, known.middle) - last_polled + LONGEST)


def next_poll(known: CompletionDistribution, last_polled: float, cost: float = POLL_COST) -> float:
    """
    Return how long after the last poll the next one comes.

    :param known: How long videos take.
    :param last_polled: The video's age (seconds) at the last poll; may be below 0 for one that is still in the queue.
    :param cost: Seconds of delay a poll is worth; the bounds widen with it.
    :return: Seconds.
    """
    return max(SHORTEST, min(known.wait(last_polled, cost), _longest(known, last_polled) * cost / POLL_COST))


def expected_gain(known: CompletionDistribution, last_polled: float, age: float) -> float:
    """
    Return what a poll is worth now: the cost at which :func:`next_poll` would poll at this very age.

    :param known: How long videos take.
    :param last_polled: The video's age at the last poll.
    :param age: Its age now, not below ``last_polled``.
    :return: Seconds of delay; 0 right after a poll.
    """
    if age - last_polled < SHORTEST:
        return 0.0
    return max(known.delay(last_polled, age), POLL_COST * (age - last_polled) / _longest(known, last_polled))


def jitter(seconds: float, request_id: str, number: int) -> float:
    """
    Move a wait a little, by chance that the video's id and the number of the poll decide.

    :param seconds: The wait.
    :param request_id: The video's id.
    :param number: The number of the poll.
    :return: The wait, moved by :data:`JITTER` of it at most.
    """
    return seconds * (1.0 + JITTER * (2 * chance(request_id, number) - 1))


def chance(request_id: str, number: int) -> float:
    """
    Return what seems to be chance and is the same each time.

    :param request_id: The video's id.
    :param number: The number of the poll.
    :return: A number from 0 to below 1.
    """
    return crc32(f"{number}:{request_id}".encode()) / 2**32
