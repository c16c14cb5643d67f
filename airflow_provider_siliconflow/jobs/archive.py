"""Archive a video with the limits, the proxy and the labels of its connection, for every operator that archives."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_provider_siliconflow.archive.threads import run_archive
from airflow_provider_siliconflow.exceptions import VideoExpiredError
from airflow_provider_siliconflow.jobs.task_name import TaskName
from airflow_provider_siliconflow.jobs.video_facts import details_of, origin_of, with_error, with_manifest
from airflow_provider_siliconflow.jobs.video_xcom import push

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from datetime import datetime

    from airflow.sdk import Context

    from airflow_provider_siliconflow.archive.archiver import VideoFacts
    from airflow_provider_siliconflow.client.video_record import VideoRecord
    from airflow_provider_siliconflow.hooks.siliconflow import SiliconFlowHook
    from airflow_provider_siliconflow.jobs.target import Target


T = TypeVar("T")


def owner_of(context: Context) -> str:
    """
    Return who holds the claims of a task instance, the same for all its tries: ``dag_id/run_id/task_id/map_index``.

    :param context: The task's context.
    :return: The name.
    """
    return TaskName.of(context).owner


def archive(
    context: Context,
    hook: SiliconFlowHook,
    target: Target,
    url: str | None,
    video: VideoFacts,
    told: VideoRecord,
) -> tuple[str, VideoRecord]:
    """
    Archive a video from a worker, and push its manifest and its record.

    :param context: The task's context.
    :param hook: The service.
    :param target: Where it goes.
    :param url: The video's signed URL; None to ask the service for one.
    :param video: What is known of it.
    :param told: What the tasks before this one have told of it.
    :return: The path of what is there now, and the record of the video.
    :raises SiliconFlowError: as :func:`~airflow_provider_siliconflow.archive.archiver.archive_video`.
    """
    try:
        origin = {**origin_of(context, hook.siliconflow_conn_id), "host": hook.settings.base_url}
        video = replace(video, details=details_of(told, origin))
        manifest = run_for_task(
            context,
            lambda: archive_paid_video(hook, target, url, video),
        )
    except Exception as error:
        push(context, with_error(told, error))
        raise
    told = with_manifest(told, manifest)
    push(context, told)
    context["ti"].xcom_push(key="manifest", value=manifest)
    return manifest["path"], told


def run_for_task(context: Context, make: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """
    Run a coroutine that archives in a worker.

    :param context: The task's context.
    :param make: Makes the coroutine.
    :return: What it returns.
    :raises VideoExpiredError: as the coroutine, with when this try began.
    """
    try:
        return run_archive(make)
    except VideoExpiredError as error:
        raise VideoExpiredError(
            f"{error.message} {_began(context, error.made_at)} If it waited long for a slot: give it a higher"
            " priority_weight or a pool of its own, or let GenerateVideoOperator submit, wait and archive in one task.",
            made_at=error.made_at,
        ) from error


async def archive_paid_video(
    hook: SiliconFlowHook, target: Target, url: str | None, video: VideoFacts
) -> dict[str, Any]:
    """
    Archive a video as its connection says, and return its manifest.

    :param hook: The service.
    :param target: Where it goes, and with which labels.
    :param url: The video's signed URL; None to ask the service for one.
    :param video: What is known of it.
    :return: The manifest.
    :raises SiliconFlowError: as :func:`~airflow_provider_siliconflow.archive.archiver.archive_video`.
    """
    # Imported here, since it loads aiohttp, which a DAG file has no need of.
    from airflow_provider_siliconflow.archive.archiver import DownloadOptions, archive_video
    from airflow_provider_siliconflow.jobs.labels import labeller_of

    settings = hook.settings
    request_id = video.request_id
    return await archive_video(
        target.destination,
        url=url,
        video=video,
        options=DownloadOptions(
            api_base_url=settings.base_url,
            proxy=settings.proxy,
            ssl=hook.ssl,
            max_attempts=settings.max_attempts,
            max_backoff=settings.max_backoff,
            timeout=settings.download_timeout,
            min_rate=settings.download_min_rate,
            store_timeout=settings.store_timeout,
        ),
        if_exists=target.if_exists,
        fresh_status=(lambda: asyncio.to_thread(hook.get_video_status, request_id)) if request_id else None,
        owner=target.owner,
        labeller=await asyncio.to_thread(labeller_of, hook, target.label),
    )


def _began(context: Context, made_at: datetime | None) -> str:
    """Say when this try began, and how long the URL had waited for that: Airflow does not tell a task itself."""
    began = context["ti"].start_date
    waited = (began - made_at).total_seconds() if made_at else 0.0
    after = f", when the URL had waited for it for {waited:.0f} s" if waited > 0 else ""
    return f"This try of the task started at {began.isoformat(timespec='seconds')}{after}."
