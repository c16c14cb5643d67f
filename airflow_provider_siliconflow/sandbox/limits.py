"""Limits for an account: calls a minute."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable

MINUTE = 60.0


class RateLimiter:
    """
    A limit of calls in any sixty seconds (a sliding window), for each key apart.

    :param limit: Calls; 0 lets all through and remembers nothing.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._calls: dict[Hashable, deque[float]] = {}

    def admit(self, key: Hashable, now: float) -> float:
        """
        Count a call, if it may pass. A rejected call is not counted.

        :param key: Whose call it is.
        :param now: Epoch seconds.
        :return: 0.0 if it passes, else the seconds until one would.
        """
        if not self._limit:
            return 0.0
        calls = self._calls.setdefault(key, deque())
        while calls and calls[0] <= now - MINUTE:
            calls.popleft()
        if len(calls) >= self._limit:
            return calls[0] + MINUTE - now
        calls.append(now)
        return 0.0
