"""The two steps of a batch: submit what is missing, archive what has ended. Each request stands for itself."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_siliconflow.api.retry import Route, Verdict, verdict
from airflow_provider_siliconflow.api.video import VideoRequest, VideoStatus
from airflow_provider_siliconflow.archive.archive import VideoFacts
from airflow_provider_siliconflow.archive.publish import check_destination
from airflow_provider_siliconflow.batch import Progress, Row, RowState, keys
from airflow_provider_siliconflow.durability import KEY, Policy, SubmitRecord, SubmitStore, submit_once
from airflow_provider_siliconflow.exceptions import (
    SiliconFlowAuthenticationError,
    SiliconFlowBalanceError,
    SiliconFlowError,
    SiliconFlowPermissionError,
    SubmitOutcomeUnknownError,
    SubmitRecordError,
    VideoFailedError,
    VideoTimeoutError,
)
from airflow_provider_siliconflow.operators.archive import archive_manifest
from airflow_provider_siliconflow.operators.submit import intent_for, read_request, wait_after
from airflow_provider_siliconflow.waiting.outcome import judge

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_siliconflow.hooks.siliconflow import SiliconFlowHook
    from airflow_provider_siliconflow.operators.batch import GenerateVideoBatchOperator

log = logging.getLogger(__name__)

#: Videos looked at, and archived, at the same time.
_LOOKS, _ARCHIVES = 8, 4
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


def submit_missing(
    task: GenerateVideoBatchOperator,
    context: Context,
    hook: SiliconFlowHook,
    items: Sequence[dict[str, Any]],
    progress: Progress,
) -> float | None:
    """
    Submit what is neither decided nor under way, for as long as the service takes it.

    :param progress: Taken further.
    :return: Seconds after which to go on, if the service takes no more for now.
    :raises SubmitRecordError: if it cannot be told what was paid for.
    """
    missing = progress.missing(len(items))
    if missing:
        check_destination(folder(task.destination), if_exists=task.if_exists)
    patience = time.monotonic() + _PATIENCE
    stores = [SubmitStore(context, f"{KEY}.{key}") for key in keys(items)]
    for index in missing:
        try:
            record = _submit_patiently(task, context, hook, read_request(items[index]), stores[index], patience)
        except _NotNowError as refusal:
            return _wait_or_give_up(task, progress, len(items), refusal.error)
        except SubmitRecordError:
            raise
        except SubmitOutcomeUnknownError as error:
            progress.rows.append(Row(index, RowState.UNKNOWN, reason=str(error), cost=f"perhaps {hook.settings.price}"))
        except _FOR_ALL as error:
            progress.rows += [Row(other, RowState.REFUSED, reason=str(error)) for other in progress.missing(len(items))]
            return None
        except SiliconFlowError as error:
            progress.rows.append(Row(index, RowState.REFUSED, reason=str(error)))
        else:
            _take_off(task, progress, index, record)
    return None


def _submit_patiently(
    task: GenerateVideoBatchOperator,
    context: Context,
    hook: SiliconFlowHook,
    request: VideoRequest,
    store: SubmitStore,
    patience: float,
) -> SubmitRecord:
    intent = intent_for(context, hook, request)
    policy = Policy(task.on_unknown_submit, task.reuse_on_clear, hook.settings.price)
    while True:
        try:
            return submit_once(hook, request, store, intent, policy, context["ti"].try_number, lambda: None)
        except SiliconFlowError as error:
            if verdict(Route.SUBMIT, error) is not Verdict.SEND_AGAIN:
                raise
            if time.monotonic() > patience or (getattr(error, "retry_after", None) or 0) > _PATIENCE:
                raise _NotNowError(error) from error
            time.sleep(max(_PROBE, getattr(error, "retry_after", None) or 0))


def _take_off(task: GenerateVideoBatchOperator, progress: Progress, index: int, record: SubmitRecord) -> None:
    assert record.request_id
    assert record.submitted_at
    now = time.time()
    progress.flying[index] = record.request_id
    progress.submitted[record.request_id] = datetime.fromisoformat(record.submitted_at).timestamp()
    progress.accepted_at, progress.refusals, progress.deadline = now, 0, now + task.timeout


def _wait_or_give_up(
    task: GenerateVideoBatchOperator, progress: Progress, count: int, error: SiliconFlowError
) -> float | None:
    progress.refusals += 1
    wait = wait_after(progress.refusals, asked=getattr(error, "retry_after", None))
    refused_for = time.time() - progress.accepted_at
    if refused_for + wait <= task.submit_timeout:
        log.warning("Refused for now: %s Tries again in %.0f s.", error, wait)
        return wait
    reason = f"Refused for {refused_for:.0f} s (submit_timeout is {task.submit_timeout:.0f} s); the last time: {error}"
    progress.rows += [Row(index, RowState.REFUSED, reason=reason) for index in progress.missing(count)]
    return None


def archive_ended(
    task: GenerateVideoBatchOperator,
    context: Context,
    hook: SiliconFlowHook,
    items: Sequence[dict[str, Any]],
    progress: Progress,
    ended: Sequence[str],
) -> None:
    """
    Look at the videos whose wait has ended, and archive those that are ready, the soonest to expire first.

    :param progress: Taken further.
    :param ended: Request ids.
    """
    index_of = {request_id: index for index, request_id in progress.flying.items()}
    ready: dict[int, VideoStatus] = {}
    for request_id, look in zip(ended, asyncio.run(_look_at_all(hook, ended)), strict=True):
        index = index_of[request_id]
        outcome = judge(request_id, look, now=time.time(), deadline=progress.deadline)
        if outcome is None:
            continue
        del progress.flying[index]
        try:
            ready[index] = outcome.result()
        except VideoTimeoutError as error:
            progress.unsafe.append(str(error))
        except SiliconFlowError as error:
            if isinstance(error, VideoFailedError):
                _close(context, items, index, error)
            progress.rows.append(Row(index, RowState.FAILED, request_id, reason=str(error), cost=hook.settings.price))
    asyncio.run(_archive_all(task, hook, items, progress, ready))


def _close(context: Context, items: Sequence[dict[str, Any]], index: int, error: VideoFailedError) -> None:
    store = SubmitStore(context, f"{KEY}.{keys(items)[index]}")
    if record := store.read():
        store.close(record, error.message)


async def _look_at_all(hook: SiliconFlowHook, request_ids: Sequence[str]) -> list[VideoStatus | SiliconFlowError]:
    few = asyncio.Semaphore(_LOOKS)

    async def look(request_id: str) -> VideoStatus | SiliconFlowError:
        async with few:
            return await asyncio.to_thread(hook.look, request_id)

    return await asyncio.gather(*map(look, request_ids))


async def _archive_all(
    task: GenerateVideoBatchOperator,
    hook: SiliconFlowHook,
    items: Sequence[dict[str, Any]],
    progress: Progress,
    ready: dict[int, VideoStatus],
) -> None:
    few = asyncio.Semaphore(_ARCHIVES)

    async def archive(index: int, video: VideoStatus) -> None:
        facts = VideoFacts(
            request_id=video.request_id,
            model=items[index].get("model"),
            prompt=items[index].get("prompt"),
            seed=video.seed,
            inference_seconds=video.inference_seconds,
            trace_ids=(video.trace_id,) if video.trace_id else (),
        )
        async with few:
            try:
                made = await archive_manifest(hook, folder(task.destination), video.url, facts, task.if_exists)
            except SiliconFlowError as error:
                progress.unsafe.append(f"Video {video.request_id} was not archived: {error}")
                return
        path, price = made["path"], hook.settings.price
        progress.rows.append(Row(index, RowState.DONE, video.request_id, path=path, cost=price))

    never = datetime.max.replace(tzinfo=UTC)
    soonest = sorted(ready.items(), key=lambda pair: pair[1].expires_at or never)
    await asyncio.gather(*(archive(index, video) for index, video in soonest))


def folder(destination: str) -> str:
    """Return a destination as a folder: a list of videos has no single name."""
    return destination if destination.endswith("/") else f"{destination}/"
