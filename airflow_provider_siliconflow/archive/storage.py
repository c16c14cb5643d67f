"""Fetch URLs from the storage, within what the policy allows; knows nothing of videos."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urljoin

import aiohttp
from yarl import URL

from airflow_provider_siliconflow.archive.options import DownloadOptions
from airflow_provider_siliconflow.archive.url_policy import SsrfGuard, UrlPolicy
from airflow_provider_siliconflow.client import signed_urls
from airflow_provider_siliconflow.client.masking import describe_error, excerpt
from airflow_provider_siliconflow.exceptions import (
    SiliconFlowConnectionError,
    SiliconFlowError,
    UnsafeUrlError,
    VideoIntegrityError,
)
from airflow_provider_siliconflow.hooks.http import proxy_for

_MAX_REDIRECTS = 5
_REDIRECTS = (301, 302, 303, 307, 308)
#: Client errors that pass: too slow, a range out of bounds (the next try starts over), too early, too many.
_TRANSIENT = (408, 416, 425, 429)
_READ_BUFFER = 1 << 19
#: Bytes of a rejection that are read for its reason.
_EXCERPT = 4096
#: Content encodings that leave the bytes as they are; the last one is of an upload, and some storages keep it.
_PLAIN = {"", "identity", "aws-chunked"}


class TransientDownloadError(Exception):
    """Raised when a connection failed in a way that may pass; carries the error to end with if it does not."""

    def __init__(self, error: SiliconFlowError) -> None:
        super().__init__(str(error))
        self.error = error


class Storage:
    """
    A client of the storage; an asynchronous context manager for one download.

    :param options: How, and within which limits.
    :param policy: Which URLs may be fetched.
    """

    def __init__(self, options: DownloadOptions, policy: UrlPolicy) -> None:
        self._options = options
        self._policy = policy
        self._guard = SsrfGuard(policy)

    async def __aenter__(self) -> Storage:
        stall = self._options.stall_timeout
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(socket_factory=self._guard, ssl=self._options.ssl),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=stall, sock_read=stall),
            cookie_jar=aiohttp.DummyCookieJar(),
            read_bufsize=_READ_BUFFER,
            auto_decompress=False,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    @asynccontextmanager
    async def get(self, url: str, headers: dict[str, str]) -> AsyncIterator[aiohttp.ClientResponse]:
        """Get a URL, redirects followed; turn what goes wrong on the way into errors that show no signature."""
        first, redirected = url, ""
        try:
            for _ in range(_MAX_REDIRECTS + 1):
                url = self._admit(url, redirected)
                proxy = proxy_for(url, self._options)
                self._guard.expect(to_proxy=proxy is not None)
                target = URL(url, encoded=True)
                answer = self._session.get(target, headers=headers, allow_redirects=False, proxy=proxy)
                async with answer as response:
                    if response.status not in _REDIRECTS or "Location" not in response.headers:
                        yield response
                        return
                    redirected = f" {signed_urls.mask(url)} redirected to it."
                    url = _redirected(url, response.headers["Location"])
        except aiohttp.ClientPayloadError:
            raise TransientDownloadError(
                VideoIntegrityError(f"The body from {signed_urls.mask(url)} was cut short.")
            ) from None
        except (aiohttp.ClientError, OSError) as error:
            if self._guard.refused and isinstance(error, aiohttp.ClientConnectorError):
                raise UnsafeUrlError(
                    f"The URL {signed_urls.mask(url)} leads to a private address: {self._guard.refused}.{redirected}"
                ) from None
            # Not chained: some of aiohttp's errors show the whole URL.
            raise TransientDownloadError(connection_error(url, describe_error(error))) from None
        raise UnsafeUrlError(
            f"The URL {signed_urls.mask(first)} redirects more than {_MAX_REDIRECTS} times, at last to"
            f" {signed_urls.mask(url)}."
        )

    def _admit(self, url: str, redirected: str) -> str:
        """Return a URL as it is to be sent, if it may be fetched."""
        try:
            return self._policy.check(url)
        except UnsafeUrlError as error:
            raise UnsafeUrlError(f"{error.message}{redirected}") from None


def _redirected(url: str, location: str) -> str:
    """Return where a redirect leads, which the policy has not seen yet."""
    try:
        return urljoin(url, location).partition("#")[0]
    except ValueError:
        shown = signed_urls.mask(url)
        raise UnsafeUrlError(
            f"The URL {shown} redirects to a malformed URL ({excerpt(location, length=80)})."
        ) from None


@dataclass(frozen=True)
class Body:
    """
    A whole body, as its first answer told of it.

    :param total: Its size in bytes, if known.
    :param etag: Its ETag, if any.
    :param last_modified: Its Last-Modified, if any.
    :param is_plain: Whether it is not encoded, by its headers.
    """

    total: int | None = None
    etag: str | None = None
    last_modified: str | None = None
    is_plain: bool = True

    @classmethod
    def of(cls, response: aiohttp.ClientResponse) -> Body:
        """
        Return what an answer tells of its body.

        :param response: With status 200.
        :return: The whole body.
        """
        headers = response.headers
        total = None if headers.get("Transfer-Encoding") else response.content_length
        return cls(total, headers.get("ETag"), headers.get("Last-Modified"), _is_plain(response))

    @property
    def is_resumable(self) -> bool:
        """Whether a later part can be told to be of this body: only a strong ETag vouches for bytes."""
        etag = self.etag or ""
        return self.is_plain and len(etag) > 2 and etag.startswith('"') and etag.endswith('"')

    def headers_from(self, start: int) -> dict[str, str]:
        """
        Return the headers of a request for the body.

        :param start: The first byte that is wanted; above 0 only if the body is resumable.
        :return: Without ``Range`` for the whole body.
        """
        headers = {"Accept-Encoding": "identity"}
        return headers | {"Range": f"bytes={start}-", "If-Range": self.etag or ""} if start else headers

    def total_by_part(self, response: aiohttp.ClientResponse, start: int) -> int | None:
        """
        Return the size of the whole body as a partial answer tells it.

        :param response: With status 206.
        :param start: The byte that was asked for.
        :return: None if the answer is not the rest of this body from that byte on.
        """
        headers = response.headers
        found = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", headers.get("Content-Range", ""))
        if not found:
            return None
        begin, end, total = (int(text) for text in found.groups())
        fits = (
            begin == start <= end < total
            and self.total in (None, total)
            and response.content_length in (None, end + 1 - begin)
            and headers.get("ETag") == self.etag
            and headers.get("Last-Modified") in (None, self.last_modified)
            and _is_plain(response)
        )
        return total if fits else None


def is_transient(status: int) -> bool:
    """Tell whether an HTTP status may be gone at the next attempt."""
    return status >= 500 or status in _TRANSIENT


def is_rejection(status: int) -> bool:
    """Tell whether an HTTP status means that the storage does not accept the URL."""
    return 400 <= status < 500 and status not in _TRANSIENT


async def explain(response: aiohttp.ClientResponse) -> str:
    """Return why a URL was rejected: the status, and the code and message of the storage's XML; nothing else of it."""
    body = (await response.content.read(_EXCERPT)).decode("utf-8", "replace")
    found = (re.search(rf"<{tag}>([^<]{{1,200}})</{tag}>", body) for tag in ("Code", "Message"))
    return " ".join([f"HTTP {response.status}", *(excerpt(match[1]) for match in found if match)])


def connection_error(url: str, what: str) -> SiliconFlowConnectionError:
    """Make the error for a storage that gave no whole answer."""
    return SiliconFlowConnectionError(what, host=signed_urls.mask(url))


def _is_plain(response: aiohttp.ClientResponse) -> bool:
    """Tell whether a body is not encoded, by its headers."""
    told = ",".join(response.headers.getall("Content-Encoding", []))
    return {token.strip().lower() for token in told.split(",")} <= _PLAIN
