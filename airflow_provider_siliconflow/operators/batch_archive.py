"""The other half of a batch: look at the videos whose wait has ended, and archive those that are ready."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_siliconflow.archive.existing import IfExists
from airflow_provider_siliconflow.archive.publish import find_archived
from airflow_provider_siliconflow.archive.threads import run_archive
from airflow_provider_siliconflow.client.models import VideoStatus
from airflow_provider_siliconflow.exceptions import (
    SiliconFlowError,
    VideoFailedError,
    VideoTimeoutError,
)
from airflow_provider_siliconflow.jobs.archive import archive_manifest
from airflow_provider_siliconflow.jobs.batch import BatchItem, ItemState, PendingVideo, Progress
from airflow_provider_siliconflow.jobs.record import SubmitStore
from airflow_provider_siliconflow.polling.decision import CONNECTION_GRACE, Wait, WaitResult, WaitStatus

if TYPE_CHECKING:
    from airflow_provider_siliconflow.archive.archiver import VideoFacts
    from airflow_provider_siliconflow.hooks.siliconflow import SiliconFlowHook

log = logging.getLogger(__name__)

#: Videos looked at, and archived, at the same time.
_LOOKS, _ARCHIVES = 8, 4


class Archiver:
    """
    Archive the videos of a list; each stands for itself.

    :param hook: The service.
    :param items: The requests, as :func:`~airflow_provider_siliconflow.jobs.batch.read_items` returns them.
    :param progress: How far they are; taken further.
    :param stores: The record of each request.
    :param folder: Where the videos go.
    :param if_exists: As for the operator.
    """

    def __init__(
        self,
        hook: SiliconFlowHook,
        items: Sequence[dict[str, Any]],
        progress: Progress,
        stores: Sequence[SubmitStore],
        folder: str,
        if_exists: IfExists,
    ) -> None:
        self._hook = hook
        self._items = items
        self._progress = progress
        self._stores = stores
        self._folder = folder
        self._if_exists: IfExists = if_exists
        self._price = hook.settings.price

    def archive_ended(self, ended: Mapping[str, WaitStatus | None]) -> None:
        """
        Look at the videos whose wait has ended, and archive those that are ready, the soonest to expire first.

        :param ended: How they ended, by request id; once the deadline has passed, all are polled.
        """
        late = time.time() >= self._progress.deadline
        pending_videos = {
            i: pending_video
            for i, pending_video in self._progress.pending.items()
            if late or pending_video.request_id in ended
        }
        looks = run_archive(lambda: self._look_at_all(list(pending_videos.values())))
        ready: dict[int, VideoStatus] = {}
        for (index, pending_video), look in zip(pending_videos.items(), looks, strict=True):
            now = time.time()
            # A rejection that the trigger has seen for the whole grace period needs no other.
            is_rejected = ended.get(pending_video.request_id) is WaitStatus.REJECTED
            spent = now - CONNECTION_GRACE if is_rejected else None
            outcome = Wait(pending_video.request_id, self._progress.deadline, spent).evaluate(look, now=now)
            if outcome and (video := self._ready(index, outcome)):
                ready[index] = video
            elif not outcome and isinstance(look, VideoStatus):
                self._progress.polled({pending_video.request_id: now})
        run_archive(lambda: self._archive_all(ready))

    def _ready(self, index: int, outcome: WaitResult) -> VideoStatus | None:
        """Return a video that is ready; what became of another becomes its row."""
        land = partial(BatchItem, index, request_id=outcome.request_id)
        row: BatchItem
        try:
            return outcome.video()
        except SiliconFlowError as error:
            if made := find_archived(self._folder, outcome.request_id):
                row = land(ItemState.ARCHIVED, path=made["path"], cost=self._price)
            elif isinstance(error, VideoFailedError):
                self._close(index, error)
                row = land(ItemState.FAILED, reason=str(error), cost=f"perhaps {self._price}")
            else:
                self._stores[index].keep(outcome.request_id)
                state = ItemState.TIMED_OUT if isinstance(error, VideoTimeoutError) else ItemState.NOT_ARCHIVED
                row = land(state, reason=str(error), cost=self._price)
        self._progress.land(row)
        return None

    def _close(self, index: int, error: VideoFailedError) -> None:
        store = self._stores[index]
        if record := store.keep(error.request_id or ""):
            store.close(record, error.message)

    async def _look_at_all(self, pending_videos: Sequence[PendingVideo]) -> list[VideoStatus | SiliconFlowError]:
        few = asyncio.Semaphore(_LOOKS)

        async def look(pending_video: PendingVideo) -> VideoStatus | SiliconFlowError:
            async with few:
                return await asyncio.to_thread(self._hook.poll, pending_video.request_id)

        return await asyncio.gather(*map(look, pending_videos))

    async def _archive_all(self, ready: dict[int, VideoStatus]) -> None:
        few = asyncio.Semaphore(_ARCHIVES)

        async def archive(index: int, video: VideoStatus) -> None:
            async with few:
                self._progress.land(await self._archive(index, video))

        never = datetime.max.replace(tzinfo=UTC)
        soonest = sorted(ready.items(), key=lambda pair: pair[1].expires_at or never)
        await asyncio.gather(*(archive(index, video) for index, video in soonest))

    async def _archive(self, index: int, video: VideoStatus) -> BatchItem:
        row = partial(BatchItem, index, request_id=video.request_id, cost=self._price)
        try:
            facts = self._facts(index, video)
            made = await archive_manifest(self._hook, self._folder, video.url, facts, self._if_exists)
        except Exception as error:  # whatever it is, it must not break off the archiving of the others
            log.exception("Video %s was not archived", video.request_id)
            return row(ItemState.NOT_ARCHIVED, reason=str(error) or type(error).__name__)
        return row(ItemState.ARCHIVED, path=made["path"])

    def _facts(self, index: int, video: VideoStatus) -> VideoFacts:
        # Imported here, since it loads aiohttp, which a process that archives nothing does not need.
        from airflow_provider_siliconflow.archive.archiver import VideoFacts

        return VideoFacts(
            request_id=video.request_id,
            model=self._items[index].get("model"),
            prompt=self._items[index].get("prompt"),
            seed=video.seed,
            inference_seconds=video.inference_seconds,
            trace_ids=tuple(id for id in (self._progress.pending[index].trace_id, video.trace_id) if id),
        )
