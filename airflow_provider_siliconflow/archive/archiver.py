"""Archive one video: from its URL to its published file and manifest. Called through ``jobs/archive.py`` alone."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from airflow_provider_siliconflow import __version__, metrics
from airflow_provider_siliconflow.archive.destination import is_local, understand
from airflow_provider_siliconflow.archive.existing import IfExists, resolve_existing
from airflow_provider_siliconflow.archive.labelling import label_video
from airflow_provider_siliconflow.archive.manifest import SCHEMA_VERSION
from airflow_provider_siliconflow.archive.options import DownloadOptions
from airflow_provider_siliconflow.archive.poster import Poster, poster_of, write_poster
from airflow_provider_siliconflow.archive.publish import publish
from airflow_provider_siliconflow.archive.source import FreshStatus, VideoSource, is_remote
from airflow_provider_siliconflow.archive.staging import staging, sweep
from airflow_provider_siliconflow.archive.store_calls import StoreCalls, within
from airflow_provider_siliconflow.archive.url_source import utc_now
from airflow_provider_siliconflow.exceptions import DestinationError, DestinationRefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime
    from pathlib import Path

    from airflow_provider_siliconflow.archive.body import Downloaded
    from airflow_provider_siliconflow.archive.claim_file import Claim
    from airflow_provider_siliconflow.archive.destination import Destination
    from airflow_provider_siliconflow.client.models import VideoStatus
    from airflow_provider_siliconflow.label.apply import Labeller

__all__ = ["DownloadOptions", "IfExists", "VideoFacts", "archive_video"]

log = logging.getLogger(__name__)

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
    source = VideoSource(video.request_id, url, options, fresh_status, clock)
    archiving = _Archiving(source, video, options, if_exists, owner, labeller, clock)
    try:
        manifest = await archiving.run(destination)
    except DestinationRefusedError:
        raise
    except DestinationError as error:
        if not source.kept.is_possible or not is_remote(destination):
            raise
        # The URL expires while the store is away, so the bytes are fetched now.
        raise DestinationError(f"{error.message} {await source.keep()}".rstrip()) from error
    await asyncio.to_thread(source.kept.discard)
    return manifest


@dataclass(frozen=True)
class _Archiving:
    """One try to archive a video; the parameters are those of :func:`archive_video`."""

    source: VideoSource
    video: VideoFacts
    options: DownloadOptions
    if_exists: IfExists
    owner: str | None
    labeller: Labeller | None
    clock: Callable[[], datetime]

    async def run(self, destination: Any) -> dict[str, Any]:
        """
        Return the manifest of the video, archived now or before.

        :param destination: As for :func:`archive_video`.
        :return: The manifest.
        """
        store = StoreCalls(self.options.store_timeout)
        found = await store.run(destination, understand, destination, self.video.request_id)
        existing = await store.run(found.path, resolve_existing, found, self.video.request_id, self.if_exists)
        if existing is None:
            async with store.claimed(found, self.owner) as claim:
                await store.run(found.path, sweep, found.path)
                existing = await self._publish(found, claim)
        else:
            log.info("%s is there already: nothing is downloaded. It has %s.", found.path, _figures(existing))
        if self.owner and not found.is_folder:
            await store.release(found, self.owner)
        return existing

    async def _publish(self, found: Destination, claim: Claim | None) -> dict[str, Any]:
        source, began = self.source, time.monotonic()
        with staging(found.path) as stage, ExitStack() as copies:
            fetched = await source.fill(stage)
            facts = self.video.with_status(source.last) if source.last else self.video
            manifest = _manifest(facts, fetched, str(found.path), self.clock())
            whole = stage
            if self.labeller:
                whole = copies.enter_context(staging(found.path))
                ids = {"request_id": facts.request_id, "model": facts.model}
                manifest |= await label_video(self.labeller, stage, whole, found, **ids)
            poster = await _poster(whole)
            manifest |= poster.facts(found.poster)
            publishing = asyncio.to_thread(publish, whole, found, manifest, self.if_exists, claim)
            try:
                published = await within(publishing, self.options.time_for(fetched.size), found)
            except DestinationRefusedError:
                raise
            except DestinationError:
                if not is_local(found.path):
                    await asyncio.to_thread(source.kept.keep, stage, fetched)
                raise
            if published["sha256"] == manifest["sha256"]:
                seconds = time.monotonic() - began
                log.info("Archived %s: %s, in %.1f s.", found.path, _figures(published), seconds)
                metrics.archived(published["bytes"], seconds)
            with suppress(DestinationError):
                # The video is published; its poster is no reason to fail.
                await StoreCalls(self.options.store_timeout).run(found.poster, write_poster, found.poster, poster)
            return published


def _figures(manifest: Mapping[str, Any]) -> str:
    told = f"{manifest.get('bytes'):,} bytes, SHA-256 {manifest.get('sha256')}"
    return f"{told}, request id {manifest['request_id']}" if manifest.get("request_id") else told


async def _poster(stage: Path) -> Poster:
    """Return what a video shows; one that takes long to decode has no poster."""
    try:
        async with asyncio.timeout(_POSTER_TIMEOUT):
            return await asyncio.to_thread(poster_of, stage)
    except TimeoutError:
        log.warning("No poster: the video was not decoded within %.0f s.", _POSTER_TIMEOUT)
        return Poster()


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
