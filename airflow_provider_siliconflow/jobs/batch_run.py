"""One process's part in a batch: the list of its try, the jobs of its requests, and both halves of the work."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

from airflow_provider_siliconflow._airflow.names import AirflowNotFoundException, AirflowSkipException
from airflow_provider_siliconflow.billing import Billing
from airflow_provider_siliconflow.exceptions import (
    InvalidVideoRequestError,
    SiliconFlowConfigError,
    SiliconFlowError,
)
from airflow_provider_siliconflow.jobs.batch import BatchItem, BatchState, ItemState
from airflow_provider_siliconflow.jobs.batch_archive import Archiver
from airflow_provider_siliconflow.jobs.batch_end import describe_pending
from airflow_provider_siliconflow.jobs.batch_list import ListedRequest, ListStore, read_requests
from airflow_provider_siliconflow.jobs.batch_records import BatchRecords
from airflow_provider_siliconflow.jobs.batch_submit import Submitter
from airflow_provider_siliconflow.jobs.labels import check_label
from airflow_provider_siliconflow.jobs.reattach import explain_invalid, unknown_sentence
from airflow_provider_siliconflow.jobs.store import find_stores
from airflow_provider_siliconflow.jobs.video_facts import origin_of
from airflow_provider_siliconflow.jobs.video_job import VideoJob

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from airflow.sdk import Context

    from airflow_provider_siliconflow.hooks.siliconflow import SiliconFlowHook
    from airflow_provider_siliconflow.jobs.reattach import ResubmitPolicy
    from airflow_provider_siliconflow.jobs.target import Target
    from airflow_provider_siliconflow.spend_limit import SpendLimit


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
        """Return what the user said about paying again."""
        return self.order.policy

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
        for index in missing:
            item = BatchItem(index, ItemState.NOT_SUBMITTED, Billing.NOT_SUBMITTED, reason=self.problem)
            self.state.complete(item)
        return None

    def _stop_dry_run(self, missing: Sequence[int]) -> None:
        guard = self.jobs[0].guard
        if guard.is_dry_run:
            told = guard.count_dry_run([self.jobs[index].submit_name for index in missing])
            raise AirflowSkipException(f"{told} {self.describe()}".rstrip())

    def describe(self) -> str:
        """Return what happened to the money so far, for a task that ends before its videos are ready."""
        told = describe_pending(self.state, self.policy)
        if any(job.is_submitting for job in self.jobs):
            unknown = unknown_sentence(self.policy)
            return f"A submit is under way: {unknown} {told}"
        return told


def open_lists(context: Context, hook: SiliconFlowHook, policy: ResubmitPolicy) -> ListStore:
    """
    Return where the list of a task instance is kept.

    :param context: The task's context.
    :param hook: The service.
    :param policy: What the user said about paying again.
    :return: The list and its records; nothing was read yet.
    """
    find = partial(find_stores, context, hook, reuse_on_clear=policy.reuse_on_clear)
    return ListStore(find, context["ti"].max_tries)


def open_run(
    context: Context,
    hook: SiliconFlowHook,
    order: BatchOrder,
    give_up_or_wait: Callable[..., float],
    *,
    resumed: bool,
    state: BatchState | None,
) -> BatchRun:
    """
    Return the run of a list, with the list that its try began with.

    :param context: The task's context.
    :param hook: The service.
    :param order: What the user asked for.
    :param give_up_or_wait: Returns the seconds after which a rejected submit is tried again.
    :param resumed: Whether the try began in an earlier process.
    :param state: How far that one came, if it is known.
    :return: The run; nothing was submitted or polled yet.
    :raises InvalidVideoRequestError: if the list is none and nothing was paid for.
    :raises SubmitRecordError: if it cannot be told what was paid for.
    """
    lists = open_lists(context, hook, order.policy)
    if resumed:
        requests = lists.resume(lambda: read_requests(order.requests, order.defaults), state.keys if state else [])
    else:
        requests = _begin(lists, order)
        _check_connection(hook, lists, requests, order.policy)
    state = BatchState.new(keys=[request.key for request in requests]) if state is None else state
    origin = origin_of(context, hook.siliconflow_conn_id)
    jobs = [
        VideoJob(
            hook,
            request.fields,
            lists.record_of(request),
            order.policy,
            lists.max_tries,
            order.target,
            origin,
            order.spend_limit,
        )
        for request in requests
    ]
    records = BatchRecords(context, jobs, state)
    submitter = Submitter(requests, jobs, state, order.timeout, give_up_or_wait, records.push_changed)
    return BatchRun(order, requests, jobs, state, submitter, Archiver(hook, jobs, state), records)


def _check_connection(
    hook: SiliconFlowHook, lists: ListStore, requests: Sequence[ListedRequest], policy: ResubmitPolicy
) -> None:
    """Read the connection, since each request would fail on it; say so if earlier tries have paid for any."""
    try:
        _ = hook.settings
    except (SiliconFlowConfigError, AirflowNotFoundException) as error:
        _raise_for_paid(lists, requests, error, policy)


def raise_for_list(lists: ListStore, error: Exception, policy: ResubmitPolicy) -> NoReturn:
    """
    Raise the error of a task whose arguments cannot be used, though earlier tries may have paid for its list.

    :param lists: Where the list is kept.
    :param error: What is wrong.
    :param policy: What the user said about paying again.
    :raises Exception: always; where anything is on record, one that Airflow retries and that names the videos.
    """
    _raise_for_paid(lists, lists.known(), error, policy)


def _raise_for_paid(
    lists: ListStore, requests: Sequence[ListedRequest], error: Exception, policy: ResubmitPolicy
) -> NoReturn:
    told = [explain_invalid(error, lists.record_of(each).read(), lists.max_tries, policy) for each in requests]
    found = [each for each in told if isinstance(each, SiliconFlowError) and each is not error]
    if not found:
        if isinstance(error, SiliconFlowError) and not requests:
            error.with_billing(Billing.NOT_SUBMITTED)
        raise error
    ids = [each.request_id for each in found if each.request_id]
    first = next((each for each in found if each.request_id), found[0])
    raise first.with_billing(first.billing, request_id=", ".join(ids) or None, next_step=first.next_step) from error


def _begin(lists: ListStore, order: BatchOrder) -> list[ListedRequest]:
    try:
        return lists.begin(read_requests(order.requests, order.defaults), order.policy)
    except InvalidVideoRequestError as error:
        # What earlier tries have paid for is archived all the same.
        requests = lists.begin([ListedRequest(key="invalid", problem=error.message)], order.policy)
        if not any(request.is_withdrawn for request in requests):
            raise
        return requests
