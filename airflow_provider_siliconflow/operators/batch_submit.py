"""One half of a batch: take up what is paid for, and submit what is missing."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_siliconflow.archive.publish import prepare_destination
from airflow_provider_siliconflow.client.retry import FailureKind, Route, classify_failure
from airflow_provider_siliconflow.exceptions import (
    ImageUnavailableError,
    SiliconFlowAuthenticationError,
    SiliconFlowBalanceError,
    SiliconFlowError,
    SiliconFlowPermissionError,
    SubmitConflictError,
    SubmitOutcomeUnknownError,
    SubmitRecordError,
)
from airflow_provider_siliconflow.jobs.batch import BatchItem, ItemState, PendingVideo, Progress
from airflow_provider_siliconflow.jobs.record import SubmitRecord, SubmitStore
from airflow_provider_siliconflow.jobs.submit import ResubmitPolicy, submit_once
from airflow_provider_siliconflow.operators.submit import intent_for, read_request, wait_after

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_siliconflow.hooks.siliconflow import SiliconFlowHook
    from airflow_provider_siliconflow.operators.batch import GenerateVideoBatchOperator

log = logging.getLogger(__name__)

#: Seconds for which a worker tries again at a refused submit before it leaves the waiting to the triggerer.
_PATIENCE = 45.0
#: Seconds between two tries meanwhile: a refused submit costs nothing, and a limit frees places one by one.
_PROBE = 1.0
#: What the account may not do for one request, it may not do for the next.
_FOR_ALL = (SiliconFlowAuthenticationError, SiliconFlowPermissionError, SiliconFlowBalanceError)


class _NotNowError(Exception):
    """Carry the refusal of a submit that is to be tried again later."""

    def __init__(self, error: SiliconFlowError) -> None:
        super().__init__(error)
        self.error = error


class _NothingPaidError(Exception):
    """Signal that there is nothing to take up: the record allows a submit."""


class Submitter:
    """
    Submit the requests of a list; each stands for itself.

    :param task: What the user said.
    :param context: The task's context.
    :param hook: The service.
    :param items: The requests, as :func:`~airflow_provider_siliconflow.jobs.batch.read_items` returns them.
    :param progress: How far they are; taken further.
    :param stores: The record of each request.
    :param folder: Where the videos go.
    """

    def __init__(
        self,
        task: GenerateVideoBatchOperator,
        context: Context,
        hook: SiliconFlowHook,
        items: Sequence[dict[str, Any]],
        progress: Progress,
        stores: Sequence[SubmitStore],
        folder: str,
    ) -> None:
        self._task = task
        self._context = context
        self._hook = hook
        self._items = items
        self._progress = progress
        self._price = hook.settings.price
        self._policy = ResubmitPolicy(task.on_unknown_submit, task.reuse_on_clear, self._price)
        self._stores = stores
        self._folder = folder
        self._unseen: set[str] = set()

    def take_up(self) -> None:
        """
        Take up what tries before this one have paid for.

        Goes before any submit: what stops the submits must not keep a paid video waiting.

        :raises SubmitRecordError: if it cannot be told what was paid for.
        """
        for index in self._missing():
            if self._stores[index].read():
                with suppress(_NothingPaidError):
                    self._submit(index, before_paying=_pay_nothing)

    def submit_missing(self) -> float | None:
        """
        Submit what is neither decided nor under way, for as long as the service takes it.

        :return: Seconds after which to go on, if the service takes no more for now.
        :raises DestinationError: if the videos could not be archived; before anything is paid.
        :raises SubmitRecordError: if it cannot be told what was paid for.
        """
        missing = self._missing()
        if missing:
            prepare_destination(self._folder, owner=None, if_exists=self._task.if_exists)
        patience = time.monotonic() + _PATIENCE
        for index in missing:
            try:
                self._submit_patiently(index, patience)
            except _NotNowError as refusal:
                return self._wait_or_give_up(refusal.error)
            except _FOR_ALL as error:
                self._refuse_missing(str(error))
                return None
        return None

    def unseen(self) -> set[str]:
        """Return the ids of the videos that came under way since this was called last: nobody has looked at them."""
        unseen, self._unseen = self._unseen, set()
        return unseen

    def _missing(self) -> list[int]:
        return self._progress.missing(len(self._items))

    def _submit_patiently(self, index: int, patience: float) -> None:
        while True:
            try:
                return self._submit(index, before_paying=lambda: None)
            except SiliconFlowError as error:
                if classify_failure(Route.SUBMIT, error) is not FailureKind.RETRY:
                    raise
                asked = getattr(error, "retry_after", None) or 0.0
                if time.monotonic() + asked > patience:
                    raise _NotNowError(error) from error
                time.sleep(max(_PROBE, asked))

    def _submit(self, index: int, before_paying: Callable[[], None]) -> None:
        """
        Submit a request, or take up what was paid for; what is wrong with this one alone becomes its row.

        :raises SiliconFlowError: what concerns all, and refusals that pass.
        """
        try:
            asked = self._items[index]
            intent = intent_for(self._context, self._hook, asked)
            make_request = partial(read_request, asked, self._hook.settings.image_folders)
            record = submit_once(self._hook, make_request, self._stores[index], intent, self._policy, before_paying)
        except (SubmitRecordError, *_FOR_ALL):
            raise
        except (SubmitOutcomeUnknownError, SubmitConflictError) as error:
            self._progress.land(BatchItem(index, ItemState.UNKNOWN, reason=str(error), cost=f"perhaps {self._price}"))
        except ImageUnavailableError as error:
            self._progress.land(BatchItem(index, ItemState.NOT_SUBMITTED, reason=str(error)))
        except SiliconFlowError as error:
            if classify_failure(Route.SUBMIT, error) is FailureKind.RETRY:
                raise
            self._progress.land(BatchItem(index, ItemState.REJECTED, reason=str(error)))
        else:
            self._take_off(index, record)

    def _take_off(self, index: int, record: SubmitRecord) -> None:
        assert record.request_id
        assert record.submitted
        progress, now = self._progress, time.time()
        progress.pending[index] = PendingVideo(record.request_id, record.submitted, record.model, record.trace_id)
        self._unseen.add(record.request_id)
        progress.accepted_at, progress.refusals, progress.deadline = now, 0, now + self._task.timeout

    def _wait_or_give_up(self, error: SiliconFlowError) -> float | None:
        progress, timeout = self._progress, self._task.submit_timeout
        progress.refusals += 1
        wait = wait_after(progress.refusals, asked=getattr(error, "retry_after", None))
        refused_for = time.time() - progress.accepted_at
        if refused_for + wait <= timeout:
            log.warning("Refused for now: %s Tries again in %.0f s.", error, wait)
            return wait
        self._refuse_missing(f"Refused for {refused_for:.0f} s (submit_timeout is {timeout:.0f} s). Last: {error}")
        return None

    def _refuse_missing(self, reason: str) -> None:
        """Give the reason once: it travels with each deferral."""
        first, *others = self._missing()
        self._progress.land(BatchItem(first, ItemState.REJECTED, reason=reason))
        for index in others:
            self._progress.land(
                BatchItem(index, ItemState.REJECTED, reason=f"Not submitted, for the reason of request {first}.")
            )


def _pay_nothing() -> None:
    raise _NothingPaidError
