"""The submits of a batch: re-attach to what is paid for, and submit what is missing."""

from __future__ import annotations

import logging
import time
from functools import partial
from typing import TYPE_CHECKING

from airflow_provider_siliconflow import metrics
from airflow_provider_siliconflow._airflow.names import AirflowNotFoundException
from airflow_provider_siliconflow.billing import Billing, NextStep
from airflow_provider_siliconflow.client.masking import mask_text
from airflow_provider_siliconflow.client.retry import FailureKind, Route, classify_failure
from airflow_provider_siliconflow.exceptions import (
    ImageUnavailableError,
    SiliconFlowConfigError,
    SiliconFlowError,
    SpendLimitError,
    SubmitConflictError,
    SubmitRecordError,
    SubmitRejectedError,
)
from airflow_provider_siliconflow.jobs.batch import BatchItem, BatchState, ItemState, PendingVideo
from airflow_provider_siliconflow.jobs.reattach import describe_lost
from airflow_provider_siliconflow.polling.decision import ACCOUNT_ERRORS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from airflow_provider_siliconflow.jobs.batch_list import ListedRequest
    from airflow_provider_siliconflow.jobs.video_job import VideoJob

log = logging.getLogger(__name__)

#: Seconds for which a worker tries again at a rejected submit before it leaves the waiting to the triggerer.
SUBMIT_PATIENCE = 45.0
#: Seconds between two tries meanwhile: a rejected submit costs nothing, and a limit frees slots one by one.
_PAUSE = 1.0
#: Errors of an Airflow connection that cannot be read or used.
_CONNECTION = (SiliconFlowConfigError, AirflowNotFoundException)

_WITHDRAWN = (
    "Not submitted: the list renders differently than in an earlier try, which has paid for videos that it asks for no"
    " more."
)


