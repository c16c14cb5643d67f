"""Fetch URLs from the storage, within what the policy allows; knows nothing of videos."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ssl import SSLContext
from urllib.parse import urljoin

import aiohttp
from yarl import URL

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


@dataclass(frozen=True)
class DownloadOptions:
    """
    How URLs are fetched, and within which limits.

    :param api_base_url: The API's base URL: URLs may be http, or lead to private addresses, only if it does.
    :param proxy: URL of an HTTP proxy, or None for what the environment says.
    :param ssl: A TLS context, True for the system's, False to trust any server.
    :param max_attempts: Connections for one download, resumed ones included.
    :param max_backoff: Seconds between two of them at most.
    :param stall_timeout: Seconds without a byte until a connection is given up.
    :param max_bytes: Size of a video at most.
    :param expiry_margin: Seconds before its expiry from which on a fresh URL is asked for.
    :param timeout: Seconds that a download may take whatever its size.
    :param min_rate: Bytes a second that a video must come with; its size by this is added to ``timeout``.
    """

    api_base_url: str
    proxy: str | None = field(default=None, repr=False)
    ssl: SSLContext | bool = True
    max_attempts: int = 5
    max_backoff: float = 30.0
    stall_timeout: float = 60.0
    max_bytes: int = 4 << 30
    expiry_margin: float = 15.0
    timeout: float = 300.0
    min_rate: float = 65536.0

    def time_for(self, size: int) -> float:
        """
        Return the seconds that one download may take, resumptions and pauses included.

        :param size: Bytes of the video, as far as is known.
        """
        return self.timeout + size / self.min_rate


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
