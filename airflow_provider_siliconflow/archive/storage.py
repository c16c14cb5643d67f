"""Fetch URLs from the storage, within what the policy allows; knows nothing of videos."""

from __future__ import annotations

import re
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
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

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from airflow_provider_siliconflow.archive.options import DownloadOptions

_MAX_REDIRECTS = 5
_REDIRECTS = (301, 302, 303, 307, 308)
#: Client errors that pass: too slow, a range out of bounds (the next try starts over), too early, too many.
_TRANSIENT = (408, 416, 425, 429)
_READ_BUFFER = 1 << 19
#: Bytes of a rejection that are read for its reason.
_EXCERPT = 4096


class TransientDownloadError(Exception):
    """
    Raised when a connection failed in a way that may pass.

    :param error: The error to end with if it does not pass.
    """

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
        """
        Get a URL, redirects followed.

        :param url: Where to; checked by the policy, as is each redirect.
        :param headers: Of the request.
        :yield: The response, whatever its status; its body is not read.
        :raises UnsafeUrlError: if the URL, or where it redirects to, may not be fetched.
        :raises TransientDownloadError: if the connection failed; its error shows no signature.
        """
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
    """
    Tell whether an HTTP status may be gone at the next attempt.

    :param status: The status.
    :return: True for 5xx, 408, 416, 425 and 429.
    """
    return status >= 500 or status in _TRANSIENT


def is_rejection(status: int) -> bool:
    """
    Tell whether an HTTP status means that the storage does not accept the URL.

    :param status: The status.
    :return: True for every other 4xx; an expired URL gets 403.
    """
    return 400 <= status < 500 and status not in _TRANSIENT


async def explain(response: aiohttp.ClientResponse) -> str:
    """
    Return why a URL was rejected.

    :param response: Of the storage; the first 4 KiB of its body are read.
    :return: The status, and the code and message of the storage's XML; nothing else of it.
    """
    body = (await response.content.read(_EXCERPT)).decode("utf-8", "replace")
    found = (re.search(rf"<{tag}>([^<]{{1,200}})</{tag}>", body) for tag in ("Code", "Message"))
    return " ".join([f"HTTP {response.status}", *(excerpt(match[1]) for match in found if match)])


def connection_error(url: str, what: str) -> SiliconFlowConnectionError:
    """
    Return the error for a storage that gave no whole response.

    :param url: Where to; its query is masked.
    :param what: What happened.
    :return: The error.
    """
    return SiliconFlowConnectionError(what, host=signed_urls.mask(url))
