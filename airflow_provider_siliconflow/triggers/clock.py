"""Time in a triggerer: the event loop's, which nobody sets."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


def steady_clock(epoch: float) -> Callable[[], float]:
    """
    Return a clock of epoch seconds that stays right when the system's clock is set; called on an event loop.

    :param epoch: The epoch seconds now.
    :return: What tells the epoch seconds, by the event loop's time.
    """
    loop_time = asyncio.get_running_loop().time
    started = loop_time()
    return lambda: epoch + loop_time() - started


def next_delay(delay: float, least: float, most: float) -> float:
    """
    Return the delay of the next deferral, where a worker could not confirm the event of the last.

    The clocks or connections of triggerer and worker differ then. Each such round trip starts a worker for nothing, so
    they become rarer.

    :param delay: Seconds of the last deferral.
    :param least: Seconds to start from.
    :param most: Seconds at most.
    :return: Seconds of the next.
    """
    return min(2 * max(delay, least), most)
