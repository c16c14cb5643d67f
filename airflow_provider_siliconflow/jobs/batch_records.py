"""The records of the videos of a batch, each pushed as an XCom of its own when its state changes."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from airflow_provider_siliconflow.client.masking import describe_error
from airflow_provider_siliconflow.client.video_record import RecordState, VideoRecord, item_key
from airflow_provider_siliconflow.jobs.batch import BatchItem, BatchState, ItemState
from airflow_provider_siliconflow.jobs.video_facts import describe, with_cost
from airflow_provider_siliconflow.jobs.video_xcom import push

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from airflow.sdk import Context

    from airflow_provider_siliconflow.jobs.video_job import VideoJob

log = logging.getLogger(__name__)


class BatchRecords:
    """
    The records of a list of videos.

    :param context: The task's context.
    :param jobs: The job of each request.
    :param state: How far they are; what it tells now was pushed by an earlier process of the try.
    """

    def __init__(self, context: Context, jobs: Sequence[VideoJob], state: BatchState) -> None:
        self._context = context
        self._jobs = jobs
        self._state = state
        self._pushed: dict[int, str] = dict(self._states())

    def push_changed(self) -> None:
        """Push the record of each video whose state is another than the one that was pushed."""
        items = {item.index: item for item in self._state.items}
        for index, state in self._states().items():
            if self._pushed.get(index) != state:
                told = _record(self._jobs[index], items.get(index))
                push(self._context, told, item_key(index))
                self._pushed[index] = state

    def archived(self) -> Iterator[VideoRecord]:
        """
        Read the records of the videos that are archived.

        :yield: Each; of one that an earlier process of the try has archived, what that process has pushed.
        """
        for item in self._state.items:
            if item.state is ItemState.ARCHIVED:
                job = self._jobs[item.index]
                yield describe(job) if job.manifest else self._pushed_by_another(item)

    def _pushed_by_another(self, item: BatchItem) -> VideoRecord:
        ti, told = self._context["ti"], None
        try:
            value = ti.xcom_pull(key=item_key(item.index), map_indexes=ti.map_index)
            told = VideoRecord.from_json(value)
        except Exception as error:
            log.warning("The record of video %s cannot be read: %s", item.request_id, describe_error(error))
        told = told or describe(self._jobs[item.index])
        # Users may edit XComs: what the try itself remembers counts.
        return replace(
            told, state=RecordState.ARCHIVED, billing=item.billing, request_id=item.request_id, path=item.path
        )

    def _states(self) -> dict[int, str]:
        pending = dict.fromkeys(self._state.pending, RecordState.SUBMITTED.value)
        return pending | {item.index: item.state.value for item in self._state.items}


def _record(job: VideoJob, item: BatchItem | None) -> VideoRecord:
    told = describe(job)
    if item is None or (item.state is ItemState.ARCHIVED and job.manifest):
        return told
    request_id = item.request_id or told.request_id
    told = replace(told, state=item.state.value, billing=item.billing, reason=item.reason, request_id=request_id)
    return with_cost(told, job.policy.price)
