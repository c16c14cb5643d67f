"""A line whose places nobody tells: what is seen of some videos says where the others stand. Pure."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import deque

#: Moves of the front that are remembered.
MOVES = 64
#: VideoTimeline of videos in line that are remembered.
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
    service keeps no order, that is seen, and nothing is concluded. Times are seconds of the clock of the submits.
    """

    def __init__(self) -> None:
        self._waiting: list[Order] = []
        # Whoever was the first to have left, when that was seen, and how many places after the one before.
        self._fronts: deque[tuple[Order, float, int]] = deque(maxlen=MOVES)
        # Who was seen in line and when, and whether others far behind had left it by then.
        self._queued: deque[tuple[Order, float, bool]] = deque(maxlen=SEEN)

    def join(self, order: Order) -> None:
        """Count a video in; the first after all have left begins a line of its own."""
        if not self._waiting and self._fronts and order[0] > self._fronts[-1][1]:
            self._fronts.clear()
            self._queued.clear()
        insort(self._waiting, order)

    def leave(self, order: Order) -> None:
        """Count a video out, if it was counted in."""
        at = bisect_left(self._waiting, order)
        if self._waiting[at : at + 1] == [order]:
            del self._waiting[at]

    def begun(self, order: Order, now: float) -> None:
        """Note that the work on a video has begun by now."""
        if not self._fronts or order > self._fronts[-1][0]:
            places = self._between(self._fronts[-1][0], order) if self._fronts else 0
            self._fronts.append((order, now, places))

    def queued(self, order: Order, now: float) -> None:
        """Note that a video is in line now."""
        passed = self._between(order, self._fronts[-1][0]) if self._fronts else 0
        self._queued.append((order, now, passed > FAR * len(self._waiting)))

    def rest(self, order: Order, *, was_seen: bool) -> tuple[float, float] | None:
        """
        Return how long a video goes on standing in line, as far as can be told.

        :param was_seen: Whether it was seen there itself.
        :return: When the line was seen to move last, and for how many seconds from then on it stands there; None if
            nothing says that it does.
        """
        if not self._is_one() or order <= self._fronts[-1][0]:
            return None
        (_, began, before), (front, moved, _) = self._fronts[0], self._fronts[-1]
        if not was_seen and not any(front < seen <= order for seen, _, _ in self._queued):
            return None
        places = sum(places for _, _, places in self._fronts) - before
        return (moved, self._between(front, order) * (moved - began) / places) if places else None

    def passed(self, order: Order) -> tuple[float, float] | None:
        """
        Return between which times a video left the line, as far as can be told.

        :return: The first may be minus infinity; None if nothing says that it did.
        """
        if not self._is_one() or order > self._fronts[-1][0]:
            return None
        at = bisect_left(self._fronts, order, key=lambda front: front[0])
        first = max((now for seen, now, _ in self._queued if seen <= order), default=float("-inf"))
        return min(first, self._fronts[at][1]), self._fronts[at][1]

    def _is_one(self) -> bool:
        """Tell whether there is a line of late, it moves, and keeps its order."""
        if len(self._fronts) < 2 or not self._queued or self._queued[-1][1] < self._fronts[0][1]:
            return False
        return sum(passed for _, _, passed in self._queued) <= DISORDER * len(self._queued)

    def _between(self, first: Order, last: Order) -> int:
        return bisect_right(self._waiting, last) - bisect_right(self._waiting, first)
