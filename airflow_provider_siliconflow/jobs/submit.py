"""Submit a video, in the order that loses no paid one: write the intent, send one POST, write the request id."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from airflow_provider_siliconflow import metrics
from airflow_provider_siliconflow.billing import Billing, NextStep
from airflow_provider_siliconflow.exceptions import (
    SiliconFlowError,
    SubmitOutcomeUnknownError,
    SubmitRecordError,
)
from airflow_provider_siliconflow.jobs.reattach import ResubmitPolicy, unknown_sentence
from airflow_provider_siliconflow.jobs.record import SubmitRecord, SubmitStore, now

if TYPE_CHECKING:
    from airflow_provider_siliconflow.client.models import VideoRequest
    from airflow_provider_siliconflow.hooks.siliconflow import SiliconFlowHook

log = logging.getLogger(__name__)


def submit(
    hook: SiliconFlowHook,
    request: VideoRequest,
    store: SubmitStore,
    intent: SubmitRecord,
    policy: ResubmitPolicy,
    before: SubmitRecord | None = None,
) -> tuple[SubmitRecord, bool]:
    """
    Submit a video: write the intent, send one POST, write the request id.

    :param hook: The service.
    :param request: What to send.
    :param store: Where the record is kept.
    :param intent: The record to write first.
    :param policy: What the user said about paying again.
    :param before: The record that the intent replaces, if there is one; its request ids stay in the new one.
    :return: The record with its request id, and whether it could be written.
    :raises SubmitOutcomeUnknownError: if the answer is lost: a video may be running and billed.
    :raises SubmitRecordError: if the intent cannot be written; nothing is sent then.
    :raises SiliconFlowError: if it is proven that no video came of it.
    """
    if before:
        intent = intent.model_copy(update={"earlier_ids": before.all_ids()})
    try:
        store.write(intent)
    except SubmitRecordError as error:
        # Nothing was sent: what a store has taken of it all the same must not count as a submit.
        store.forget(before)
        error.with_billing(Billing.NOT_SUBMITTED, next_step=NextStep.SUBMIT)
        raise
    log.info("Submits a video of %s to %s: %s.", intent.model, intent.host, policy.price.described)
    try:
        submitted = hook.submit_video(request, attempts=1)
    except SiliconFlowError as error:
        # Only what is proven not to be billed leaves no record: all else is unknown, whatever its class.
        if error.billing in (Billing.NOT_SUBMITTED, Billing.REJECTED):
            store.forget(before)
            raise
        raise _lost(error, intent, policy) from error
    except Exception as error:
        raise _lost(error, intent, policy) from error
    except BaseException:
        # A time-out of the task, a signal: nothing else may ever say what happened to the money.
        log.error("The try ends in the middle of a submit. %s", unknown_sentence(policy))
        raise
    # Before it is written, so that the log has the request id whatever happens next.
    log.info("Video %s is submitted (%s, trace id %s).", submitted.request_id, submitted.host, submitted.trace_id)
    metrics.submitted()
    made = intent.with_id(submitted.request_id, trace_id=submitted.trace_id)
    return made, _written(store, made)


def _written(store: SubmitStore, made: SubmitRecord) -> bool:
    try:
        store.write(made)
    except SubmitRecordError:
        # The request id is not lost while this try runs, so it continues.
        log.exception("Video %s is paid for, but this try alone knows its request id.", made.request_id)
        return False
    except BaseException:
        # A time-out of the task that came in between: the next try must know the request id.
        store.keep(made)
        raise
    return True


def _lost(error: BaseException | None, intent: SubmitRecord, policy: ResubmitPolicy) -> SiliconFlowError:
    # The hook's own error tells the same without the times; what it was raised from tells the cause.
    cause = (error.__cause__ or error) if isinstance(error, SubmitOutcomeUnknownError) else error
    sent = f"A submit of {intent.model} was sent to {intent.host} between {intent.intent_at} and {now()}"
    message = f"{sent}, and whether it was accepted is not known. {cause or ''}".rstrip()
    if policy.resubmits:
        # Not of the class that Airflow never retries: it takes a retry to submit anew.
        return SiliconFlowError(message, billing=Billing.UNKNOWN, next_step=NextStep.RESUBMIT, price=str(policy.price))
    return SubmitOutcomeUnknownError(
        message,
        host=intent.host,
        model=intent.model,
        trace_id=getattr(error, "trace_id", None),
        next_step=policy.after_unknown,
        price=str(policy.price),
    )
