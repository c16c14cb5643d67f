"""Archive one video: from its URL to its published file and manifest. What all operators call."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import ExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_provider_siliconflow import __version__
from airflow_provider_siliconflow.archive import claim as claims
from airflow_provider_siliconflow.archive.claim_file import Claim, ForeignClaimError
from airflow_provider_siliconflow.archive.destination import Destination, understand
from airflow_provider_siliconflow.archive.download import download
from airflow_provider_siliconflow.archive.errors import shorten
from airflow_provider_siliconflow.archive.existing import IfExists, resolve_existing
from airflow_provider_siliconflow.archive.labelling import label_video
from airflow_provider_siliconflow.archive.manifest import SCHEMA_VERSION
from airflow_provider_siliconflow.archive.options import DownloadOptions
from airflow_provider_siliconflow.archive.poster import Poster, poster_of, write_poster
from airflow_provider_siliconflow.archive.publish import publish
from airflow_provider_siliconflow.archive.staging import staging, sweep
from airflow_provider_siliconflow.archive.url_source import utc_now
from airflow_provider_siliconflow.client.models import VideoState, VideoStatus
from airflow_provider_siliconflow.exceptions import DestinationError, VideoFailedPermanentlyError

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from airflow_provider_siliconflow.archive.body import Downloaded
    from airflow_provider_siliconflow.label.apply import Labeller

__all__ = ["DownloadOptions", "IfExists", "VideoFacts", "archive_video"]

log = logging.getLogger(__name__)

FreshStatus = Callable[[], Awaitable[VideoStatus]]
_T = TypeVar("_T")

#: Seconds for one step on a store before and after the download: to find out what is there can take reading all of it.
STORE_TIMEOUT = 600.0
#: Seconds to find out what a video shows.
_POSTER_TIMEOUT = 60.0


@dataclass(frozen=True)
class VideoFacts:
    """
    What the manifest tells of a video beside its bytes; None where it is not known.

    :param request_id: What the submit answered.
    :param model: The model that made it.
    :param prompt: Left out of the manifest if None.
    :param seed: The seed used.
    :param inference_seconds: As the service tells.
    :param trace_ids: ``x-siliconcloud-trace-id`` of the calls, for the vendor's support.
    :param details: What else the manifest tells, by name: JSON.
    """

    request_id: str | None = None
    model: str | None = None
    prompt: str | None = None
    seed: int | None = None
    inference_seconds: float | None = None
    trace_ids: tuple[str, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)

    def with_status(self, seen: VideoStatus) -> VideoFacts:
        """
        Return these facts and those of a poll of the video.

        :param seen: What the poll returned.
        :return: A copy.
        """
        return replace(
            self,
            seed=seen.seed,
            inference_seconds=seen.inference_seconds,
            trace_ids=(*self.trace_ids, seen.trace_id) if seen.trace_id else self.trace_ids,
        )


async def archive_video(
    destination: Any,
    *,
    url: str | None,
    video: VideoFacts,
    options: DownloadOptions,
    if_exists: IfExists = "fail",
    fresh_status: FreshStatus | None = None,
    owner: str | None = None,
    labeller: Labeller | None = None,
    clock: Callable[[], datetime] = utc_now,
) -> dict[str, Any]:
    """
    Archive a video; safe to repeat, at any time and after any crash.

    :param destination: As for :func:`~airflow_provider_siliconflow.archive.destination.understand`.
    :param url: Its signed URL; None to ask ``fresh_status`` first.
    :param video: What is known of it.
    :param options: How it is fetched, and within which limits.
    :param if_exists: What to do if another video is there. The very same one, whole, is taken as done in any case.
    :param fresh_status: Polls the video now; asked when the URL is expired or about to expire.
    :param owner: Who holds or takes the claim on the destination (``dag_id/run_id/task_id/map_index``); it is released
        when the video is published, and kept for a retry otherwise. None to publish without a claim.
    :param labeller: The labels it gets; None for the bytes as the service made them.
    :param clock: Tells the time, aware.
    :return: The manifest.
    :raises DestinationError: if the destination cannot be used, or if another owner holds its claim.
    :raises VideoExpiredError: if the URL is expired and there is no other.
    :raises VideoIntegrityError: if what came is not a whole video.
    :raises VideoLabelError: if it cannot be labelled.
    :raises UnsafeUrlError: if the URL leads where it must not.
    :raises SiliconFlowConnectionError: if the storage kept failing.
    :raises VideoFailedPermanentlyError: if the service, asked for a URL, says that the video failed.
    """
    found = await _on_store(destination, understand, destination, video.request_id)
    existing = await _on_store(found.path, resolve_existing, found, video.request_id, if_exists)
    if existing is None:
        polls = _Polls(fresh_status) if fresh_status else None
        async with _claimed(found, owner) as claim:
            await _on_store(found.path, sweep, found.path)
            with staging(found.path) as stage, ExitStack() as copies:
                fetched = await download(url, stage, options, fresh_url=polls.fresh_url if polls else None, clock=clock)
                facts = video.with_status(polls.last) if polls and polls.last else video
                manifest = _manifest(facts, fetched, str(found.path), clock())
                if labeller:
                    copy = copies.enter_context(staging(found.path))
                    ids = {"request_id": facts.request_id, "model": facts.model}
                    manifest |= await label_video(labeller, stage, copy, found, **ids)
                    stage = copy
                poster = await _poster(stage)
                manifest |= poster.facts(found.poster)
                publishing = asyncio.to_thread(publish, stage, found, manifest, if_exists, claim)
                existing = await _within(publishing, options.time_for(fetched.size), found)
                await _on_store(found.poster, write_poster, found.poster, poster)
    else:
        log.info("%s is there already: nothing is downloaded.", found.path)
    if owner and not found.is_folder:
        await _release(found, owner)
    return existing


async def _poster(stage: Path) -> Poster:
    """Return what a video shows; one that takes long to decode has no poster."""
    try:
        async with asyncio.timeout(_POSTER_TIMEOUT):
            return await asyncio.to_thread(poster_of, stage)
    except TimeoutError:
        log.warning("No poster: the video was not decoded within %.0f s.", _POSTER_TIMEOUT)
        return Poster()


async def _on_store(shown: Any, call: Callable[..., _T], *args: Any) -> _T:
    """Run a blocking call to a store for a limited time; where the time is over, its thread holds nothing."""
    try:
        # Not by wait_for, which on Python 3.11 drops a cancellation that comes together with the result.
        async with asyncio.timeout(STORE_TIMEOUT):
            return await asyncio.to_thread(call, *args)
    except TimeoutError:
        raise DestinationError(
            f"Cannot archive: {shorten(shown, 300)}: the store did not answer within {STORE_TIMEOUT:.0f} s."
        ) from None


async def _release(destination: Destination, owner: str, token: str | None = None) -> None:
    """Release a claim; a store that hangs is no reason to fail."""
    try:
        await _on_store(destination.path, claims.release_quietly, destination.path, owner, token)
    except DestinationError as error:
        log.warning("The claim was not released: %s", error)


async def _within(publishing: Awaitable[dict[str, Any]], seconds: float, destination: Destination) -> dict[str, Any]:
    """Wait for a store no longer than the same download would be waited for; its thread holds nothing."""
    try:
        async with asyncio.timeout(seconds):
            return await publishing
    except TimeoutError:
        raise DestinationError(
            f"Cannot archive: {destination.path}: the store did not take the video within {seconds:.0f} s. A retry"
            " finds it there if it was taken all the same, and else downloads it again."
        ) from None


@asynccontextmanager
async def _claimed(destination: Destination, owner: str | None) -> AsyncIterator[Claim | None]:
    """Hold the claim; on failure, one that was there before stays, for it keeps the name for a retry."""
    taking = asyncio.ensure_future(_on_store(destination.path, _take_claim, destination, owner))
    claim: Claim | None = None
    try:
        try:
            claim = await asyncio.shield(taking)
        except asyncio.CancelledError:
            # The thread takes the claim all the same, and then it is to be released.
            with suppress(Exception):
                claim = await taking
            raise
        yield claim
    except BaseException:
        if claim and not claim.is_renewed:
            # By its token: the next try of this task may have the claim by now.
            await _release(destination, claim.owner, claim.token)
        raise


def _take_claim(destination: Destination, owner: str | None) -> Claim | None:
    """Take the claim, for a video that is paid: a claim of others is something that a retry may find gone."""
    if destination.is_folder:
        return None
    try:
        if owner:
            return claims.take(destination.path, owner)
        claims.check_unclaimed(destination.path)
    except ForeignClaimError as held:
        raise DestinationError(f"Cannot archive: {held}") from None
    return None


class _Polls:
    """
    Polls of a video for a URL, and the last status.

    :param fresh_status: Polls the video now.
    """

    def __init__(self, fresh_status: FreshStatus) -> None:
        self._fresh_status = fresh_status
        self.last: VideoStatus | None = None

    async def fresh_url(self) -> str | None:
        self.last = await self._fresh_status()
        if self.last.status is VideoState.FAILED:
            raise VideoFailedPermanentlyError(
                f"There is nothing to archive: the service says that the video {self.last.request_id} failed:"
                f" {self.last.reason or '(no reason given)'}",
                request_id=self.last.request_id,
                reason=self.last.reason,
            )
        return self.last.url


def _manifest(video: VideoFacts, fetched: Downloaded, path: str, now: datetime) -> dict[str, Any]:
    return {
        "schema_version": SCHEMA_VERSION,
        **video.details,
        "request_id": video.request_id,
        "model": video.model,
        **({"prompt": video.prompt} if video.prompt is not None else {}),
        "seed": video.seed,
        "inference_seconds": video.inference_seconds,
        "trace_ids": list(video.trace_ids),
        "path": path,
        "bytes": fetched.size,
        "sha256": fetched.sha256,
        "content_type": fetched.content_type,
        "url": fetched.url,
        "archived_at": now.isoformat(timespec="seconds"),
        "provider_version": __version__,
    }
