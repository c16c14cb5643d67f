"""How long one download may take, by its size."""

from __future__ import annotations

import asyncio
from types import TracebackType

from airflow_provider_siliconflow.archive.storage import DownloadOptions
from airflow_provider_siliconflow.archive.writer import BLOCK


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
        if size >= self._size + BLOCK or not self._size:
            self._size = size
            self._timeout.reschedule(self._began + self._options.time_for(size))

    def __str__(self) -> str:
        return (
            f"{self._options.time_for(self._size):.0f} s, which is all that is allowed (download_timeout"
            f" {self._options.timeout:.0f} s, and the size at download_min_rate {self._options.min_rate:.0f} bytes/s)"
        )
