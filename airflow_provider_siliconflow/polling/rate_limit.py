"""How often an account may be called: a rate, and a back-off that all share. Pure: every time is handed in."""

from __future__ import annotations

from airflow_provider_siliconflow.polling.intervals import chance

#: Seconds of the rate that may be saved up and spent at once.
_BURST = 1.0
#: A throttled call halves the rate; this many seconds later it is back.
_RECOVERY = 300.0
#: Part of the rate that is left however often calls are throttled.
_MIN_SHARE = 1 / 64
#: A call, but for what rounding subtracts.
_WHOLE = 1.0 - 1e-9
#: Part of the time for one call within which the callers of an account take turns.
_TURN = 0.5


class RateLimit:
    """
    The calls of one account; several callers may share them, and take turns where they are scarce.

    Times are seconds of any clock that never goes back.

    :param per_minute: Calls per minute at most, while no caller has joined.
    :param longest: Seconds of a pause at most, while no caller has joined.
    :param seed: What the jitter of the pauses is drawn from.
    """

    def __init__(self, per_minute: float, longest: float, seed: str = "") -> None:
        self._seed = seed
        self._default = (per_minute, longest)
        # In the order in which their last calls were made.
        self._callers: dict[object, tuple[float, float]] = {}
        self._filled = self._paused = self._until = float("-inf")
        self._throttled = 0
        self._tokens = 0.0
        self._apply()

    def join(self, caller: object, per_minute: float, longest: float) -> None:
        """
        Count in a caller, or change its limits; the least of all callers' limits hold.

        :param caller: An identity of the caller.
        :param per_minute: Calls per minute at most.
        :param longest: Seconds of a pause at most.
        """
        self._callers[caller] = (per_minute, longest)
        self._apply()

    def leave(self, caller: object) -> None:
        """
        Count out a caller.

        :param caller: An identity of the caller, which need not have joined.
        """
        if self._callers.pop(caller, None):
            self._apply()

    def _apply(self) -> None:
        limits = list(self._callers.values()) or [self._default]
        self._full = self._rate = min(per_minute for per_minute, _ in limits) / 60
        self._longest = min(longest for _, longest in limits)

    def _fill(self, now: float) -> None:
        if now <= self._filled:
            return
        gone = min(now - self._filled, _RECOVERY)
        self._rate = min(self._full, self._rate + self._full * gone / _RECOVERY)
        self._tokens = min(self._tokens + gone * self._rate, max(1.0, self._rate * _BURST))
        self._filled = now

    def next(self, now: float, caller: object = None) -> float:
        """
        Return when a call may be made.

        :param now: The time.
        :param caller: Who would make it.
        :return: The time; ``now`` if at once.
        """
        self._fill(now)
        if self._tokens >= _WHOLE:
            return max(self._until, now)
        turn = 0.0
        if len(self._callers) > 1 and caller in self._callers:
            turn = _TURN * list(self._callers).index(caller) / len(self._callers)
        return max(self._until, now + (1.0 - self._tokens + turn) / self._rate)

    def spend(self, now: float, caller: object = None) -> None:
        """
        Count a call that is made now, which :meth:`next` allows.

        :param now: The time.
        :param caller: Who makes it.
        """
        self._fill(now)
        self._tokens -= 1.0
        if caller in self._callers:
            self._callers[caller] = self._callers.pop(caller)

    def on_success(self) -> None:
        """Note that a call was answered: the next that is throttled is the first of its kind."""
        self._throttled = 0

    def on_throttled(self, now: float, sent: float, retry_after: float | None = None, *, slower: bool = True) -> None:
        """
        Pause all calls, each time longer.

        :param now: When the answer came.
        :param sent: When the call was sent: one that was under way when a pause began tells nothing new.
        :param retry_after: Seconds the service asked for.
        :param slower: Continue at half the rate; wrong where nothing was too much, as with a lost connection.
        """
        if sent <= self._paused:
            return
        self._fill(now)
        self._throttled += 1
        own = min(2.0 ** min(self._throttled - 1, 30), self._longest) * (0.75 + chance(self._seed, self._throttled) / 2)
        self._paused = now
        # Nothing is saved up during the pause: one call goes first, the others follow at their rate.
        self._until = self._filled = now + min(own if retry_after is None else retry_after, self._longest)
        self._tokens = 1.0
        if slower:
            self._rate = max(self._rate / 2, self._full * _MIN_SHARE)