class Submitter:
    """
    The submits of a list; what is wrong with one request concerns no other.

    :param requests: The list of this try.
    :param jobs: The job of each request.
    :param state: How far they are; updated.
    :param timeout: Seconds to wait for the videos after the last submit.
    :param give_up_or_wait: Returns the seconds after which a rejected submit is tried again, or raises
        :class:`SubmitRejectedError`.
    :param tell: Called when a video became pending.
    """

    def __init__(
        self,
        requests: Sequence[ListedRequest],
        jobs: Sequence[VideoJob],
        state: BatchState,
        timeout: float,
        give_up_or_wait: Callable[..., float],
        tell: Callable[[], None],
    ) -> None:
        self._requests = requests
        self._jobs = jobs
        self._state = state
        self._timeout = timeout
        self._give_up_or_wait = give_up_or_wait
        self._tell = tell
        self._unpolled: set[str] = set()
        #: Whether the last submit was stopped by a spend limit that resets.
        self.waits_for_slot = False

    def reattach(self) -> None:
        """
        Re-attach to what earlier tries have paid for.

        Goes before any submit: what stops the submits must not keep a paid video waiting.

        :raises SubmitRecordError: if it cannot be told what was paid for.
        """
        for index in self._missing():
            request, job = self._requests[index], self._jobs[index]
            if request.is_withdrawn:
                self._reattach_withdrawn(index, job)
            elif request.problem:
                self._reattach_changed(index, job)
            else:
                self._attempt(index, partial(self._reattach, index, job))

    def submit_missing(self) -> float | None:
        """
        Submit what is neither decided nor pending, for as long as the service accepts it.

        :return: Seconds after which to continue, if the service accepts no more for now.
        :raises SubmitRecordError: if it cannot be told what was paid for.
        """
        patience, self.waits_for_slot = time.monotonic() + SUBMIT_PATIENCE, False
        for index in self._missing():
            request = self._requests[index]
            if request.problem or request.is_new:
                state = ItemState.REJECTED if request.problem else ItemState.NOT_SUBMITTED
                reason = request.problem or _WITHDRAWN
                self._state.complete(BatchItem(index, state, Billing.NOT_SUBMITTED, reason=reason))
                continue
            try:
                if rejection := self._submit_patiently(index, patience):
                    return self._wait_or_give_up(rejection)
            except SpendLimitError as error:
                if error.resume_at:
                    self.waits_for_slot = True
                    # Rejections are counted anew then: a wait for a slot is no time of theirs.
                    self._state.accepted_at, self._state.rejections = error.resume_at.timestamp(), 0
                    return max(0.0, self._state.accepted_at - time.time())
                self._complete_missing(ItemState.NOT_SUBMITTED, error)
                return None
            except ACCOUNT_ERRORS as error:
                self._complete_missing(ItemState.REJECTED, error)
                return None
            except _CONNECTION as error:
                # Airflow reports an outage of its database, vault or API in this way.
                told = SiliconFlowError(mask_text(str(error)), billing=Billing.NOT_SUBMITTED, next_step=NextStep.SUBMIT)
                self._complete_missing(ItemState.NOT_SUBMITTED, told)
                return None
        return None

    def take_unpolled(self) -> set[str]:
        """
        Forget which videos nobody has polled yet.

        :return: The request ids that became pending since this was called last.
        """
        unpolled, self._unpolled = self._unpolled, set()
        return unpolled

    def _missing(self) -> list[int]:
        return self._state.missing(len(self._requests))

    def _submit_patiently(self, index: int, patience: float) -> SiliconFlowError | None:
        """Submit a request; return the rejection where the service accepts nothing for longer than is worth a slot."""
        while True:
            if (rejection := self._submit(index)) is None:
                return None
            asked = getattr(rejection, "retry_after", None) or 0.0
            if time.monotonic() + asked > patience:
                return rejection
            metrics.submit_retried()
            time.sleep(max(_PAUSE, asked))

    def _submit(self, index: int) -> SiliconFlowError | None:
        """Submit a request, or re-attach to its video; return the error of a temporary rejection."""
        job = self._jobs[index]

        def submit() -> None:
            if not job.reattach():
                job.read_request()
                job.submit()
            self._track(index, job)

        return self._attempt(index, submit)

    def _attempt(self, index: int, step: Callable[[], object]) -> SiliconFlowError | None:
        """
        Take a step for one request; an error of this one alone becomes its item.

        :return: A temporary rejection.
        :raises SiliconFlowError: an error that concerns all requests.
        """
        try:
            step()
        except (SubmitRecordError, SpendLimitError, *_CONNECTION, *ACCOUNT_ERRORS):
            raise
        except SubmitConflictError as error:
            self._state.complete(BatchItem.of_error(index, ItemState.RUNNING, error))
        except ImageUnavailableError as error:
            self._state.complete(BatchItem.of_error(index, ItemState.NOT_SUBMITTED, error))
        except SiliconFlowError as error:
            if error.billing is Billing.RUNNING and error.request_id:
                # It is paid for, and the connection alone is away: it is polled until that is back.
                self._jobs[index].adopt(error.request_id)
                self._track(index, self._jobs[index])
            elif error.billing is Billing.UNKNOWN:
                self._state.complete(BatchItem.of_error(index, ItemState.UNKNOWN, error))
            elif classify_failure(Route.SUBMIT, error) is FailureKind.RETRY:
                return error
            else:
                self._state.complete(BatchItem.of_error(index, ItemState.REJECTED, error))
        return None

    def _reattach(self, index: int, job: VideoJob) -> None:
        try:
            if job.reattach():
                self._track(index, job)
        except _CONNECTION as error:
            # Nothing is on record for it, so there is nothing to re-attach to.
            log.warning("The connection cannot be used now: %s", error)

    def _reattach_changed(self, index: int, job: VideoJob) -> None:
        """Re-attach to a request that cannot be read any more, such as one whose image was too long to be kept."""
        record = job.store.read()
        if record and not record.closed and not job.policy.pays_again(record.max_tries, job.max_tries):
            self._reattach_withdrawn(index, job)

    def _reattach_withdrawn(self, index: int, job: VideoJob) -> None:
        record = job.store.read()
        if record and record.request_id:
            job.adopt(record.request_id)
            self._track(index, job)
            return
        prompt = f" (its prompt: {record.prompt[:60]!r})" if record and record.prompt else ""
        reason = f"{describe_lost(record)} The list asks for it no more{prompt}."
        self._state.complete(BatchItem(index, ItemState.UNKNOWN, Billing.UNKNOWN, reason=reason))

    def _track(self, index: int, job: VideoJob) -> None:
        assert job.record
        state, now = self._state, time.time()
        submitted_at = job.record.submitted
        state.pending[index] = PendingVideo(
            job.request_id,
            now if submitted_at is None else submitted_at,
            job.record.model,
            is_recorded=job.is_recorded,
        )
        self._unpolled.add(job.request_id)
        state.accepted_at, state.rejections, state.deadline = now, 0, now + self._timeout
        self._tell()

    def _wait_or_give_up(self, error: SiliconFlowError) -> float | None:
        state = self._state
        state.rejections += 1
        try:
            return self._give_up_or_wait(error, since=state.accepted_at, rejections=state.rejections)
        except SubmitRejectedError as gone:
            self._complete_missing(ItemState.REJECTED, gone)
            return None

    def _complete_missing(self, state: ItemState, error: SiliconFlowError) -> None:
        """Note what became of the first that is missing; the others were never sent. The reason travels once."""
        first, *others = self._missing()
        self._state.complete(BatchItem.of_error(first, state, error))
        for index in others:
            reason = f"Not submitted, for the reason of request {first}."
            self._state.complete(BatchItem(index, ItemState.NOT_SUBMITTED, Billing.NOT_SUBMITTED, reason=reason))
