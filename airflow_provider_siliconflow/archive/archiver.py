"""Archive one video: from its link to its published file and manifest. What all operators call."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from airflow_provider_siliconflow import __version__
from airflow_provider_siliconflow.archive.atomic_write import staging
from airflow_provider_siliconflow.archive.download import Downloaded, download, utc_now
from airflow_provider_siliconflow.archive.publish import IfExists, publish, resolve_destination, resolve_existing
from airflow_provider_siliconflow.archive.storage import DownloadOptions
from airflow_provider_siliconflow.client.models import VideoState, VideoStatus
from airflow_provider_siliconflow.exceptions import VideoFailedPermanentlyError

__all__ = ["DownloadOptions", "IfExists", "VideoFacts", "archive_video"]

log = logging.getLogger(__name__)

FreshStatus = Callable[[], Awaitable[VideoStatus]]


@dataclass(frozen=True)
class VideoFacts:
    """
    Hold what the manifest tells of a video beside its bytes; None where it is not known.

    :param request_id: What the submit answered.
    :param model: The model that made it.
    :param prompt: Left out of the manifest if None.
    :param seed: The seed used.
    :param inference_seconds: As the service tells.
    :param trace_ids: ``x-siliconcloud-trace-id`` of the calls, for the vendor's support.
    """

    request_id: str | None = None
    model: str | None = None
    prompt: str | None = None
    seed: int | None = None
    inference_seconds: float | None = None
    trace_ids: tuple[str, ...] = ()

    def with_status(self, seen: VideoStatus) -> VideoFacts:
        """Return these facts and those that a look at the video told."""
        return replace(
            self,
            seed=seen.seed,
            inference_seconds=seen.inference_seconds,
            trace_ids=(*self.trace_ids, seen.trace_id) if seen.trace_id else self.trace_ids,
        )


async def archive_video(
    destination: str,
    *,
    url: str | None,
    video: VideoFacts,
    network: DownloadOptions,
    if_exists: IfExists = "fail",
    fresh_status: FreshStatus | None = None,
    clock: Callable[[], datetime] = utc_now,
) -> dict[str, Any]:
    """
    Bring a video to where it lasts; safe to repeat, at any time and after any crash.

    :param destination: As for :func:`~airflow_provider_siliconflow.archive.publish.resolve_destination`.
    :param url: Its signed link; None to ask ``fresh_status`` first.
    :param video: What is known of it.
    :param network: How it is fetched, and within which limits.
    :param if_exists: What to do if another video is there. The very same one, whole, is taken as done in any case.
    :param fresh_status: Looks at the video now; asked when the link is dead or about to die.
    :param clock: Tells the time, aware.
    :return: The manifest.
    :raises DestinationError: if the destination cannot be used.
    :raises VideoExpiredError: if the link is dead and there is no other.
    :raises VideoIntegrityError: if what came is not a whole video.
    :raises UnsafeUrlError: if the link leads where it must not.
    :raises SiliconFlowConnectionError: if the storage kept failing.
    :raises VideoFailedPermanentlyError: if the service, asked for a link, says that the video failed.
    """
    path = await asyncio.to_thread(resolve_destination, destination, video.request_id)
    existing = await asyncio.to_thread(resolve_existing, path, video.request_id, if_exists)
    if existing is not None:
        log.info("%s is there already: nothing is downloaded.", path)
        return existing
    looks = _Polls(fresh_status) if fresh_status else None
    with staging(path) as stage:
        fetched = await download(url, stage, network, fresh_url=looks.fresh_url if looks else None, clock=clock)
        facts = video.with_status(looks.last) if looks and looks.last else video
        manifest = _manifest(facts, fetched, str(path), clock())
        return await asyncio.to_thread(publish, stage, path, manifest, if_exists)


class _Polls:
    """Look at a video for a link, and remember what else was seen."""

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
