"""Poll a paid video from a worker, which has no memory between two pokes: a rejected poll is repeated in place."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Protocol

from airflow_provider_siliconflow._airflow.names import AirflowNotFoundException
from airflow_provider_siliconflow.client.masking import describe_error, excerpt
from airflow_provider_siliconflow.exceptions import SiliconFlowConfigError, SiliconFlowConnectionError, SiliconFlowError
from airflow_provider_siliconflow.polling.decision import (
    PollResult,
    Wait,
    WaitResult,
    describe,
    grace_for,
    is_account_error,
)

log = logging.getLogger(__name__)

#: Seconds to the next poll after one that was rejected; doubled each time, up to the second figure.
_REJECTED_PAUSE, _MAX_REJECTED_PAUSE = 2.0, 15.0
#: Seconds to the next poll after one that failed, where the poke interval is shorter; doubled in the same way.
_FAILED_PAUSE, _MAX_FAILED_PAUSE = 5.0, 60.0
#: Doublings beyond this many change nothing.
_DOUBLINGS = 10


class Hook(Protocol):
    """What is needed of :class:`.SiliconFlowHook`."""

    def poll(self, request_id: str) -> PollResult:
        """Poll a video."""
        ...


def poll_once(hook: Hook, wait: Wait, *, clock: Callable[[], float] = lambda: time.time()) -> WaitResult | None:
    """
    Poll a paid video once.

    :param hook: The service.
    :param wait: The wait.
    :param clock: Returns epoch seconds.
    :return: How the wait ended, or None to keep waiting.
    """
    poll = _poll(hook, wait.request_id)
    log.info("Video %s: %s", wait.request_id, describe(poll))
    if is_account_error(poll):
        # The next poll looks the connection up anew, for a key may have been rotated meanwhile.
        vars(hook).pop("settings", None)
    return wait.evaluate(poll, now=clock())


def poll_paid_video(
    hook: Hook,
    wait: Wait,
    *,
    clock: Callable[[], float] = lambda: time.time(),
    sleep: Callable[[float], None] = lambda seconds: time.sleep(seconds),
) -> WaitResult | None:
    """
    Poll a paid video once, or as often as it takes to know that a rejected poll was no accident.

    :param hook: The service.
    :param wait: The wait; its ``rejected_since`` says how much of the grace period is spent.
    :param clock: Returns epoch seconds.
    :param sleep: Waits for a number of seconds.
    :return: How the wait ended, or None to keep waiting.
    """
    pause = _REJECTED_PAUSE
    while True:
        result = poll_once(hook, wait, clock=clock)
        grace = grace_for(wait.last) if isinstance(wait.last, SiliconFlowError) else None
        if result or wait.rejected_since is None or grace is None:
            return result
        ends = wait.rejected_since + grace
        ends = ends if wait.deadline is None else min(ends, wait.deadline)
        sleep(max(0.0, min(pause, ends - clock())))
        pause = min(2 * pause, _MAX_REJECTED_PAUSE)


def wait_for_paid_video(
    hook: Hook,
    wait: Wait,
    *,
    poke_interval: float,
    clock: Callable[[], float] = lambda: time.time(),
    sleep: Callable[[float], None] = lambda seconds: time.sleep(seconds),
) -> WaitResult:
    """
    Poll a paid video until its wait ends, and hold the worker meanwhile.

    :param hook: The service.
    :param wait: The wait; it must have a deadline.
    :param poke_interval: Seconds between two polls; more after polls that failed.
    :param clock: Returns epoch seconds.
    :param sleep: Waits for a number of seconds.
    :return: How the wait ended.
    """
    assert wait.deadline is not None, "a wait without a deadline may never end"
    failures = 0
    while True:
        if result := poll_paid_video(hook, wait, clock=clock, sleep=sleep):
            return result
        pause = poke_interval
        failures = min(failures + 1, _DOUBLINGS) if isinstance(wait.last, SiliconFlowError) else 0
        if failures:
            pause = max(pause, min(_FAILED_PAUSE * 2 ** (failures - 1), _MAX_FAILED_PAUSE))
        sleep(max(0.0, min(pause, wait.deadline - clock())))


def _poll(hook: Hook, request_id: str) -> PollResult:
    try:
        return hook.poll(request_id)
    except AirflowNotFoundException as error:
        # Airflow reports an outage of its database, vault or API in the same way.
        return SiliconFlowConfigError(f"The Airflow connection is not found: {excerpt(str(error))}")
    except Exception as error:
        # As in polling/session.py: whatever it is, it must not end the wait for a paid video.
        log.exception("Polling video %s failed", request_id)
        return SiliconFlowConnectionError(describe_error(error))
