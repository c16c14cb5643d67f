"""Where the bytes of a video come from: what an earlier try kept on this worker, or its URL."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from airflow_provider_siliconflow.archive.download import download
from airflow_provider_siliconflow.archive.kept import KeptVideo
from airflow_provider_siliconflow.archive.staging import staging
from airflow_provider_siliconflow.client.masking import describe_error
from airflow_provider_siliconflow.client.models import VideoState, VideoStatus
from airflow_provider_siliconflow.exceptions import VideoFailedPermanentlyError

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from airflow_provider_siliconflow.archive.body import Downloaded
    from airflow_provider_siliconflow.archive.options import DownloadOptions

FreshStatus = Callable[[], Awaitable[VideoStatus]]


def is_remote(destination: object) -> bool:
    """
    Return whether a destination is in a store, by its text alone: that store may be the one that is away.

    :param destination: As for :func:`~airflow_provider_siliconflow.archive.destination.understand`.
    :return: False for a local path.
    """
    scheme, found, _ = str(destination).strip().lower().partition("://")
    return bool(found) and scheme not in ("file", "local")


class VideoSource:
    """
    The bytes of one video.

    :param request_id: The video's id, if known.
    :param url: Its signed URL; None to ask ``fresh_status`` first.
    :param options: How it is fetched, and within which limits.
    :param fresh_status: Polls the video now.
    :param clock: Tells the time, aware.
    """

    def __init__(
        self,
        request_id: str | None,
        url: str | None,
        options: DownloadOptions,
        fresh_status: FreshStatus | None,
        clock: Callable[[], datetime],
    ) -> None:
        self._url = url
        self._options = options
        self._fresh_status = fresh_status
        self._clock = clock
        self.kept = KeptVideo(request_id, options.api_base_url)
        #: What the last poll for a URL told.
        self.last: VideoStatus | None = None

    async def fill(self, stage: Path) -> Downloaded:
        """
        Fill a staging file with the whole video.

        :param stage: An empty local file.
        :return: What is known of it.
        :raises SiliconFlowError: as :func:`~airflow_provider_siliconflow.archive.download.download`.
        """
        if known := await asyncio.to_thread(self.kept.copy_to, stage):
            return known
        fresh_url = self._poll if self._fresh_status else None
        return await download(self._url, stage, self._options, fresh_url=fresh_url, clock=self._clock)

    async def keep(self) -> str:
        """
        Download the video while its store is away, unless it is kept already.

        :return: What a message tells of that.
        """
        from airflow.sdk import ObjectStoragePath

        try:
            if not await asyncio.to_thread(self.kept.find):
                with staging(ObjectStoragePath(f"{tempfile.gettempdir()}/kept.mp4")) as stage:
                    await asyncio.to_thread(self.kept.keep, stage, await self.fill(stage))
        except Exception as error:
            return f"Nor could the video be downloaded meanwhile: {describe_error(error)}"
        return await asyncio.to_thread(self.kept.describe)

    async def _poll(self) -> str | None:
        assert self._fresh_status
        self.last = await self._fresh_status()
        if self.last.status is VideoState.FAILED:
            raise VideoFailedPermanentlyError(
                f"There is nothing to archive: the service says that the video {self.last.request_id} failed:"
                f" {self.last.reason or '(no reason given)'}",
                request_id=self.last.request_id,
                reason=self.last.reason,
            )
        return self.last.url
