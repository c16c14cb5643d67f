"""How often the service may be asked: a rate, and a back-off that all share. Pure: every time is handed in."""

from __future__ import annotations

from airflow_provider_siliconflow.polling.intervals import chance

#: Seconds of the rate that may be saved up and spent at once.
_BURST = 1.0
#: A refusal halves the rate; this many seconds later it is back.
_RECOVERY = 300.0
#: Part of the rate that is left whatever is refused.
_LEAST = 1 / 64
#: A call, but for what rounding takes off it.
_WHOLE = 1.0 - 1e-9


class RateLimit:
    """
    Count the calls of one connection.

    :param per_minute: Calls in a minute at most.
    :param longest: Seconds of a pause at most.
    :param seed: What the jitter of the pauses is drawn from.
    """

    def __init__(self, per_minute: float, longest: float, seed: str = "") -> None:
        self._seed = seed
        self._filled = self._paused = self._until = float("-inf")
        self._refusals = 0
        self._tokens = 0.0
        self.limit(per_minute, longest)
        self._rate = self._full

    def limit(self, per_minute: float, longest: float) -> None:
        """Take up other limits, as given to the constructor."""
        self._full = per_minute / 60
        self._rate = self._full
        self._longest = longest

    def _fill(self, now: float) -> None:
        if now <= self._filled:
            return
        gone = min(now - self._filled, _RECOVERY)
        self._rate = min(self._full, self._rate + self._full * gone / _RECOVERY)
        self._tokens = min(self._tokens + gone * self._rate, max(1.0, self._rate * _BURST))
        self._filled = now

    def next(self, now: float) -> float:
        """Return when a call may be made; ``now`` (seconds of any clock that never goes back) if at once."""
        self._fill(now)
        if self._tokens >= _WHOLE:
            return max(self._until, now)
        return max(self._until, now + (1.0 - self._tokens) / self._rate)

    def spend(self, now: float) -> None:
        """Count a call that is made now, which :meth:`next` allows."""
        self._fill(now)
        self._tokens -= 1.0

    def on_success(self) -> None:
        """Note that a call was answered: the next refusal is the first of its kind."""
        self._refusals = 0

    def on_throttled(self, now: float, sent: float, retry_after: float | None = None, *, slower: bool = True) -> None:
        """
        Pause all calls, each time longer.

        :param now: When the refusal came.
        :param sent: When the call was sent: one that was under way when a pause began tells nothing new.
        :param retry_after: Seconds the service asked for.
        :param slower: Go on at half the rate; wrong where nothing was too much, as with a lost connection.
        """
        if sent <= self._paused:
            return
        self._fill(now)
        self._refusals += 1
        own = min(2.0 ** min(self._refusals - 1, 30), self._longest) * (0.75 + chance(self._seed, self._refusals) / 2)
        self._paused = now
        # Nothing is saved up during the pause: one call goes first, the others follow at their rate.
        self._until = self._filled = now + min(own if retry_after is None else retry_after, self._longest)
        self._tokens = 1.0
        if slower:
            self._rate = max(self._rate / 2, self._full * _LEAST)
