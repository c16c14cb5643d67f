"""The sandbox's only source of time."""

from __future__ import annotations

import time


class Clock:
    """
    The time in epoch seconds; tests move it instead of sleeping.

    :param start: Frozen at this time until advanced. ``None`` follows the machine's clock.
    """

    def __init__(self, start: float | None = None) -> None:
        self._start = start
        self._ahead = 0.0

    def now(self) -> float:
        """
        Return the time.

        :return: Epoch seconds.
        """
        return (time.time() if self._start is None else self._start) + self._ahead

    def advance(self, seconds: float) -> None:
        """
        Move forward.

        :param seconds: How far; never negative.
        :raises ValueError: If time would run backwards.
        """
        if seconds < 0:
            raise ValueError(f"time cannot run backwards: {seconds}")
        self._ahead += seconds
