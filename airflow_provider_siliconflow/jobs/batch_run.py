"""A batch in one process: the list of its try with a job for each request, its submits, and its archiving."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from airflow_provider_siliconflow._airflow.names import AirflowSkipException
from airflow_provider_siliconflow.billing import Billing
from airflow_provider_siliconflow.client.prices import UNKNOWN_PRICE
from airflow_provider_siliconflow.exceptions import (
    SiliconFlowError,
)
from airflow_provider_siliconflow.jobs.batch import BatchItem, BatchState, ItemState, manifest
from airflow_provider_siliconflow.jobs.batch_end import describe_pending, failure_of
from airflow_provider_siliconflow.jobs.labels import check_label
from airflow_provider_siliconflow.jobs.reattach import unknown_sentence

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_provider_siliconflow.jobs.batch_archive import Archiver
    from airflow_provider_siliconflow.jobs.batch_list import ListedRequest
    from airflow_provider_siliconflow.jobs.batch_records import BatchRecords
    from airflow_provider_siliconflow.jobs.batch_submit import Submitter
    from airflow_provider_siliconflow.jobs.reattach import ResubmitPolicy
    from airflow_provider_siliconflow.jobs.target import Target
    from airflow_provider_siliconflow.jobs.video_job import VideoJob
    from airflow_provider_siliconflow.spend_limit import SpendLimit

log = logging.getLogger(__name__)

#: Seconds for which a triggerer whose clock is ahead may not end a wait without a video.
_MAX_MIN_WAIT = 120.0


@dataclass(frozen=True)
class BatchOrder:
    """
    What the user asked for.

    :param requests: The list as it renders now.
    :param defaults: Fields for requests that do not say.
    :param target: The folder, and what to do about what is in it.
    :param policy: What the user said about paying again.
    :param timeout: Seconds to wait for the videos after the last submit.
    :param poke_interval: Seconds between two polls of a video; None for the default.
    :param spend_limit: The task's own limit, besides that of the connection.
    """

    requests: Any
    defaults: Mapping[str, Any]
    target: Target
    policy: ResubmitPolicy
    timeout: float
    poke_interval: float | None = None
    spend_limit: SpendLimit | None = None


@dataclass
class BatchRun:
    """
    A list of videos, as one process of a task works on it.

    :param order: What the user asked for.
    :param requests: The list of this try.
    :param jobs: The job of each request.
    :param state: How far they are.
    :param submitter: The submits.
    :param archiver: The polls and downloads.
    :param records: What is told of each video.
    """

    order: BatchOrder
    requests: Sequence[ListedRequest]
    jobs: Sequence[VideoJob]
    state: BatchState
    submitter: Submitter
    archiver: Archiver
    records: BatchRecords
    #: What is wrong with the arguments of a try that had paid before that was found; empty if nothing is.
    problem: str = ""

    @property
    def policy(self) -> ResubmitPolicy:
        """Return what the user said about paying again, with what each of the videos costs where that is the same."""
        prices = {job.policy.price for job in self.jobs}
        price = prices.pop() if len(prices) == 1 else UNKNOWN_PRICE
        return replace(self.order.policy, price=price)

    @property
    def withdrawn(self) -> list[int]:
        """Return the indexes of what earlier tries have paid for and the list asks for no more."""
        return [index for index, request in enumerate(self.requests) if request.is_withdrawn]

    def advance(self) -> float | None:
        """
        Submit what is missing, and archive what is ready by then.

        :return: Epoch seconds at which to submit again, if the service accepts no more for now.
        :raises DestinationError: if the videos could not be archived; nothing more is paid for then.
        :raises SiliconFlowError: if nothing more can be submitted; it says what happened to the money so far.
        """
        try:
            wait = self._submit_missing()
        except SiliconFlowError as error:
            self.records.push_changed()
            if self.state.pending or self.state.items:
                raise SiliconFlowError(f"{error} {self.describe()}") from error
            if error.billing is None:
                # It came before the first submit, such as a destination that cannot be used.
                error.with_billing(Billing.NOT_SUBMITTED)
            raise
        submit_at = None if wait is None else time.time() + wait
        self.archiver.archive_ended(self.submitter.take_unpolled())
        self.records.push_changed()
        return submit_at

    def wait_in_worker(self, until: float | None = None) -> None:
        """
        Poll and archive, holding the worker, until no video is pending or a time has come.

        :param until: Epoch seconds; None to continue until no video is pending.
        """
        while self.state.pending if until is None else time.time() < until:
            self.archiver.archive_at_next_poll(self.order.poke_interval, until)
            self.records.push_changed()

    def _submit_missing(self) -> float | None:
        """Submit, unless an argument is wrong; return the seconds after which to submit again, if any are left."""
        missing = self.state.missing(len(self.requests))
        if not missing:
            return None
        if not self.problem:
            check_label(self.jobs[0].hook, self.order.target.label)
            self.order.target.prepare(self.jobs[0].hook.settings.store_timeout)
            self._stop_dry_run(missing)
            return self.submitter.submit_missing()
        self.leave_unsubmitted(self.problem)
        return None

    def _stop_dry_run(self, missing: Sequence[int]) -> None:
        guard = self.jobs[0].guard
        if guard.is_dry_run:
            told = guard.count_dry_run([self.jobs[index].submit_name for index in missing])
            raise AirflowSkipException(f"{told} {self.describe()}".rstrip())

    def leave_unsubmitted(self, reason: str) -> None:
        """
        Give up on the requests of which nothing is decided.

        :param reason: Why they are not submitted.
        """
        for index in self.state.missing(len(self.requests)):
            self.state.complete(BatchItem(index, ItemState.NOT_SUBMITTED, Billing.NOT_SUBMITTED, reason=reason))

    def wake_at(self, submit_at: float | None) -> float:
        """
        Return when a deferred wait ends at the latest, in epoch seconds.

        :param submit_at: Epoch seconds at which to submit again, if anything is left to submit.
        :return: The time.
        """
        ends = [self.state.deadline] if self.state.pending else []
        return min(ends if submit_at is None else [*ends, submit_at])

    def wait_arguments(self, wake_at: float, now: float) -> dict[str, Any]:
        """
        Return the arguments of a :class:`.VideoBatchTrigger` that waits for the pending videos.

        :param wake_at: Epoch seconds at which it fires in any case.
        :param now: Epoch seconds.
        :return: Keyword arguments, plain JSON.
        """
        models = {video.model for video in self.state.pending.values()}
        return {
            "videos": {video.request_id: video.times() for video in self.state.pending.values()},
            "deadline": self.state.deadline,
            "wake_at": wake_at,
            "state": self.state.to_json(),
            "poke_interval": self.order.poke_interval,
            "model": models.pop() if len(models) == 1 else None,
            # Whatever the triggerer's clock says; a video that gets ready meanwhile is not held up.
            "min_wait": min(max(wake_at - now, 0.0), _MAX_MIN_WAIT),
        }

    def end(self, *, has_retry: bool, fail_on_partial_error: bool) -> tuple[dict[str, Any], SiliconFlowError | None]:
        """
        Tell what became of each request.

        :param has_retry: Whether Airflow retries the task.
        :param fail_on_partial_error: Whether any request that is not archived fails the task.
        :return: The manifest, and the error with which the task fails, if it does.
        """
        self.records.push_changed()
        items = self.state.items
        for item in items:
            if item.state is not ItemState.ARCHIVED:
                log.error("Request %s: %s: %s", item.index, item.state.value, item.reason)
        error = failure_of(
            items,
            withdrawn=self.withdrawn,
            policy=self.policy,
            has_retry=has_retry,
            fail_on_partial_error=fail_on_partial_error,
        )
        return manifest(items, [job.policy.price for job in self.jobs]), error

    def describe(self) -> str:
        """
        Return what happened to the money so far, for a task that ends before its videos are ready.

        :return: The sentences.
        """
        told = describe_pending(self.state, self.policy)
        if any(job.is_submitting for job in self.jobs):
            unknown = unknown_sentence(self.policy)
            return f"A submit is under way: {unknown} {told}"
        return told
