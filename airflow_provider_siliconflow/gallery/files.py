"""The bytes of a video and of its poster, for a browser: only what its own manifest vouches for, in small pieces."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio.to_thread
from anyio import CapacityLimiter

from airflow_provider_siliconflow.archive.destination import OBJECT_STORES
from airflow_provider_siliconflow.archive.errors import unregistered
from airflow_provider_siliconflow.archive.store_path import store_path
from airflow_provider_siliconflow.client.file_types import media_type
from airflow_provider_siliconflow.client.masking import describe_error
from airflow_provider_siliconflow.client.video_record import VideoRecord, manifest_name, poster_name

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from airflow.sdk import ObjectStoragePath

#: Where videos may be. Not http: a record that somebody edited must not make the API server fetch from anywhere.
_PROTOCOLS = OBJECT_STORES | {"", "file", "local", "hdfs", "sftp", "ssh"}
#: Types that a browser may be told; all else is bytes to download.
_TYPES = ("video/mp4", "video/webm", "video/quicktime", "video/x-matroska")
_MANIFEST_LIMIT = 1 << 20
_POSTER_LIMIT = 4 << 20
#: Bytes that are in memory for one response.
_BLOCK = 1 << 18
#: Reads of stores at the same time: a slow store must not take the threads of all of Airflow's API.
_MAX_READS = 16
_NOT_VOUCHED = (
    "There is no manifest beside the recorded path that names this video and this DAG: it was moved or removed, or it"
    " is not a video of this task."
)

_limiter: CapacityLimiter | None = None


class FileUnavailableError(Exception):
    """
    Raised when a video or its poster cannot be shown.

    :param status: HTTP status.
    :param detail: A sentence for the person who sees the page.
    """

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail


@dataclass(frozen=True)
class StoredFile:
    """
    A file that may be shown.

    :param path: Where it is.
    :param size: Bytes.
    :param content_type: What the browser is told.
    :param etag: Of its content, with quotes.
    """

    path: ObjectStoragePath
    size: int
    content_type: str
    etag: str

    async def read(self, first: int, last: int) -> AsyncIterator[bytes]:
        """
        Read a range in small pieces, each in a thread.

        :param first: First byte.
        :param last: Last byte.
        :yields: The bytes, in pieces.
        """
        while first <= last:
            end = min(first + _BLOCK, last + 1)
            block = await in_thread(partial(self.path.fs.cat_file, self.path.path, start=first, end=end))
            if not block:
                # It became shorter meanwhile: the client sees a short answer.
                return
            first += len(block)
            yield block


async def in_thread(call: Callable[[], Any]) -> Any:
    """
    Run a blocking call to a store in a thread, of which there are few.

    :param call: What to run.
    :return: What it returns.
    """
    global _limiter
    if _limiter is None:
        _limiter = CapacityLimiter(_MAX_READS)
    return await anyio.to_thread.run_sync(call, limiter=_limiter)


def find_video(record: VideoRecord, dag_id: str) -> StoredFile:
    """
    Return the file of a video.

    :param record: Its record, which users may have edited.
    :param dag_id: The DAG that the user may read.
    :return: The file.
    :raises FileUnavailableError: if its manifest does not vouch for it, or its store cannot be reached.
    """
    with _Explained(record):
        path = _path(record)
        manifest = _vouched(path, record, dag_id)
        size = path.fs.size(path.path)
        if size != manifest["bytes"]:
            raise FileUnavailableError(404, f"The file {path} has another size than its manifest says.")
        kind = manifest.get("content_type")
        content_type = kind if kind in _TYPES else "application/octet-stream"
        return StoredFile(path, size, content_type, f'"{manifest["sha256"]}"')


def read_poster(record: VideoRecord, dag_id: str) -> tuple[bytes, str]:
    """
    Return the poster of a video, and its ETag.

    :param record: As for :func:`find_video`; so ``dag_id``.
    :param dag_id: The DAG that the user may read.
    :return: A JPEG.
    :raises FileUnavailableError: as :func:`find_video`, or if there is none.
    """
    with _Explained(record):
        path = _path(record)
        manifest = _vouched(path, record, dag_id)
        poster = path.parent / poster_name(path.name)
        data = bytes(poster.fs.cat_file(poster.path, start=0, end=_POSTER_LIMIT))
        if media_type(data) != "image/jpeg":
            raise FileUnavailableError(404, "The poster is no JPEG.")
        return data, f'"poster-{manifest["sha256"]}"'


class _Explained:
    """
    Turns what a store raises into a sentence; nothing of the file's content is in it.

    :param record: The video's record.
    """

    def __init__(self, record: VideoRecord) -> None:
        self._record = record

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if error is None or isinstance(error, FileUnavailableError) or not isinstance(error, Exception):
            return
        if isinstance(error, FileNotFoundError):
            raise FileUnavailableError(404, f"The file {self._record.path} is gone.") from None
        raise FileUnavailableError(
            503, f"The API server cannot read {self._record.path}: {describe_error(error)}"
        ) from error


def _path(record: VideoRecord) -> ObjectStoragePath:
    text = record.path or ""
    scheme, separator, _ = text.partition("://")
    scheme = scheme.lower() if separator else ""
    if not text or scheme not in _PROTOCOLS or re.search(r"(^|/)\.\.?(/|$)|[\0-\x1f]", text):
        raise FileUnavailableError(404, "The record names no path that a video can have.")
    try:
        return store_path(text)
    except (ImportError, ValueError) as error:
        if scheme and "filesystem" in str(error).lower():
            raise FileUnavailableError(503, f"{unregistered(scheme, 'where the API server runs')}.") from None
        raise


def _vouched(path: ObjectStoragePath, record: VideoRecord, dag_id: str) -> Mapping[str, Any]:
    """Return the manifest beside a path, if it names the record's video and the DAG that may be read."""
    beside = path.parent / manifest_name(path.name)
    try:
        manifest = json.loads(beside.fs.cat_file(beside.path, start=0, end=_MANIFEST_LIMIT))
    except (FileNotFoundError, IsADirectoryError, ValueError, RecursionError):
        manifest = None
    if not isinstance(manifest, dict) or not record.request_id or not record.bytes:
        raise FileUnavailableError(404, _NOT_VOUCHED)
    told = tuple(manifest.get(name) for name in ("request_id", "bytes", "dag_id"))
    sha256 = manifest.get("sha256")
    if told != (record.request_id, record.bytes, dag_id) or not re.fullmatch(r"[0-9a-f]{64}", str(sha256)):
        raise FileUnavailableError(404, _NOT_VOUCHED)
    return manifest
