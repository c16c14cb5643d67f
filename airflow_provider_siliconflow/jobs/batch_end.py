"""How a batch ends: it fails rather than leave out a video that may be billed and is not archived. No I/O."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from airflow_provider_siliconflow.billing import Billing, NextStep, sentence
from airflow_provider_siliconflow.exceptions import (
    SiliconFlowError,
    SubmitConflictError,
    SubmitOutcomeUnknownError,
    VideoNotArchivedError,
    VideoTimeoutError,
)
from airflow_provider_siliconflow.jobs.batch import BatchItem, BatchState, ItemState

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from airflow_provider_siliconflow.jobs.reattach import ResubmitPolicy

_UNDONE = (ItemState.TIMED_OUT, ItemState.NOT_ARCHIVED)


def failure_of(
    items: Sequence[BatchItem],
    *,
    withdrawn: Collection[int],
    policy: ResubmitPolicy,
    has_retry: bool,
    fail_on_partial_error: bool,
) -> SiliconFlowError | None:
    """
    Return the error with which a batch ends, or None if it succeeds.

    What a retry can still archive or submit comes first, since it is Airflow that retries.

    :param items: What became of each request.
    :param withdrawn: Indexes of what earlier tries have paid for and the list asks for no more.
    :param policy: What the user said about paying again.
    :param has_retry: Whether Airflow retries the task.
    :param fail_on_partial_error: Whether any request that is not archived fails the task.
    :return: The error, with its billing where it is the same for all.
    """
    archived = sum(item.state is ItemState.ARCHIVED for item in items)
    told = f"{archived} of {len(items)} videos are archived"
    undone = [item for item in items if item.state is not ItemState.ARCHIVED]
    if pending := [item for item in undone if item.state in _UNDONE]:
        return _not_archived(pending, told, policy)
    if withdrawn and not policy.resubmits:
        return _conflict(items, withdrawn, told, policy)
    if has_retry and (put_off := [item for item in undone if item.state is ItemState.NOT_SUBMITTED]):
        # Without a billing: the others of the list are billed.
        return SiliconFlowError(
            f"{told}; {len(put_off)} requests were not submitted and cost nothing, a retry submits them. The first:"
            f" {_first(put_off)}"
        )
    if unknown := [item for item in undone if item.state is ItemState.UNKNOWN]:
        return _unknown(unknown, told, policy, has_retry=has_retry)
    if running := [item for item in undone if item.state is ItemState.RUNNING]:
        return _paid_elsewhere(running, told)
    if undone and (fail_on_partial_error or not archived):
        return _partial(undone, told)
    return None


def describe_pending(state: BatchState, policy: ResubmitPolicy) -> str:
    """
    Return what happened to the money of a list so far, for a task that ends before its videos are ready.

    :param state: How far the list is.
    :param policy: What the user said about paying again.
    :return: The sentences.
    """
    archived = sum(item.state is ItemState.ARCHIVED for item in state.items)
    told = f"{archived} videos are archived, {len(state.pending)} are pending."
    if not state.pending:
        return told
    ids = state.request_ids()
    return f"{told} {sentence(Billing.RUNNING, request_ids=ids, next_step=policy.after_accepted)}"


def _not_archived(pending: Sequence[BatchItem], told: str, policy: ResubmitPolicy) -> SiliconFlowError:
    is_late = any(item.state is ItemState.TIMED_OUT for item in pending)
    ids = [item.request_id for item in pending if item.request_id]
    return (VideoTimeoutError if is_late else VideoNotArchivedError)(
        f"{told}; {len(pending)} are paid for and not archived yet ({', '.join(ids)}). The first: {_first(pending)}",
        billing=Billing.RUNNING,
        request_id=ids[0] if len(ids) == 1 else None,
        next_step=policy.after_accepted,
    )


def _conflict(
    items: Sequence[BatchItem], withdrawn: Collection[int], told: str, policy: ResubmitPolicy
) -> SubmitConflictError:
    ids = [item.request_id for item in items if item.index in withdrawn and item.request_id]
    not_submitted = sum(item.state is ItemState.NOT_SUBMITTED for item in items)
    return SubmitConflictError(
        f"{told}. This task has already paid for {len(withdrawn)} videos that its list asks for no more"
        f" ({', '.join(ids) or 'of unknown request ids'}); they are among the archived where they were ready. The list"
        f" renders differently with each try, or changed between the tries, so {not_submitted} requests that are new in"
        f" it were not submitted. {policy.consent} to submit the list as it is now and pay {policy.price} for each."
    )


def _paid_elsewhere(running: Sequence[BatchItem], told: str) -> SubmitConflictError:
    ids = ", ".join(str(item.request_id) for item in running)
    return SubmitConflictError(
        f"{told}; {len(running)} are paid for with another connection or host and cannot be reached with this one"
        f" ({ids}). The first: {_first(running)}"
    )


def _partial(undone: Sequence[BatchItem], told: str) -> SiliconFlowError:
    counts = Counter(item.state for item in undone)
    free = counts[ItemState.REJECTED] + counts[ItemState.NOT_SUBMITTED]
    return SiliconFlowError(
        f"{told}: {counts[ItemState.FAILED]} failed at the service, {free} were rejected or not submitted and cost"
        f" nothing. The first: {_first(undone)}"
    )


def _unknown(unknown: Sequence[BatchItem], told: str, policy: ResubmitPolicy, *, has_retry: bool) -> SiliconFlowError:
    message = f"{told}; of {len(unknown)} submits the outcome is not known. The first: {_first(unknown)}"
    if policy.resubmits and has_retry:
        return SiliconFlowError(message, billing=Billing.UNKNOWN, next_step=NextStep.RESUBMIT, price=str(policy.price))
    step = NextStep.CONSENT if policy.reuse_on_clear else NextStep.CLEAR
    return SubmitOutcomeUnknownError(message, next_step=step, price=str(policy.price))


def _first(items: Sequence[BatchItem]) -> str:
    return min(items, key=lambda item: item.index).reason
