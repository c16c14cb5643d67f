"""Continue in a worker after a deferral, however it ended: poll, and return how the wait ended, or defer again."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

from airflow_provider_siliconflow import metrics
from airflow_provider_siliconflow._airflow.resume import is_deferral_timeout
from airflow_provider_siliconflow.polling.decision import DEFAULT_POKE_INTERVAL, Wait, WaitResult, WaitStatus
from airflow_provider_siliconflow.polling.worker import Hook, poll_paid_video, wait_for_paid_video
from airflow_provider_siliconflow.triggers import base, events, video
from airflow_provider_siliconflow.triggers.events import WaitEvent

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow.sdk import Context

log = logging.getLogger(__name__)

#: Failed deferrals in one try after which the worker waits itself: no release or restart is to lose a paid video, and
#: no task may defer for ever.
MAX_FAILED_DEFERRALS = 3
#: Seconds to which the next event is put off at most where the worker did not see the last hold: of a video, and of
#: none.
_MAX_FIRST_POLL, _MAX_MIN_WAIT = 120.0, 600.0
#: Seconds. The event of the trigger comes first; this is for a triggerer that is gone or late.
_TIMEOUT_SLACK = 120.0
#: The XCom in which a try remembers them; Airflow keeps a task's own XComs until its next try.
_XCOM = "wait"


class Waiting(Protocol):
    """A task that waits for a video, in seconds of ``timeout``, and resumes in ``execute_complete``."""

    siliconflow_conn_id: str

    @property
    def defer(self) -> Callable[..., NoReturn]:
        """Return what leaves the worker."""
        ...


@dataclass(frozen=True)
class PaidVideo:
    """
    A video that a task waits for, as the task knows it.

    :param request_id: Its request id.
    :param timeout: Seconds to wait for it, where no deadline is known.
    :param poke_interval: Seconds between two polls; None to learn it from what past videos took.
    :param model: Its model, if known.
    :param submitted_at: Epoch seconds at which it was submitted, or else at which the wait for it began.
    """

    request_id: str
    timeout: float
    poke_interval: float | None = None
    model: str | None = None
    submitted_at: float | None = None

    def defer(
        self, task: Waiting, wait: Wait, first_poll_after: float | None = None, min_wait: float | None = None
    ) -> NoReturn:
        """
        Leave the worker until the trigger has seen the wait end.

        :param task: The task that waits.
        :param wait: Its wait; it must have a deadline.
        :param first_poll_after: Seconds until the first poll; by default as few as Airflow bears.
        :param min_wait: Seconds before which the wait does not end without a video, whatever the triggerer's clock
            says.
        """
        assert wait.deadline is not None, "a deferral without a deadline may never end"
        left = max(wait.deadline - time.time(), base.MIN_DEFERRAL_SECONDS)
        task.defer(
            trigger=video.VideoReadyTrigger(
                wait.request_id,
                task.siliconflow_conn_id,
                wait.deadline,
                self.poke_interval,
                self.model,
                wait.deadline - self.timeout if self.submitted_at is None else self.submitted_at,
                None if first_poll_after is None else min(first_poll_after, left),
                None if min_wait is None else min(min_wait, left),
            ),
            method_name="execute_complete",
            # Airflow enforces no time-out on a deferred task unless one is given here.
            timeout=timedelta(seconds=left + _TIMEOUT_SLACK),
        )


def resume_wait(task: Waiting, context: Context, hook: Hook, paid: PaidVideo, event: Any) -> WaitResult:
    """
    Poll the video of a task that a trigger has woken.

    :param task: The task.
    :param context: Its context.
    :param hook: The service.
    :param paid: The video it waits for.
    :param event: What Airflow handed to the task; it may be of another release.
    :return: How the wait ended; if it continues, the task has been deferred again.
    """
    woken = WaitEvent.decode(event)
    metrics.polled(woken.polls, woken.poll_errors)
    if woken.status is None:
        return resume_after_failed_deferral(task, context, hook, paid, woken.message, woken.deadline)
    wait = woken.wait(paid.request_id, now=time.time())
    result = poll_paid_video(hook, wait)
    if result is None:
        log.warning(
            "The triggerer saw the wait for video %s end (%s) and this worker does not: do their clocks and connections"
            " differ? Defers again until the same deadline.",
            paid.request_id,
            woken.status.value,
        )
        if woken.status in (WaitStatus.READY, WaitStatus.FAILED):
            paid.defer(task, wait, _next_delay(woken.first_poll_after, _MAX_FIRST_POLL), woken.min_wait)
        else:
            # A video that gets ready meanwhile is not held up.
            paid.defer(task, wait, None, _next_delay(woken.min_wait, _MAX_MIN_WAIT))
    assert result, "deferred otherwise"
    return result


def resume_after_failed_deferral(
    task: Waiting,
    context: Context,
    hook: Hook,
    paid: PaidVideo,
    error_text: str,
    deadline: float | None = None,
) -> WaitResult:
    """
    Poll the video of a task whose deferral failed, and defer again or wait in the worker if it is not ready.

    :param task: The task.
    :param context: Its context.
    :param hook: The service.
    :param paid: The video it waits for.
    :param error_text: Why the deferral failed.
    :param deadline: Epoch seconds at which the wait ends, if known.
    :return: How the wait ended; if it continues, the task has been deferred again.
    """
    now = time.time()
    if is_deferral_timeout(error_text):
        result = poll_paid_video(hook, Wait(paid.request_id, deadline=now))
        assert result, "the deadline has passed"
        return result
    failures, deadline = count_failed_deferral(context, deadline, now + paid.timeout)
    wait = Wait(paid.request_id, deadline)
    if result := poll_paid_video(hook, wait):
        return result
    if failures < MAX_FAILED_DEFERRALS:
        log.warning("Waiting for video %s in the triggerer failed (%s); defers again.", paid.request_id, error_text)
        paid.defer(task, wait, _next_delay(0.0, _MAX_FIRST_POLL))
    log.warning(
        "Waiting for video %s in the triggerer failed %s times (the last: %s): this worker waits for it. Is the same"
        " release of the provider installed in the triggerer?",
        paid.request_id,
        failures,
        error_text,
    )
    return wait_for_paid_video(hook, wait, poke_interval=paid.poke_interval or DEFAULT_POKE_INTERVAL)


def count_failed_deferral(context: Context, deadline: float | None, default: float) -> tuple[int, float]:
    """
    Count a failed deferral, and remember until when this try waits.

    :param context: The task's context.
    :param deadline: Epoch seconds at which the wait ends, if known.
    :param default: The same for a try that knows of none: the time-out from now, once.
    :return: How many deferrals of this try failed, and the deadline.
    """
    ti = context["ti"]
    memory = ti.xcom_pull(key=_XCOM, map_indexes=ti.map_index)
    given = memory if isinstance(memory, dict) else {}
    count, known = given.get("failed_deferrals"), events.read_time(given.get("deadline"))
    failures = (count if isinstance(count, int) else 0) + 1
    if deadline is None:
        deadline = default if known is None else known
    memory = {"version": events.VERSION, "failed_deferrals": failures, "deadline": deadline}
    ti.xcom_push(key=_XCOM, value=memory)
    return failures, deadline


def _next_delay(delay: float, most: float) -> float:
    """
    Return the seconds of the next deferral, where a worker could not confirm the event of the last.

    Their clocks or connections differ then. Each such round trip starts a worker for nothing, so they become rarer.
    """
    return min(2 * max(delay, base.MIN_DEFERRAL_SECONDS), most)
