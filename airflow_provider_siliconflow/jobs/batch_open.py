"""Make the run of a batch, for a try that starts or resumes: from its list and what earlier tries have paid for."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

from airflow_provider_siliconflow._airflow.names import AirflowNotFoundException
from airflow_provider_siliconflow.archive.destination import as_folder
from airflow_provider_siliconflow.billing import Billing
from airflow_provider_siliconflow.exceptions import (
    InvalidVideoRequestError,
    SiliconFlowConfigError,
    SiliconFlowError,
)
from airflow_provider_siliconflow.jobs.archive import owner_of
from airflow_provider_siliconflow.jobs.arguments import optional_seconds, seconds
from airflow_provider_siliconflow.jobs.batch import BatchState
from airflow_provider_siliconflow.jobs.batch_archive import Archiver
from airflow_provider_siliconflow.jobs.batch_list import ListedRequest, ListStore, read_requests
from airflow_provider_siliconflow.jobs.batch_records import BatchRecords
from airflow_provider_siliconflow.jobs.batch_run import BatchOrder, BatchRun
from airflow_provider_siliconflow.jobs.batch_submit import Submitter
from airflow_provider_siliconflow.jobs.reattach import explain_invalid
from airflow_provider_siliconflow.jobs.spending import price_of
from airflow_provider_siliconflow.jobs.store import find_stores
from airflow_provider_siliconflow.jobs.target import Target
from airflow_provider_siliconflow.jobs.video_facts import origin_of
from airflow_provider_siliconflow.jobs.video_job import VideoJob
from airflow_provider_siliconflow.spend_limit import read_spend_limit

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from airflow.sdk import Context

    from airflow_provider_siliconflow.hooks.siliconflow import SiliconFlowHook
    from airflow_provider_siliconflow.jobs.reattach import ResubmitPolicy


def order_of(task: Any, context: Context) -> BatchOrder:
    """
    Return what a task asks for, as it is rendered now.

    :param task: The ``GenerateVideoBatchOperator``, its arguments checked.
    :param context: Its context.
    :return: The order.
    """
    folder = as_folder(task.destination)
    return BatchOrder(
        task.requests,
        {"model": task.model, "image_size": task.image_size},
        Target(folder, task.if_exists, owner_of(context), task.probe_destination, task.video_label),
        task.policy(),
        seconds("timeout", task.timeout),
        optional_seconds("poke_interval", task.poke_interval),
        read_spend_limit("spend_limit", task.spend_limit),
    )


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
    jobs = _jobs(context, hook, order, lists, requests)
    records = BatchRecords(context, jobs, state)
    submitter = Submitter(requests, jobs, state, order.timeout, give_up_or_wait, records.push_changed)
    return BatchRun(order, requests, jobs, state, submitter, Archiver(hook, jobs, state), records)


def _jobs(
    context: Context, hook: SiliconFlowHook, order: BatchOrder, lists: ListStore, requests: Sequence[ListedRequest]
) -> list[VideoJob]:
    origin = origin_of(context, hook.siliconflow_conn_id)
    return [
        VideoJob(
            hook,
            request.fields,
            lists.record_of(request),
            replace(order.policy, price=price_of(hook, request.fields.get("model"))),
            lists.max_tries,
            order.target,
            origin,
            order.spend_limit,
        )
        for request in requests
    ]


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
