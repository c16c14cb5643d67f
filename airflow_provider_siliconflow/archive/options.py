"""How a video is downloaded, and within which limits."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ssl import SSLContext
    from types import TracebackType

#: Seconds for a call to a store, where a connection does not say otherwise.
STORE_TIMEOUT = 60.0
#: Bytes by which a download must have grown for its limit to be set anew.
_STEP = 1 << 20


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
    :param store_timeout: Seconds for each call to the destination's store besides the upload.
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
    store_timeout: float = STORE_TIMEOUT

    def time_for(self, size: int) -> float:
        """
        Return the seconds that one download may take, resumptions and pauses included.

        :param size: Bytes of the video, as far as is known.
        :return: Seconds.
        """
        return self.timeout + size / self.min_rate


class TimeLimit:
    """
    A time limit that grows with the size of what is downloaded; an asynchronous context manager.

    Raises ``TimeoutError`` at its end, and then :attr:`has_expired`.

    :param options: The seconds for any download and the least rate.
    """

    def __init__(self, options: DownloadOptions) -> None:
        self._options = options
        self._size = 0
        self._timeout = asyncio.timeout(options.timeout)

    async def __aenter__(self) -> TimeLimit:
        self._began = asyncio.get_running_loop().time()
        await self._timeout.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._timeout.__aexit__(kind, error, trace)

    @property
    def has_expired(self) -> bool:
        """Return whether the time was over."""
        return self._timeout.expired()

    def allow_for(self, size: int) -> None:
        """
        Extend the limit to what a video may take.

        :param size: Its bytes, as far as is known.
        """
        if size >= self._size + _STEP or not self._size:
            self._size = size
            self._timeout.reschedule(self._began + self._options.time_for(size))

    def __str__(self) -> str:
        return (
            f"{self._options.time_for(self._size):.0f} s, which is all that is allowed (download_timeout"
            f" {self._options.timeout:.0f} s, and the size at download_min_rate {self._options.min_rate:.0f} bytes/s)"
        )
