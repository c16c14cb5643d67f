"""Submit once: what a try may conclude from the record of the tries before it, and in which order it writes its own."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, Literal

from airflow_provider_siliconflow.billing import Billing, NextStep
from airflow_provider_siliconflow.client.models import VideoRequest
from airflow_provider_siliconflow.exceptions import (
    SiliconFlowError,
    SubmitConflictError,
    SubmitOutcomeUnknownError,
    SubmitRecordError,
)
from airflow_provider_siliconflow.jobs.record import SubmitRecord, SubmitStore, now

if TYPE_CHECKING:
    from airflow_provider_siliconflow.hooks.siliconflow import SiliconFlowHook

log = logging.getLogger(__name__)

OnUnknownSubmit = Literal["fail", "resubmit"]


class Decision(Enum):
    """Name what a try may do."""

    SUBMIT = "submit"
    REATTACH = "take up"


@dataclass(frozen=True)
class ResubmitPolicy:
    """
    Hold what the user said about paying again.

    :param on_unknown_submit: What to do where submitting may pay for the same video twice.
    :param reuse_on_clear: Whether a cleared task takes up the video it has paid for.
    :param price: What one video costs, in words.
    """

    on_unknown_submit: OnUnknownSubmit = "fail"
    reuse_on_clear: bool = False
    price: str = "the price of a video"


def decide(record: SubmitRecord | None, intent: SubmitRecord, policy: ResubmitPolicy) -> Decision:
    """
    Say what a try may do, given the record of the tries before it.

    :param record: What is on record; None only if it is certain that nothing is.
    :param intent: What this try is about to submit.
    :param policy: What the user said about paying again.
    :raises SubmitOutcomeUnknownError: if a submit may have been accepted, and the policy is to fail.
    :raises SubmitConflictError: if another request was paid for, and the policy is to fail.
    """
    if record is None or record.closed:
        return Decision.SUBMIT
    # A clear raises max_tries; no retry does, nor a dead scheduler's leftovers. Airflow may hand a task that was
    # cleared as it ran on as a retry: it takes up its video, which costs nothing, and can be cleared again.
    cleared = record.max_tries != intent.max_tries
    if cleared and not (policy.reuse_on_clear and record.request_id):
        log.warning(
            "The task was cleared: it submits anew and pays %s again. On record was %s.", policy.price, _told(record)
        )
        return Decision.SUBMIT
    if record.request_id and record.fingerprint == intent.fingerprint:
        return Decision.REATTACH
    doubt = _conflict(record, policy) if record.request_id else _unknown(record, policy.price)
    if policy.on_unknown_submit == "fail":
        raise doubt
    log.warning("%s on_unknown_submit='resubmit' says to submit anew, for %s.", doubt.message, policy.price)
    return Decision.SUBMIT


def submit_once(
    hook: SiliconFlowHook,
    make_request: Callable[[], VideoRequest],
    store: SubmitStore,
    intent: SubmitRecord,
    policy: ResubmitPolicy,
    before_paying: Callable[[], None],
) -> SubmitRecord:
    """
    Submit a video unless it is known to be paid for; write down the intent before, and the id after.

    :param make_request: Makes the request, once it is certain that it is to be submitted; may raise to prevent it.
    :param before_paying: Called before that; may raise as well.
    :return: The record, with its ``request_id``.
    :raises SubmitOutcomeUnknownError: if a video may be running whose id is lost.
    :raises SubmitConflictError: if another request was paid for by the same task.
    :raises SiliconFlowError: if nothing was submitted.
    """
    if not store.exists:
        log.warning(
            "This Airflow has no task state store (3.3 and later have): should this try die after the submit, a retry"
            " cannot know of the video and pays for another. Consider retries=0 for tasks that submit."
        )
    record = store.read()
    if record and decide(record, intent, policy) is Decision.REATTACH:
        log.info("Takes up %s; nothing is submitted or paid again.", _told(record))
        return record
    before_paying()
    request = make_request()
    try:
        store.write(intent)
    except SubmitRecordError as error:
        error.with_billing(Billing.NOT_SUBMITTED, next_step=NextStep.SUBMIT)
        raise
    try:
        submitted = hook.submit_video(request, attempts=1)
    except SubmitOutcomeUnknownError as error:
        error.message += f" It was sent between {intent.intent_at} and {now()}; a second would cost {policy.price}."
        raise
    except SiliconFlowError:
        store.forget()
        raise
    made = replace(intent, request_id=submitted.request_id, trace_id=submitted.trace_id, submitted_at=now())
    try:
        store.write(made)
    except SubmitRecordError:
        # The id is not lost while this try goes on, so it goes on.
        log.exception("Video %s is paid for, but this try alone knows its id.", submitted.request_id)
    return made


def _unknown(record: SubmitRecord, price: str) -> SubmitOutcomeUnknownError:
    return SubmitOutcomeUnknownError(
        f"A try before this one was about to submit {record.model} to {record.host} at {record.intent_at} and ended"
        f" before it could note the answer. A second submit would cost {price}.",
        host=record.host,
        model=record.model,
    )


def _conflict(record: SubmitRecord, policy: ResubmitPolicy) -> SubmitConflictError:
    way = "Set on_unknown_submit='resubmit'" if policy.reuse_on_clear else "Clear the task"
    return SubmitConflictError(
        f"This task has already paid for {_told(record)}, but its request, connection or host is another one now"
        f" (the DAG, its templates or the mapped list changed between the tries). {way} to submit the new request and"
        " pay for it."
    )


def _told(record: SubmitRecord) -> str:
    if record.request_id is None:
        return f"an attempt to submit {record.model} at {record.intent_at}, of unknown outcome"
    return f"video {record.request_id} ({record.model}, submitted at {record.submitted_at} to {record.host})"
