"""Stream a URL to a local file: resumed where it breaks off, checked to be a whole video."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from typing import TYPE_CHECKING, NoReturn

import tenacity

from airflow_provider_siliconflow.archive import media_types
from airflow_provider_siliconflow.archive.body import Body, Downloaded
from airflow_provider_siliconflow.archive.options import DownloadOptions, TimeLimit
from airflow_provider_siliconflow.archive.storage import (
    Storage,
    TransientDownloadError,
    connection_error,
    explain,
    is_rejection,
    is_transient,
)
from airflow_provider_siliconflow.archive.url_policy import UrlPolicy
from airflow_provider_siliconflow.archive.url_source import FreshUrl, RefreshableUrl, utc_now
from airflow_provider_siliconflow.archive.writer import FileWriter
from airflow_provider_siliconflow.client import signed_urls
from airflow_provider_siliconflow.client.file_types import ENOUGH
from airflow_provider_siliconflow.exceptions import VideoIntegrityError

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    import aiohttp

log = logging.getLogger(__name__)


async def download(
    url: str | None,
    path: Path,
    options: DownloadOptions,
    *,
    fresh_url: FreshUrl | None = None,
    clock: Callable[[], datetime] = utc_now,
) -> Downloaded:
    """
    Download a video to a file, which is synced to the disk.

    :param url: Its signed URL, used byte for byte; None to ask for one first.
    :param path: An existing, empty local file.
    :param options: How, and within which limits.
    :param fresh_url: Asks the service for a URL that is valid.
    :param clock: Tells the time, aware.
    :return: What was downloaded.
    :raises UnsafeUrlError: if the URL, or where it redirects to, may not be fetched.
    :raises VideoExpiredError: if the URL is expired and there is no other.
    :raises VideoIntegrityError: if what came is no video, not whole, or too large.
    :raises SiliconFlowConnectionError: if the storage kept failing, or was too slow.
    :raises DestinationError: if the file could not be written.
    """
    try:
        # Not by wait_for, which on Python 3.11 drops a cancellation that comes together with the result.
        async with asyncio.timeout(options.timeout):
            policy = await UrlPolicy.of_api(options.api_base_url)
    except TimeoutError:
        raise connection_error(options.api_base_url, "its name is not resolved") from None
    writer = FileWriter(path)
    try:
        async with Storage(options, policy) as storage:
            source = RefreshableUrl(url, fresh_url, clock, options.expiry_margin)
            return await _Download(storage, writer, source, options, path).run()
    finally:
        await writer.close()


class _Download:
    """
    One download of a video into a file, over as many connections as it takes.

    :param storage: Where it is.
    :param writer: Writes the file.
    :param source: Gives its URL.
    :param options: The limits.
    :param path: The file.
    """

    def __init__(
        self, storage: Storage, writer: FileWriter, source: RefreshableUrl, options: DownloadOptions, path: Path
    ) -> None:
        self._storage = storage
        self._writer = writer
        self._source = source
        self._options = options
        self._path = path
        self._url = ""
        self._body = Body()
        self._content_type = ""
        self._limit = TimeLimit(options)
        #: Whether this storage has responded to each Range as it should.
        self._trusts_ranges = True

    async def run(self) -> Downloaded:
        """
        Download within the time that the size allows.

        :return: What was downloaded.
        :raises SiliconFlowError: as :func:`download`.
        :raises TimeoutError: one that is not of this download.
        """
        try:
            async with self._limit:
                return await self._run()
        except TransientDownloadError as broken:
            raise broken.error from None
        except TimeoutError:
            if not self._limit.has_expired:
                raise
            came = f"{self._writer.size} of {media_types.count(self._body.total)}"
            raise connection_error(self._url, f"{came} came within {self._limit}") from None

    async def _run(self) -> Downloaded:
        retrying = tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception_type(TransientDownloadError),
            stop=tenacity.stop_after_attempt(self._options.max_attempts),
            wait=tenacity.wait_random_exponential(multiplier=0.5, max=self._options.max_backoff),
            before_sleep=self._log_retry,
            reraise=True,
        )
        await retrying(self._attempt)
        return Downloaded(
            size=self._writer.size,
            sha256=await self._writer.finish(),
            content_type=self._content_type,
            url=signed_urls.mask(self._url),
        )

    def _log_retry(self, state: tenacity.RetryCallState) -> None:
        why = state.outcome.exception() if state.outcome else None
        pause = state.next_action.sleep if state.next_action else 0
        log.warning("Broke off at byte %d: %s Trying again in %.1f s.", self._writer.size, why, pause)

    async def _attempt(self) -> None:
        while True:
            await self._take_url()
            async with self._storage.get(self._url, self._body.headers_from(self._writer.size)) as response:
                if not is_rejection(response.status):
                    await self._accept(response)
                    return
                said = await explain(response)
            await self._source.rejected(self._writer.received, said)

    async def _take_url(self) -> None:
        self._url = await self._source.current(self._writer.received)
        if not (self._trusts_ranges and self._body.is_resumable):
            # Nothing would tell whether the rest is the rest of this very body.
            await self._start_over()

    async def _start_over(self) -> None:
        self._body = Body()
        await self._writer.restart()

    async def _accept(self, response: aiohttp.ClientResponse) -> None:
        """Receive the body of a response, or raise why it is none."""
        if response.status == 206 and self._writer.size:
            await self._check_part(response)
        elif response.status == 200:
            await self._start_over()
            self._body = Body.of(response)
            self._check_length(response)
        elif is_transient(response.status):
            if response.status == 416:
                await self._start_over()
            raise TransientDownloadError(connection_error(self._url, f"it answered HTTP {response.status}"))
        else:
            raise VideoIntegrityError(f"{signed_urls.mask(self._url)} answered HTTP {response.status}: no video.")
        await self._receive(response)

    def _check_length(self, response: aiohttp.ClientResponse) -> None:
        """Check what the headers say of the length of a whole body."""
        if self._body.total is None and "chunked" not in response.headers.get("Transfer-Encoding", "").lower():
            raise VideoIntegrityError(
                f"{signed_urls.mask(self._url)} does not tell how long its body is: a cut one would pass for whole."
            )
        self._check_size(self._body.total or 0)

    async def _check_part(self, response: aiohttp.ClientResponse) -> None:
        """Check that a partial response is the rest of the very body of which the file has the start."""
        size = self._writer.size
        total = self._body.total_by_part(response, size)
        if total is None:
            await self._reject_part("it answered with another range than was asked for")
        self._body = replace(self._body, total=total)
        log.info("Resuming %s at byte %d", signed_urls.mask(self._url), size)

    async def _reject_part(self, why: str) -> NoReturn:
        self._trusts_ranges = False
        await self._start_over()
        raise TransientDownloadError(connection_error(self._url, why))

    def _check_size(self, size: int) -> None:
        if size > self._options.max_bytes:
            limit = self._options.max_bytes
            raise VideoIntegrityError(f"{signed_urls.mask(self._url)} is larger than the {limit} bytes allowed.")

    async def _receive(self, response: aiohttp.ClientResponse) -> None:
        writer, total = self._writer, self._body.total
        self._limit.allow_for(total or 0)
        is_checked = writer.size >= ENOUGH
        async for chunk in response.content.iter_any():
            await writer.write(chunk)
            self._check_size(writer.size)
            self._limit.allow_for(max(writer.size, total or 0))
            if total is not None and writer.size > total:
                await self._reject_part(f"it sent more than the {total} bytes of the video")
            if not is_checked and writer.size >= ENOUGH:
                self._check_is_video(response)
                is_checked = True
        if total is not None and writer.size < total:
            raise TransientDownloadError(
                VideoIntegrityError(f"The body from {signed_urls.mask(self._url)} was cut short.")
            )
        self._check_is_video(response)
        await self._check_is_whole()

    def _check_is_video(self, response: aiohttp.ClientResponse) -> None:
        # Bytes are believed before headers.
        seen = media_types.video_type(self._writer.head)
        if seen is None:
            what = media_types.describe_body(self._writer.head, response.headers, self._body.total)
            raise VideoIntegrityError(f"What {signed_urls.mask(self._url)} gave is no video: it is {what}.")
        declared = media_types.declared_type(response.headers)
        self._content_type = declared if declared.startswith("video/") else seen

    async def _check_is_whole(self) -> None:
        await self._writer.flush()
        if missing := await asyncio.to_thread(media_types.what_is_missing, self._path):
            await self._start_over()
            raise TransientDownloadError(
                VideoIntegrityError(f"The video from {signed_urls.mask(self._url)} is not whole: {missing}.")
            )
