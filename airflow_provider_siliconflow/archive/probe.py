"""
Try, before paying, whether a destination takes what will be written: by writing hidden files like them.

They are in the same folder, written by the same calls, with the same suffixes and content types and about the same
sizes, and removed at once. Stores let read and not write, take small objects and not large ones, or refuse one kind of
uploading: only a write tells.
"""

from __future__ import annotations

import logging
import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_siliconflow.archive import stores
from airflow_provider_siliconflow.archive.destination import OBJECT_STORES, Destination, is_local
from airflow_provider_siliconflow.archive.errors import destination_error, is_forbidden
from airflow_provider_siliconflow.archive.staging import PROBE_NAME, PROBE_SUFFIX, digest, hidden_name, staging
from airflow_provider_siliconflow.archive.uploads import client_of
from airflow_provider_siliconflow.client.video_record import manifest_name
from airflow_provider_siliconflow.exceptions import DestinationError

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

log = logging.getLogger(__name__)

#: Bytes written in the video's stead: about a clip of five seconds, and above 5 MiB, where Google's client changes to
#: another kind of upload.
PROBE_SIZE = 6 << 20
_CONTENT = b"Written and removed to find out whether a video can be archived here.\n"


def check_writable(destination: Destination, *, probe: bool) -> bool:
    """
    Find out whether a video and its manifest can be written.

    :param destination: Where the video goes.
    :param probe: Whether to write to stores that are not local; without, only what reading tells is known of them.
    :return: Whether files can be read and removed as well, as claims are.
    :raises DestinationError: with the path and the cause.
    """
    path = destination.path
    try:
        if is_local(path):
            _probe_locally(destination)
            return True
        with staging(path):
            pass
        if probe:
            return _probe_remotely(path)
        _check_bucket(path)
        return True
    except DestinationError:
        raise
    except Exception as error:
        raise destination_error(path, error) from error


def probe_paths(path: ObjectStoragePath) -> tuple[ObjectStoragePath, ObjectStoragePath]:
    """
    Return what is written in the stead of a video and of its manifest.

    :param path: Where the video goes, not on a local file system.
    :return: Hidden names in the same folder. In an object store they are the same for all, so that one without the
        right to remove keeps one pair at most in each folder. Elsewhere they are as long as the real ones.
    """
    suffix = Path(path.name).suffix
    if path.protocol in OBJECT_STORES:
        names = (f"{PROBE_NAME}{suffix}", f"{PROBE_NAME}{manifest_name(suffix)}")
    else:
        start = f"{PROBE_NAME}-{digest(path.name)}"
        names = (_like(start, path.name, suffix), _like(start, manifest_name(path.name), manifest_name(suffix)))
    return path.parent / names[0], path.parent / names[1]


def _like(start: str, name: str, suffix: str) -> str:
    """Return a name with a given start that ends like another one and is as long in bytes, if that is longer."""
    end = name
    while len(end) > len(suffix) and len(f"{start}{end}".encode()) > len(name.encode()):
        end = end[1:]
    return f"{start}{end}"


def _probe_locally(destination: Destination) -> None:
    folder = Path(destination.path.path).parent / f"{hidden_name()}{PROBE_SUFFIX}"
    # Staging makes the missing folders.
    with staging(destination.path) as stage:
        folder.mkdir()
        try:
            stage.write_bytes(_CONTENT)
            stores.create(stage, destination.path.parent / folder.name / destination.manifest.name)
            (folder / destination.path.name).write_bytes(_CONTENT)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _probe_remotely(path: ObjectStoragePath) -> bool:
    probes = probe_paths(path)
    if client_of(path.fs) == "adlfs":
        # adlfs repeats an upload to a container that is not there for ever.
        _check_bucket(path)
    try:
        _write(*probes)
    except BaseException:
        for probe in probes:
            with suppress(Exception):
                stores.remove(probe)
        raise
    try:
        # Another task's check may have removed it meanwhile.
        with suppress(FileNotFoundError):
            path.fs.cat_file(probes[1].path)
        for probe in probes:
            stores.remove(probe)
    except Exception as error:
        log.warning(
            "%s can be written and not read or removed (%s): destinations there are not claimed before paying.",
            probes[0],
            type(error).__name__,
        )
        return False
    return True


def _write(video: ObjectStoragePath, manifest: ObjectStoragePath) -> None:
    # By the same calls that publish, for stores refuse some kinds of uploads and take others.
    with staging(video) as stage:
        os.truncate(stage, PROBE_SIZE)
        try:
            stores.create(stage, video)
        except FileExistsError:
            stores.replace(stage, video)
        stage.write_bytes(_CONTENT)
        # Twice: not every file system moves onto a file.
        stores.replace(stage, manifest)
        stores.replace(stage, manifest)


def _check_bucket(path: ObjectStoragePath) -> None:
    """Check that a bucket is there; a store that does not let read may take an upload all the same."""
    if path.protocol not in OBJECT_STORES:
        return
    try:
        path.fs.info(path.path.partition("/")[0])
    except Exception as error:
        if not is_forbidden(error):
            raise
