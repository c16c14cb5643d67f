"""A line whose places nobody tells: what is seen of some videos says where the others stand. Pure."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import deque

#: Moves of the front that are remembered.
MOVES = 64
#: Sightings of videos in line that are remembered.
SEEN = 32
#: Passed by so large a part of the line, a video is out of order …
FAR = 0.25
#: … and if so many are, there is no order.
DISORDER = 0.25

#: A video's place in the order of all submits: its time, and a number that tells those of the same time apart.
Order = tuple[float, int]


class Line:
    """
    Follow a line that is left in the order of the submits.

    Once a video is seen to have left it, all before it have; while one is seen in it, all behind it are. Where the
    service keeps no order, the front is soon at the end, and nothing is concluded.
    """

    def __init__(self) -> None:
        self._waiting: list[Order] = []
        # Whoever was the first in line, when that was seen, and how many places after the one before.
        self._fronts: deque[tuple[Order, float, int]] = deque(maxlen=MOVES)
        # Whoever was seen in line last.
        self._seen: Order | None = None
        # Of the last who were seen in line, whether others far behind them had left it.
        self._passed: deque[bool] = deque(maxlen=SEEN)

    def join(self, order: Order) -> None:
        """Count a video in."""
        insort(self._waiting, order)

    def leave(self, order: Order) -> None:
        """Count a video out, if it was counted in; with the last one, all that was seen is of the past."""
        at = bisect_left(self._waiting, order)
        if self._waiting[at : at + 1] == [order]:
            del self._waiting[at]
        if not self._waiting:
            self._fronts.clear()
            self._passed.clear()
            self._seen = None

    def begun(self, order: Order, now: float) -> None:
        """Note that the work on a video has begun by now (seconds)."""
        if not self._fronts or order > self._fronts[-1][0]:
            places = self._between(self._fronts[-1][0], order) if self._fronts else 0
            self._fronts.append((order, now, places))

    def queued(self, order: Order) -> None:
        """Note that a video is in line."""
        self._seen = order
        passed = self._between(order, self._fronts[-1][0]) if self._fronts else 0
        self._passed.append(passed > FAR * len(self._waiting))

    def rest(self, order: Order) -> tuple[float, float] | None:
        """
        Return how long a video goes on standing in line, as far as can be told.

        :return: When the line was seen to move last, and for how many seconds from then on it stands there; None if
            nothing says that it does.
        """
        if not self._is_one() or self._seen is None or order < max(self._fronts[-1][0], self._seen):
            return None
        (_, began, before), (front, moved, _) = self._fronts[0], self._fronts[-1]
        places = sum(places for _, _, places in self._fronts) - before
        return (moved, self._between(front, order) * (moved - began) / places) if places else None

    def passed(self, order: Order) -> tuple[float, float] | None:
        """Return between which times a video left the line, as far as can be told; None if nothing says that it did."""
        if not self._is_one() or order > self._fronts[-1][0]:
            return None
        at = bisect_left(self._fronts, order, key=lambda front: front[0])
        return self._fronts[at - 1][1] if at else float("-inf"), self._fronts[at][1]

    def _is_one(self) -> bool:
        """Tell whether there is a line at all, it moves, and keeps its order."""
        return len(self._fronts) > 1 and bool(self._passed) and sum(self._passed) <= DISORDER * len(self._passed)

    def _between(self, first: Order, last: Order) -> int:
        return bisect_right(self._waiting, last) - bisect_right(self._waiting, first)
