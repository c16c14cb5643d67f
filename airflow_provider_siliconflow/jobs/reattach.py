"""How a retry avoids paying twice: what the record of the tries before allows. Decides, without I/O."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Literal

from airflow_provider_siliconflow.billing import Billing, NextStep, sentence
from airflow_provider_siliconflow.client.masking import mask_text
from airflow_provider_siliconflow.client.prices import UNKNOWN_PRICE, Price
from airflow_provider_siliconflow.exceptions import (
    SiliconFlowError,
    SubmitConflictError,
    SubmitOutcomeUnknownError,
)

if TYPE_CHECKING:
    from airflow_provider_siliconflow.jobs.record import SubmitRecord

log = logging.getLogger(__name__)

OnUnknownSubmit = Literal["fail", "resubmit"]


class Decision(Enum):
    """What a try may do about a video."""

    SUBMIT = "submit"
    REATTACH = "reattach"


@dataclass(frozen=True)
class ResubmitPolicy:
    """
    What the user said about paying again.

    :param on_unknown_submit: What to do where submitting may pay for the same video twice.
    :param reuse_on_clear: Whether a cleared task re-attaches to the video it has paid for.
    :param price: What one video costs.
    :param clear_deletes_record: Whether a clear deletes the record unless the user says otherwise (Airflow 3.4 and
        later), so that a record which survived one was kept on purpose.
    """

    on_unknown_submit: OnUnknownSubmit = "fail"
    reuse_on_clear: bool = False
    price: Price = UNKNOWN_PRICE
    clear_deletes_record: bool = False

    @property
    def resubmits(self) -> bool:
        """Return whether the user consented to pay twice; any other word than the one that says so is no consent."""
        return self.on_unknown_submit == "resubmit"

    def pays_again(self, recorded: int | None, max_tries: int) -> bool:
        """
        Return whether the task was cleared since a record was written, and the user consented to pay again by that.

        :param recorded: ``max_tries`` of the task instance when it was written; None if that is not known.
        :param max_tries: Of the task instance now. A clear raises it; no retry does, nor what a dead scheduler leaves
            behind. Airflow may hand a task that was cleared as it ran on as a retry: it re-attaches, which is free.
        :return: Whether it may submit anew whatever is on record.
        """
        return recorded not in (None, max_tries) and not (self.reuse_on_clear or self.clear_deletes_record)

    @property
    def consent(self) -> str:
        """Return what a person does to pay again, for a sentence that continues with "to"."""
        return "Set on_unknown_submit='resubmit' for the next try" if self.reuse_on_clear else "Clear the task"

    @property
    def after_unknown(self) -> NextStep:
        """Return what happens next to a submit whose outcome is unknown."""
        if self.resubmits:
            return NextStep.RESUBMIT
        return NextStep.CONSENT if self.reuse_on_clear else NextStep.CLEAR

    @property
    def after_accepted(self) -> NextStep:
        """Return what happens next to a video that is on record."""
        return NextStep.REATTACH_ALWAYS if self.reuse_on_clear else NextStep.REATTACH


def decide(record: SubmitRecord | None, intent: SubmitRecord, policy: ResubmitPolicy) -> Decision:
    """
    Decide what a try may do, given the record of the tries before it.

    :param record: What is on record; None only if it is certain that nothing is.
    :param intent: What this try is about to submit.
    :param policy: What the user said about paying again.
    :return: Whether to submit or to re-attach.
    :raises SubmitOutcomeUnknownError: if a submit may have been accepted, and the policy is to fail.
    :raises SubmitConflictError: if another request was paid for, and the policy is to fail.
    """
    if record is None or record.closed:
        return Decision.SUBMIT
    if policy.pays_again(record.max_tries, intent.max_tries):
        log.warning(
            "The task was cleared: it submits anew and pays %s again. On record was %s.", policy.price, _named(record)
        )
        return Decision.SUBMIT
    if record.request_id and record.fingerprint == intent.fingerprint:
        return Decision.REATTACH
    error = _conflict(record, policy) if record.request_id else _unknown(record, policy)
    if not policy.resubmits:
        raise error
    log.warning("%s on_unknown_submit='resubmit' says to submit anew, for %s.", error.message, policy.price)
    return Decision.SUBMIT


def reattach(record: SubmitRecord | None, intent: SubmitRecord, policy: ResubmitPolicy) -> SubmitRecord | None:
    """
    Return the record of the video that a try re-attaches to, or None if it may submit.

    :param record: What is on record; None only if it is certain that nothing is.
    :param intent: What this try is about to submit.
    :param policy: What the user said about paying again.
    :return: The record, with its request id; or None.
    :raises SubmitOutcomeUnknownError: if a submit may have been accepted, and the policy is to fail.
    :raises SubmitConflictError: if another request was paid for, and the policy is to fail.
    """
    if record is None or decide(record, intent, policy) is Decision.SUBMIT:
        return None
    log.info("Re-attaches to %s; nothing is submitted or paid again.", _named(record))
    return record


def _unknown(record: SubmitRecord, policy: ResubmitPolicy) -> SubmitOutcomeUnknownError:
    return SubmitOutcomeUnknownError(
        describe_lost(record),
        host=record.host,
        model=record.model,
        next_step=policy.after_unknown,
        price=str(policy.price),
    )


def describe_lost(record: SubmitRecord | None) -> str:
    """
    Say that an earlier try ended in the middle of a submit.

    :param record: Its intent; None if it is not known which it was.
    :return: A sentence.
    """
    told = f"{record.model} to {record.host} at {record.intent_at}" if record else "this request"
    return f"An earlier try was about to submit {told} and ended before it could write down the answer."


def _conflict(record: SubmitRecord, policy: ResubmitPolicy) -> SubmitConflictError:
    return SubmitConflictError(
        f"This task has already paid for {_named(record)}, but its request, connection or host is another one now (the"
        f" DAG, its templates or the mapped list changed between the tries). {policy.consent} to submit the new request"
        f" and pay {policy.price} for it.",
        billing=Billing.RUNNING,
        request_id=record.request_id,
    )


def _named(record: SubmitRecord) -> str:
    if record.request_id is None:
        return f"an attempt to submit {record.model} at {record.intent_at}, of unknown outcome"
    return f"video {record.request_id} ({record.model}, submitted at {record.submitted_at} to {record.host})"


def explain_invalid(error: Exception, record: SubmitRecord | None, max_tries: int, policy: ResubmitPolicy) -> Exception:
    """
    Return the error for a task whose arguments or connection cannot be used, though an earlier try may have paid.

    :param error: What is wrong.
    :param record: What is on record.
    :param max_tries: The task instance's.
    :param policy: What the user said about paying again.
    :return: The error itself where nothing is on record; else one that Airflow retries and that names the video.
    """
    if record is None or record.closed or policy.pays_again(record.max_tries, max_tries):
        if isinstance(error, SiliconFlowError) and record is None:
            error.with_billing(Billing.NOT_SUBMITTED)
        return error
    message = error.message if isinstance(error, SiliconFlowError) else mask_text(str(error))
    billing = Billing.RUNNING if record.request_id else Billing.UNKNOWN
    step = policy.after_accepted if record.request_id else policy.after_unknown
    return SiliconFlowError(message, billing=billing, request_id=record.request_id, next_step=step)


def unknown_sentence(policy: ResubmitPolicy) -> str:
    """
    Return what a try says that ends in the middle of a submit.

    :param policy: What the user said about paying again.
    :return: Sentences about the bill.
    """
    return sentence(Billing.UNKNOWN, next_step=policy.after_unknown, price=str(policy.price))
