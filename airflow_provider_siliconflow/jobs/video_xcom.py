"""The XCom that tells of a video: pushed by the tasks that make it, and read by the tasks after them."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from airflow_provider_siliconflow.billing import Billing
from airflow_provider_siliconflow.client.masking import describe_error
from airflow_provider_siliconflow.client.video_record import KEY, PENDING_STATES, RecordState, VideoRecord

if TYPE_CHECKING:
    from airflow.sdk import Context

log = logging.getLogger(__name__)

#: Tasks directly upstream that are asked for the record of the same video: each costs one call of Airflow's API.
_UPSTREAM = 5


def push(context: Context, told: VideoRecord, key: str = KEY) -> None:
    """
    Push a record; a paid video does not depend on that.

    :param context: The task's context.
    :param told: The record.
    :param key: Key of the XCom.
    """
    try:
        context["ti"].xcom_push(key=key, value=told.to_json())
    except Exception as error:
        log.warning("The XCom %r of video %s cannot be pushed: %s", key, told.request_id, describe_error(error))


def pull_upstream(context: Context, request_id: str | None) -> VideoRecord:
    """
    Return what the tasks directly upstream have told of the same video.

    :param context: The task's context.
    :param request_id: The video's request id.
    :return: The record; of a video that no task told of, its request id alone.
    """
    found = [told for told in _upstream_records(context) if told.request_id == request_id] if request_id else []
    found.sort(key=lambda told: told.state == RecordState.READY)
    facts: dict[str, Any] = {"billing": Billing.RUNNING}
    for told in found:
        facts |= {name: value for name, value in vars(told).items() if value is not None}
    state = facts.get("state")
    return VideoRecord(**facts | {"request_id": request_id, "state": state if state in PENDING_STATES else "submitted"})


def _upstream_records(context: Context) -> list[VideoRecord]:
    ti = context["ti"]
    task_ids = sorted(getattr(context.get("task"), "upstream_task_ids", ()))[:_UPSTREAM]
    found = []
    try:
        for task_id in task_ids:
            value = ti.xcom_pull(task_ids=task_id, key=KEY, map_indexes=ti.map_index)
            found.append(VideoRecord.from_json(value))
    except Exception as error:
        log.warning("What the tasks before this one tell of the video cannot be read: %s", describe_error(error))
    return [told for told in found if told]
