"""Stream a link to a local file: resumed where it breaks off, checked to be a whole video."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import tenacity

from airflow_provider_siliconflow.archive import media_types
from airflow_provider_siliconflow.archive.storage import (
    DownloadOptions,
    Storage,
    TransientDownloadError,
    connection_error,
    explain,
    is_passing,
    is_refusal,
)
from airflow_provider_siliconflow.archive.url_policy import UrlPolicy
from airflow_provider_siliconflow.archive.url_source import FreshUrl, RefreshableUrl
from airflow_provider_siliconflow.archive.writer import FileWriter
from airflow_provider_siliconflow.client import signed_urls
from airflow_provider_siliconflow.exceptions import VideoIntegrityError

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Downloaded:
    """
    Describe a whole video in a local file.

    :param path: The file, synced to disk.
    :param size: Bytes.
    :param sha256: In hexadecimal.
    :param content_type: The storage's, or what the bytes tell where it says nothing of a video.
    :param etag: The storage's, if any.
    :param url: The link it came from, masked.
    :param url_expires_at: When that link dies, if it tells.
    :param resumed: Times the download was taken up in the middle.
    """

    path: Path
    size: int
    sha256: str
    content_type: str
    etag: str | None
    url: str
    url_expires_at: datetime | None
    resumed: int


def utc_now() -> datetime:
    """Return the time, aware."""
    return datetime.now(UTC)


async def download(
    url: str | None,
    path: Path,
    network: DownloadOptions,
    *,
    fresh_url: FreshUrl | None = None,
    clock: Callable[[], datetime] = utc_now,
) -> Downloaded:
    """
    Download a video.

    :param url: Its signed link, used byte for byte; None to ask for one first.
    :param path: An existing, empty local file.
    :param network: How, and within which limits.
    :param fresh_url: Asks the service for a link that lives.
    :param clock: Tells the time, aware.
    :raises UnsafeUrlError: if the link, or where it redirects to, may not be followed.
    :raises VideoExpiredError: if the link is dead and there is no other.
    :raises VideoIntegrityError: if what came is no video, not whole, or too large.
    :raises SiliconFlowConnectionError: if the storage kept failing.
    :raises DestinationError: if the file could not be written.
    """
    rules = await UrlPolicy.of_api(network.api_base_url)
    sink = FileWriter(path)
    try:
        async with Storage(network, rules) as storage:
            job = _Job(storage, sink, RefreshableUrl(url, fresh_url, clock, network.link_margin), network)
            return await job.run(path)
    finally:
        await sink.close()


class _Job:
    """Bring one video into a sink, over as many connections as it takes."""

    def __init__(self, storage: Storage, sink: FileWriter, link: RefreshableUrl, network: DownloadOptions) -> None:
        self._storage = storage
        self._sink = sink
        self._link = link
        self._network = network
        self._url = ""
        #: Size of the whole body, if known.
        self._total: int | None = None
        self._etag: str | None = None
        self._content_type = ""
        self._resumed = 0

    async def run(self, path: Path) -> Downloaded:
        retrying = tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception_type(TransientDownloadError),
            stop=tenacity.stop_after_attempt(self._network.max_attempts),
            wait=tenacity.wait_random_exponential(multiplier=0.5, max=self._network.max_backoff),
            before_sleep=self._tell,
            reraise=True,
        )
        try:
            await retrying(self._attempt)
        except TransientDownloadError as broken:
            raise broken.error from None
        return Downloaded(
            path=path,
            size=self._sink.size,
            sha256=await self._sink.finish(),
            content_type=self._content_type,
            etag=self._etag,
            url=signed_urls.mask(self._url),
            url_expires_at=self._link.expires_at(),
            resumed=self._resumed,
        )

    def _tell(self, state: tenacity.RetryCallState) -> None:
        why = state.outcome.exception() if state.outcome else None
        pause = state.next_action.sleep if state.next_action else 0
        log.warning("Broke off at byte %d: %s Trying again in %.1f s.", self._sink.size, why, pause)

    async def _attempt(self) -> None:
        while True:
            await self._take_link()
            async with self._storage.get(self._url, self._headers()) as response:
                if not is_refusal(response.status):
                    await self._accept(response)
                    return
                said = await explain(response)
            await self._link.refused(self._sink.received, said)

    async def _take_link(self) -> None:
        url = await self._link.current(self._sink.received)
        if url != self._url and not _is_strong(self._etag):
            # Nothing would tell whether the rest behind another link is the rest of this video.
            await self._start_over()
        self._url = url

    def _headers(self) -> dict[str, str]:
        headers = {"Accept-Encoding": "identity"}
        if self._sink.size:
            headers["Range"] = f"bytes={self._sink.size}-"
            if self._etag and _is_strong(self._etag):
                headers["If-Range"] = self._etag
        return headers

    async def _start_over(self) -> None:
        self._total = self._etag = None
        await self._sink.restart()

    async def _accept(self, response: aiohttp.ClientResponse) -> None:
        """Take the body of an answer, or say why it is none."""
        if response.status == 206 and self._sink.size:
            await self._check_range(response)
        elif response.status == 200:
            await self._start_over()
            self._total = None if response.headers.get("Transfer-Encoding") else response.content_length
            self._etag = response.headers.get("ETag")
            self._check_head_of(response)
        elif is_passing(response.status):
            if response.status == 416:
                await self._start_over()
            raise TransientDownloadError(connection_error(self._url, f"it answered HTTP {response.status}"))
        else:
            raise VideoIntegrityError(f"{signed_urls.mask(self._url)} answered HTTP {response.status}: no video.")
        await self._receive(response)

    def _check_head_of(self, response: aiohttp.ClientResponse) -> None:
        """Check what the headers tell of a whole body."""
        url = signed_urls.mask(self._url)
        if self._total is None and "chunked" not in response.headers.get("Transfer-Encoding", "").lower():
            raise VideoIntegrityError(f"{url} does not tell how long its body is: a cut one would pass for whole.")
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise VideoIntegrityError(f"{url} answered with an encoded body, which was not asked for.")
        self._check_size(self._total or 0)

    async def _check_range(self, response: aiohttp.ClientResponse) -> None:
        """Check that a partial answer is the rest of the very body of which the sink holds the start."""
        found = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
        starts = int(found[1]) if found else None
        total = int(found[2]) if found and found[2] != "*" else None
        same = self._total is None or total in (None, self._total)
        if starts != self._sink.size or not same or response.headers.get("ETag") != self._etag:
            await self._start_over()
            raise TransientDownloadError(connection_error(self._url, "it answered with a range that was not asked for"))
        self._total = self._total if self._total is not None else total
        self._resumed += 1
        log.info("Resuming %s at byte %d", signed_urls.mask(self._url), self._sink.size)

    def _check_size(self, size: int) -> None:
        if size > self._network.max_bytes:
            limit = self._network.max_bytes
            raise VideoIntegrityError(f"{signed_urls.mask(self._url)} is larger than the {limit} bytes allowed.")

    async def _receive(self, response: aiohttp.ClientResponse) -> None:
        sink = self._sink
        judged = sink.size >= media_types.ENOUGH
        async for chunk in response.content.iter_any():
            await sink.write(chunk)
            self._check_size(sink.size)
            if not judged and sink.size >= media_types.ENOUGH:
                self._check_is_video(response)
                judged = True
        if self._total is not None and sink.size < self._total:
            raise TransientDownloadError(
                VideoIntegrityError(f"The body from {signed_urls.mask(self._url)} was cut short.")
            )
        self._check_is_video(response)

    def _check_is_video(self, response: aiohttp.ClientResponse) -> None:
        told = response.headers.get("Content-Type", "").partition(";")[0].strip()
        seen = media_types.video_type(self._sink.head)
        if seen is None:
            looks = media_types.describe(self._sink.head)
            raise VideoIntegrityError(
                f"What {signed_urls.mask(self._url)} gave is no video: it is {looks}"
                f" (content type {told or 'not given'},"
                f" {self._total if self._total is not None else 'unknown'} bytes)."
            )
        self._content_type = told if told.startswith("video/") else seen


def _is_strong(etag: str | None) -> bool:
    """Tell whether an ETag vouches for the bytes."""
    return etag is not None and not etag.startswith("W/")
