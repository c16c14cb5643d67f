"""Files and objects under their final names: created exclusively or replaced, whole or not at all."""

from __future__ import annotations

import fcntl
import logging
import os
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_siliconflow.archive.destination import OBJECT_STORES, is_local
from airflow_provider_siliconflow.archive.errors import is_forbidden
from airflow_provider_siliconflow.archive.staging import part_name
from airflow_provider_siliconflow.archive.uploads import (
    is_conflict,
    is_exclusive,
    is_unconditional,
    upload_options,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow.sdk import ObjectStoragePath

log = logging.getLogger(__name__)

#: Seconds to wait for another process that publishes in the same folder.
_LOCK_TIMEOUT = 10.0
_NOT_EXCLUSIVE = "this store does not create a file for one task only: take a local disk, S3, Google or Azure"


def exists(path: ObjectStoragePath) -> bool:
    """
    Tell whether a name is taken.

    A store that does not let read counts as one where nothing is: it may take an upload all the same.

    :param path: Any path.
    :return: True also for a broken link.
    :raises Exception: whatever its client raises, if that cannot be found out now.
    """
    if is_local(path):
        return os.path.lexists(path.path)
    # Some clients remember listings, and another task may have published since.
    path.fs.invalidate_cache(path.parent.path)
    try:
        # Not by the client's `exists`: most of them take a broken connection for an absent file.
        path.fs.info(path.path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except Exception as error:
        if is_forbidden(error):
            return False
        raise
    return True


def create(
    source: Path, path: ObjectStoragePath, content_type: str | None = None, *, must_be_exclusive: bool = False
) -> None:
    """
    Publish a file under a name that nobody has.

    Atomic on local file systems (a hard link) and on stores that know conditional writes (``If-None-Match`` on S3,
    ``ifGenerationMatch`` on Google, the same of Azure, ``x-oss-forbid-overwrite`` of OSS). Elsewhere (SFTP, HDFS, SMB,
    stores that ignore the condition) the name is checked right before, which leaves a gap of milliseconds.

    :param source: A local file, complete; for a local path it is on the same file system.
    :param path: The final name.
    :param content_type: What a store tells browsers; None for that of the suffix.
    :param must_be_exclusive: Whether a store without such a guarantee is an error.
    :raises FileExistsError: if the name is taken, also if by these very bytes.
    :raises NotImplementedError: if the store gives no such guarantee, and it must.
    """
    if is_local(path):
        _create_locally(source, Path(path.path), must_be_exclusive=must_be_exclusive)
        return
    if exists(path):
        raise FileExistsError(str(path))
    if must_be_exclusive and path.protocol not in OBJECT_STORES:
        raise NotImplementedError(_NOT_EXCLUSIVE)
    if path.protocol not in OBJECT_STORES:
        _move(source, path, overwrite=False)
        return
    _upload_exclusively(source, path, content_type, must_be_exclusive=must_be_exclusive)


def _upload_exclusively(
    source: Path, path: ObjectStoragePath, content_type: str | None, *, must_be_exclusive: bool
) -> None:
    options = upload_options(path, content_type, is_exclusive=True)
    if must_be_exclusive and not is_exclusive(options):
        raise NotImplementedError(_NOT_EXCLUSIVE)
    try:
        # Never by `open(…, "wb")`: fsspec publishes a cut object when the block around it fails.
        path.fs.put_file(str(source), path.path, **options)
    except Exception as error:
        if not is_exclusive(options):
            raise
        if not is_unconditional(error):
            if is_conflict(error) or exists(path):
                raise FileExistsError(str(path)) from error
            raise
        if must_be_exclusive:
            raise NotImplementedError(_NOT_EXCLUSIVE) from error
        log.warning("%s knows no conditional writes: it does not keep two tasks at once apart.", path.protocol)
        replace(source, path, content_type)


def replace(source: Path, path: ObjectStoragePath, content_type: str | None = None, **conditions: Any) -> None:
    """
    Publish a file under a name, also if it is taken.

    :param source: A local file, complete; for a local path it is on the same file system.
    :param path: The final name; its file is the old one or the new one at any time, and on file systems that do not
        move onto files (HDFS, SMB) none for a moment. Further arguments are for an object store's client.
    :param content_type: What a store tells browsers; None for that of the suffix.
    """
    if is_local(path):
        os.replace(source, path.path)
    elif path.protocol in OBJECT_STORES:
        path.fs.put_file(str(source), path.path, **upload_options(path, content_type), **conditions)
    else:
        _move(source, path, overwrite=True)


def remove(path: ObjectStoragePath) -> None:
    """
    Remove a file; one that is not there is no error.

    :param path: Its path.
    """
    with suppress(FileNotFoundError):
        if is_local(path):
            os.unlink(path.path)
        else:
            path.fs.rm_file(path.path)


def read_small(path: ObjectStoragePath, limit: int) -> bytes | None:
    """
    Read a small file.

    :param path: Its path.
    :param limit: Bytes at most.
    :return: Its bytes; empty if it is larger or no plain file; None if it is not there.
    """
    try:
        if not exists(path):
            return None
        if is_local(path):
            return _read_local(path.path, limit)
        fs = path.fs
        return bytes(fs.cat_file(path.path)) if fs.size(path.path) <= limit else b""
    except FileNotFoundError:
        return None


def _read_local(path: str, limit: int) -> bytes:
    """Read a plain file; a FIFO waits for a writer and a device has no end, so that they are not even opened."""
    if not os.path.isfile(path):
        return b""
    # Another file may be there by now: O_NONBLOCK waits for nobody, and no more is read than the limit.
    with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        content = file.read(limit + 1)
    return content if len(content) <= limit else b""


@contextmanager
def folder_lock(path: ObjectStoragePath) -> Iterator[None]:
    """
    Hold off other processes of this provider that publish in the same local folder; elsewhere do nothing.

    :param path: A path in the folder, which exists. A file system without locks is used without them, and so is one
        whose lock is held for longer than publishing takes.
    :yield: None.
    """
    if not is_local(path):
        yield
        return
    folder = os.open(Path(path.path).parent, os.O_RDONLY)
    try:
        _lock(folder)
        yield
        os.fsync(folder)
    finally:
        os.close(folder)


def _lock(folder: int) -> None:
    end = time.monotonic() + _LOCK_TIMEOUT
    while True:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > end:
                log.warning(
                    "The folder is locked by another process for more than %.0f s: continuing without the lock.",
                    _LOCK_TIMEOUT,
                )
                return
            time.sleep(0.01)
        except OSError:
            return


def _create_locally(source: Path, path: Path, *, must_be_exclusive: bool) -> None:
    try:
        os.link(source, path)
    except FileExistsError:
        raise
    except OSError:
        # No hard links here (FAT, some network and FUSE mounts): the folder's lock is all there is.
        if os.path.lexists(path):
            raise FileExistsError(str(path)) from None
        if must_be_exclusive:
            raise NotImplementedError(_NOT_EXCLUSIVE) from None
        os.rename(source, path)


def _move(source: Path, path: ObjectStoragePath, *, overwrite: bool) -> None:
    """Upload under a hidden name and move: other file systems show a file while it is written."""
    fs = path.fs
    hidden = (path.parent / part_name(path.name)).path
    fs.makedirs(path.parent.path, exist_ok=True)
    try:
        fs.put_file(str(source), hidden)
        if not overwrite and exists(path):
            raise FileExistsError(str(path))
        try:
            fs.mv(hidden, path.path)
        except OSError:
            if not overwrite or not fs.exists(path.path):
                raise
            # Some file systems (HDFS, SMB) do not move onto a file.
            fs.rm_file(path.path)
            fs.mv(hidden, path.path)
    finally:
        with suppress(Exception):
            if fs.exists(hidden):
                fs.rm_file(hidden)
