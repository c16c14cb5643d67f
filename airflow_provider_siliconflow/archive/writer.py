"""Write a download to a file and through SHA-256, on a thread, while the download continues."""

from __future__ import annotations

import asyncio
import hashlib
import os
from typing import TYPE_CHECKING

from airflow_provider_siliconflow.archive.errors import destination_error

if TYPE_CHECKING:
    from pathlib import Path

#: Bytes handed to the thread at a time: enough that the hand-over costs nothing, few enough to hold two of them.
BLOCK = 1 << 20
#: Seconds that closing waits for a disk.
_CLOSE_TIMEOUT = 30.0


class FileWriter:
    """
    A file that a body is written to in order, with its hash; at most two blocks are in memory.

    :param path: The file to write; it exists and is empty.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("r+b", buffering=0)
        self._hash = hashlib.sha256()
        self._chunks: list[bytes] = []
        self._waiting = 0
        self._storing: asyncio.Future[None] | None = None
        #: Bytes of the body so far.
        self.size = 0
        #: Bytes ever written, those of bodies given up included.
        self.received = 0
        #: The first bytes of the body.
        self.head = b""

    async def write(self, chunk: bytes) -> None:
        """
        Write the next bytes of the body.

        :param chunk: Some bytes.
        :raises DestinationError: if an earlier block could not be written.
        """
        if len(self.head) < 64:
            self.head += chunk[: 64 - len(self.head)]
        self._chunks.append(chunk)
        self._waiting += len(chunk)
        self.size += len(chunk)
        self.received += len(chunk)
        if self._waiting >= BLOCK:
            await self._hand_over()

    async def restart(self) -> None:
        """
        Discard the body so far.

        :raises DestinationError: if the file cannot be emptied.
        """
        if not self.size:
            return
        await self.flush()
        try:
            self._file.seek(0)
            self._file.truncate()
        except OSError as error:
            raise destination_error(self._path, error) from error
        self._hash = hashlib.sha256()
        self.size = 0
        self.head = b""

    async def flush(self) -> None:
        """
        Wait until all bytes are written and hashed.

        :raises DestinationError: if it could not be written.
        """
        await self._hand_over()
        await self._stored()

    async def finish(self) -> str:
        """
        Flush the file to the disk, so that it survives a power cut.

        :return: The SHA-256 of the body, in hexadecimal.
        :raises DestinationError: if it could not be written.
        """
        await self.flush()
        try:
            await asyncio.to_thread(os.fsync, self._file.fileno())
        except OSError as error:
            raise destination_error(self._path, error) from error
        return self._hash.hexdigest()

    async def close(self) -> None:
        """Close the file, after the thread is done with it."""
        pending: set[asyncio.Future[None]] = set()
        try:
            if self._storing is not None:
                _, pending = await asyncio.wait({self._storing}, timeout=_CLOSE_TIMEOUT)
        finally:
            # A disk that hangs must not hold the task; and a thread must not write to what another file has become.
            if not pending:
                self._file.close()

    async def _hand_over(self) -> None:
        await self._stored()
        chunks, self._chunks, self._waiting = self._chunks, [], 0
        if chunks:
            self._storing = asyncio.get_running_loop().run_in_executor(None, self._store, chunks)

    async def _stored(self) -> None:
        if self._storing is None:
            return
        # Not awaited itself: a cancellation would leave the thread alone with a file about to be closed.
        await asyncio.wait({self._storing})
        storing, self._storing = self._storing, None
        try:
            storing.result()
        except OSError as error:
            raise destination_error(self._path, error) from error

    def _store(self, chunks: list[bytes]) -> None:
        for chunk in chunks:
            self._hash.update(chunk)
            rest = memoryview(chunk)
            while rest:
                rest = rest[self._file.write(rest) :]
