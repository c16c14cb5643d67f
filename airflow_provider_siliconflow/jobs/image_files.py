"""Read an image whole from a file of this machine or an object store, within limits and without surprises."""

from __future__ import annotations

import errno
import os
import stat
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_siliconflow.client.masking import excerpt
from airflow_provider_siliconflow.exceptions import ImageUnavailableError, InvalidVideoRequestError
from airflow_provider_siliconflow.jobs.image_types import MAX_IMAGE_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from airflow.sdk import ObjectStoragePath

_CHUNK = 1 << 20
#: Characters of a user's text, and of a store's, that a message shows.
_SHOWN = 80
#: Without O_NONBLOCK, opening a FIFO waits for a writer.
_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
#: Errors that say something of the path itself. Any other is one of the disk or the network, and may pass.
_OF_THE_PATH = frozenset({
    errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EACCES, errno.EPERM, errno.ELOOP, errno.ENAMETOOLONG,
    errno.EINVAL, errno.ENXIO, errno.ENODEV, errno.EILSEQ,
})  # fmt: skip


def shown(text: object) -> str:
    """
    Return a user's text as a message may show it: quoted, masked and cut.

    :param text: A path or a URI.
    :return: The text.
    """
    return excerpt(repr(str(text)), length=_SHOWN)


def read_file(path: str, folders: Sequence[str] | None) -> bytes:
    """
    Read a local file.

    :param path: Its path; ``~`` is the home of the worker's user, symbolic links are followed.
    :param folders: Absolute paths of the folders that it must be in once links are resolved; None for any.
    :return: Its bytes, at most :data:`~airflow_provider_siliconflow.jobs.image_types.MAX_IMAGE_BYTES`.
    :raises InvalidVideoRequestError: if it is no regular file, cannot be read, is too large or outside the folders.
    :raises ImageUnavailableError: if the disk or the network below it fails.
    """
    try:
        found = os.path.expanduser(path)
        descriptor = _open(found) if folders is None else _open_inside(found, folders)
        try:
            return _read_descriptor(path, descriptor)
        finally:
            os.close(descriptor)
    except ValueError:  # a NUL, or half an emoji
        raise InvalidVideoRequestError(f"image {shown(path)} is not a path that a file can have.") from None
    except OSError as error:
        # Not the error's own text, which shows the whole path.
        reason = f"image {shown(path)} cannot be read: {os.strerror(error.errno or 0)}."
        if error.errno in _OF_THE_PATH:
            raise InvalidVideoRequestError(reason) from None
        raise ImageUnavailableError(reason) from None


def _open(path: str) -> int:
    # Asked before opening, since to open a device can have an effect of its own.
    _check_regular(path, os.stat(path))
    return os.open(path, _FLAGS)


def _open_inside(path: str, folders: Sequence[str]) -> int:
    """Open a file below one of the folders; no symbolic link is followed, so that a change meanwhile has no effect."""
    real = os.path.realpath(path)
    for folder in map(os.path.realpath, folders):
        if os.path.commonpath((real, folder)) == folder and real != folder:
            *parents, name = os.path.relpath(real, folder).split(os.sep)
            return _open_below(path, folder, parents, name)
    raise InvalidVideoRequestError(
        f"image {shown(path)} is outside of the folders that the connection's field image_folders allows."
    )


def _open_below(path: str, folder: str, parents: Sequence[str], name: str) -> int:
    directory = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for parent in parents:
            flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
            below = os.open(parent, flags, dir_fd=directory)
            os.close(directory)
            directory = below
        _check_regular(path, os.stat(name, dir_fd=directory, follow_symlinks=False))
        return os.open(name, _FLAGS | os.O_NOFOLLOW, dir_fd=directory)
    finally:
        os.close(directory)


def _read_descriptor(path: str, descriptor: int) -> bytes:
    """Read an open file, whose size is checked before, and again while it is read: it may grow."""
    status = os.fstat(descriptor)
    _check_regular(path, status)
    _check_size(path, status.st_size)
    return _read_bounded(path, partial(os.read, descriptor))


def _check_regular(path: object, status: os.stat_result) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise InvalidVideoRequestError(f"image {shown(path)} is a folder, not a file.")
    if not stat.S_ISREG(status.st_mode):
        raise InvalidVideoRequestError(f"image {shown(path)} is not a regular file.")
    if status.st_size == 0:
        # So are the files of /proc, whose size is told only by reading them.
        raise InvalidVideoRequestError(f"image {shown(path)} is empty.")


def _check_size(path: object, size: int) -> None:
    if size > MAX_IMAGE_BYTES:
        raise InvalidVideoRequestError(f"image {shown(path)} is larger than {MAX_IMAGE_BYTES >> 20} MiB.")


def _read_bounded(path: object, read: Callable[[int], bytes]) -> bytes:
    content = bytearray()
    # One byte more than allowed tells a file that grew, or a store that lied.
    while chunk := read(min(_CHUNK, MAX_IMAGE_BYTES + 1 - len(content))):
        content += chunk
        _check_size(path, len(content))
    return bytes(content)


def read_object(path: ObjectStoragePath) -> bytes:
    """
    Read an object of a store that Airflow has a connection for.

    :param path: The object.
    :return: Its bytes, at most :data:`~airflow_provider_siliconflow.jobs.image_types.MAX_IMAGE_BYTES`.
    :raises InvalidVideoRequestError: if there is no such object, it is too large, or Airflow knows no such store.
    :raises ImageUnavailableError: if the store, or the connection to it, cannot be reached or used for now.
    """
    try:
        store = path.fs
    except (ImportError, ValueError) as error:
        scheme = path.protocol
        raise InvalidVideoRequestError(
            f"image {shown(path)} cannot be read: no installed Airflow provider reads {scheme}:// on this worker"
            f" ({type(error).__name__}). Install the provider of that store, with its file system."
        ) from None
    except Exception as error:
        raise _unavailable(path, error) from None
    try:
        _check_object(path, store.info(path.path))
        with path.open("rb") as file:
            return _read_bounded(path, file.read)
    except InvalidVideoRequestError:
        raise
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        raise InvalidVideoRequestError(f"image {shown(path)} cannot be read: there is no such object.") from None
    # Each store has errors of its own, and rights and credentials come and go while a key is rotated.
    except Exception as error:
        raise _unavailable(path, error) from None


def _check_object(path: ObjectStoragePath, info: dict[str, Any]) -> None:
    if info.get("type") == "directory":
        raise InvalidVideoRequestError(f"image {shown(path)} is a folder, not an object.")
    size = info.get("size")
    if size == 0:
        raise InvalidVideoRequestError(f"image {shown(path)} is empty.")
    _check_size(path, size or 0)


def _unavailable(path: ObjectStoragePath, error: Exception) -> ImageUnavailableError:
    words = excerpt(" ".join(str(error).split()), length=_SHOWN)
    cause = f"{type(error).__name__}: {words.rstrip('.')}" if words else type(error).__name__
    # Not chained: the store's own words may hold a signed URL.
    return ImageUnavailableError(f"image {shown(path)} cannot be read for now: {cause}.")
