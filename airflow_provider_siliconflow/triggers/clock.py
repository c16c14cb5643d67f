"""Time in a triggerer: the event loop's, which nobody sets."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

#: Seconds to which a deferral's first poll is put off at most, after events that the worker could not confirm.
_MAX_FIRST_POLL = 600.0


def steady_clock(epoch: float) -> Callable[[], float]:
    """
    Return a clock of epoch seconds that stays right when the system's clock is set; called on an event loop.

    :param epoch: The epoch seconds now.
    :return: What tells the epoch seconds, by the event loop's time.
    """
    loop_time = asyncio.get_running_loop().time
    started = loop_time()
    return lambda: epoch + loop_time() - started


def next_first_poll(first_poll_after: float, least: float) -> float:
    """
    Return after how many seconds the next deferral polls first, where the event of the last did not hold.

    The clocks or connections of triggerer and worker differ then: each such round trip starts a worker for nothing, so
    they become rarer.

    :param first_poll_after: The seconds of the last deferral.
    :param least: The seconds of a first deferral.
    """
    return min(2 * max(first_poll_after, least), _MAX_FIRST_POLL)
