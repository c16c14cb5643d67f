"""The archiving of a batch: poll the videos whose wait has ended, and archive those that are ready."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from airflow_provider_siliconflow import metrics
from airflow_provider_siliconflow.billing import Billing
from airflow_provider_siliconflow.client.masking import excerpt
from airflow_provider_siliconflow.exceptions import SiliconFlowError, VideoFailedError, VideoTimeoutError
from airflow_provider_siliconflow.jobs.batch import BatchItem, BatchState, ItemState, PendingVideo
from airflow_provider_siliconflow.jobs.video_facts import waited_seconds
from airflow_provider_siliconflow.polling.decision import (
    CONNECTION_GRACE,
    DEFAULT_POKE_INTERVAL,
    PollResult,
    Wait,
    WaitResult,
)
from airflow_provider_siliconflow.polling.worker import pause_after, poll_once

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from airflow_provider_siliconflow.client.models import VideoStatus
    from airflow_provider_siliconflow.hooks.siliconflow import SiliconFlowHook
    from airflow_provider_siliconflow.jobs.video_job import VideoJob

log = logging.getLogger(__name__)

#: Videos polled, and archived, at the same time.
POLLS_AT_ONCE, ARCHIVES_AT_ONCE = 8, 4


class Archiver:
    """
    The polls and downloads of a list; what fails for one video concerns no other.

    :param hook: The service.
    :param jobs: The job of each request.
    :param state: How far they are; updated.
    """

    def __init__(self, hook: SiliconFlowHook, jobs: Sequence[VideoJob], state: BatchState) -> None:
        self._hook = hook
        self._jobs = jobs
        self._state = state
        self._waits: dict[str, Wait] = {}
        self._failures = 0

    def record_pending(self) -> None:
        """Write down each request id in hand whose record could not be written before."""
        for index, video in self._state.pending.items():
            job = self._jobs[index]
            if not video.is_recorded or job.record is None:
                job.adopt(video.request_id)
                self._state.pending[index] = replace(video, is_recorded=job.is_recorded)

    def archive_ended(self, ended: Collection[str], rejected: Collection[str] = ()) -> None:
        """
        Poll the videos whose wait has ended, and archive those that are ready, the soonest to expire first.

        :param ended: Request ids; once the deadline has passed, all are polled.
        :param rejected: Those whose polls were rejected for a whole grace period already.
        """
        from airflow_provider_siliconflow.archive.threads import run_archive

        late = time.time() >= self._state.deadline
        due = {index: video for index, video in self._state.pending.items() if late or video.request_id in ended}
        if due:
            run_archive(lambda: self._poll_and_archive(due, rejected))

    def archive_at_next_poll(self, poke_interval: float | None, until: float | None = None) -> None:
        """
        Wait in the worker for the next poll of the pending videos, and archive those that are ready then.

        :param poke_interval: Seconds between two polls of a video; None for the default.
        :param until: Epoch seconds at which to poll at the latest.
        """
        now = time.time()
        ends = [] if until is None else [until]
        if self._state.pending:
            interval = DEFAULT_POKE_INTERVAL if poke_interval is None else poke_interval
            ends += [self._state.deadline, now + pause_after(self._failures, interval)]
        time.sleep(max(0.0, min(ends) - now))
        self.archive_ended(self._state.request_ids())
        self._failures = self._failures + 1 if self._have_polls_failed() else 0

    def _have_polls_failed(self) -> bool:
        """Return whether the last poll of every pending video failed."""
        last = [self._waits[request_id].last for request_id in self._state.request_ids()]
        return bool(last) and all(isinstance(poll, SiliconFlowError) for poll in last)

    async def _poll_and_archive(self, due: Mapping[int, PendingVideo], rejected: Collection[str]) -> None:
        results = await self._poll_all(list(due.values()), rejected)
        ready: dict[int, VideoStatus] = {}
        for (index, video), (last, result) in zip(due.items(), results, strict=True):
            self._jobs[index].record_poll(last)
            if result:
                metrics.wait_ended(result.status, waited_seconds(self._jobs[index]))
            if result and (status := self._ready(index, result)):
                ready[index] = status
            elif result is None and isinstance(last, SiliconFlowError):
                # An earlier try may have archived it, and the service may have forgotten it since.
                self._complete_archived(index)
            elif result is None:
                self._state.polled({video.request_id: time.time()})
        await self._archive_all(ready)

    def _ready(self, index: int, result: WaitResult) -> VideoStatus | None:
        """Return a video that is ready; what became of another becomes its item."""
        try:
            return result.video()
        except SiliconFlowError as error:
            self._complete(index, error)
        return None

    def _complete(self, index: int, error: SiliconFlowError) -> None:
        """Note that a video is not ready or could not be archived, unless an earlier try has archived it."""
        job = self._jobs[index]
        if self._complete_archived(index):
            return
        told = job.explain(error)
        state = ItemState.NOT_ARCHIVED
        if isinstance(error, VideoFailedError):
            state = ItemState.FAILED
        elif isinstance(error, VideoTimeoutError):
            state = ItemState.TIMED_OUT
        self._state.complete(BatchItem.of_error(index, state, told))

    def _complete_archived(self, index: int) -> bool:
        job = self._jobs[index]
        made = job.find_archived()
        if made:
            self._state.complete(_archived(index, job.request_id, made["path"]))
        return made is not None

    async def _poll_all(
        self, videos: Sequence[PendingVideo], rejected: Collection[str]
    ) -> list[tuple[PollResult | None, WaitResult | None]]:
        few = asyncio.Semaphore(POLLS_AT_ONCE)
        spent = time.time() - CONNECTION_GRACE

        async def poll(video: PendingVideo) -> tuple[PollResult | None, WaitResult | None]:
            # Kept, since a worker that keeps polling must know for how long all polls were rejected.
            wait = self._waits.setdefault(video.request_id, Wait(video.request_id))
            wait.deadline = self._state.deadline
            if video.request_id in rejected:
                wait.rejected_since = spent
            async with few:
                result = await asyncio.to_thread(poll_once, self._hook, wait)
            return wait.last, result

        return await asyncio.gather(*map(poll, videos))

    async def _archive_all(self, ready: Mapping[int, VideoStatus]) -> None:
        few = asyncio.Semaphore(ARCHIVES_AT_ONCE)

        async def archive(index: int, video: VideoStatus) -> None:
            async with few:
                await self._archive(index, video)

        never = datetime.max.replace(tzinfo=UTC)
        soonest = sorted(ready.items(), key=lambda pair: pair[1].expires_at or never)
        await asyncio.gather(*(archive(index, video) for index, video in soonest))

    async def _archive(self, index: int, video: VideoStatus) -> None:
        job = self._jobs[index]
        try:
            made = await job.archive(video)
        except SiliconFlowError as error:
            log.warning("Video %s was not archived: %s", video.request_id, error)
            await asyncio.to_thread(self._complete, index, error)
        except Exception as error:  # whatever it is, it must not break off the archiving of the others
            log.exception("Video %s was not archived", video.request_id)
            what = SiliconFlowError(excerpt(str(error)) or type(error).__name__)
            await asyncio.to_thread(self._complete, index, what)
        else:
            self._state.complete(_archived(index, job.request_id, made["path"]))


def _archived(index: int, request_id: str, path: str) -> BatchItem:
    return BatchItem(index, ItemState.ARCHIVED, Billing.ARCHIVED, request_id, path)
