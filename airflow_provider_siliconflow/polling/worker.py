"""Poll a paid video from a worker, which has no memory between two pokes: a rejected poll is repeated in place."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Protocol

from airflow_provider_siliconflow import metrics
from airflow_provider_siliconflow._airflow.names import AirflowNotFoundException
from airflow_provider_siliconflow.exceptions import SiliconFlowError
from airflow_provider_siliconflow.polling.decision import describe, failed_poll, grace_for, is_account_error

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_siliconflow.polling.decision import PollResult, Wait, WaitResult

log = logging.getLogger(__name__)

#: Seconds to the next poll after one that was rejected; doubled each time, up to the second figure.
REJECTED_PAUSE, MAX_REJECTED_PAUSE = 2.0, 15.0
#: Seconds to the next poll after one that failed, where the poke interval is shorter; doubled in the same way.
FAILED_PAUSE, MAX_FAILED_PAUSE = 5.0, 60.0


class Hook(Protocol):
    """What is needed of :class:`.SiliconFlowHook`."""

    @property
    def poll(self) -> Callable[[str], PollResult]:
        """Return what polls a video."""
        ...


def poll_once(hook: Hook, wait: Wait) -> WaitResult | None:
    """
    Poll a paid video once.

    :param hook: The service.
    :param wait: The wait.
    :return: How the wait ended, or None to keep waiting.
    """
    poll = _poll(hook, wait.request_id)
    log.info("Video %s: %s", wait.request_id, describe(poll))
    metrics.polled(1, int(isinstance(poll, SiliconFlowError)))
    if is_account_error(poll):
        # The next poll looks the connection up anew, for a key may have been rotated meanwhile.
        vars(hook).pop("settings", None)
    return wait.evaluate(poll, now=time.time())


def poll_paid_video(hook: Hook, wait: Wait) -> WaitResult | None:
    """
    Poll a paid video once, or as often as it takes to know that a rejected poll was no accident.

    :param hook: The service.
    :param wait: The wait; its ``rejected_since`` says how much of the grace period is spent.
    :return: How the wait ended, or None to keep waiting.
    """
    pause = REJECTED_PAUSE
    while not (result := poll_once(hook, wait)) and wait.last and wait.rejected_since is not None:
        ends = wait.rejected_since + (grace_for(wait.last) or 0.0)
        _sleep(pause, ends if wait.deadline is None else min(ends, wait.deadline))
        pause = min(2 * pause, MAX_REJECTED_PAUSE)
    return result


def wait_for_paid_video(hook: Hook, wait: Wait, *, poke_interval: float) -> WaitResult:
    """
    Poll a paid video until its wait ends, and hold the worker meanwhile.

    :param hook: The service.
    :param wait: The wait; it must have a deadline.
    :param poke_interval: Seconds between two polls; more after polls that failed.
    :return: How the wait ended.
    """
    assert wait.deadline is not None, "a wait without a deadline may never end"
    failures = 0
    while not (result := poll_paid_video(hook, wait)):
        failures = failures + 1 if isinstance(wait.last, SiliconFlowError) else 0
        _sleep(pause_after(failures, poke_interval), wait.deadline)
    return result


def pause_after(failures: int, poke_interval: float) -> float:
    """
    Return for how long a worker waits between two polls.

    :param failures: Polls that failed in a row.
    :param poke_interval: Seconds where none did; more after polls that failed.
    :return: Seconds.
    """
    if not failures:
        return poke_interval
    return max(poke_interval, min(FAILED_PAUSE * 2.0 ** min(failures - 1, 10), MAX_FAILED_PAUSE))


def _sleep(seconds: float, until: float) -> None:
    time.sleep(max(0.0, min(seconds, until - time.time())))


def _poll(hook: Hook, request_id: str) -> PollResult:
    try:
        return hook.poll(request_id)
    except Exception as error:
        # A connection that is not found for a while is no surprise; a mistake in reading an odd response is.
        is_odd = not isinstance(error, AirflowNotFoundException)
        log.warning("Polling video %s failed", request_id, exc_info=is_odd)
        return failed_poll(error)
