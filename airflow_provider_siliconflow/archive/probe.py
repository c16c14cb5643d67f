"""Try, before paying, whether a destination takes what will be written: by writing hidden files of the same names."""

from __future__ import annotations

import logging
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_siliconflow.archive import stores
from airflow_provider_siliconflow.archive.destination import OBJECT_STORES, Destination, is_local
from airflow_provider_siliconflow.archive.errors import destination_error, is_forbidden
from airflow_provider_siliconflow.archive.staging import PROBE_SUFFIX, hidden_name, staging
from airflow_provider_siliconflow.exceptions import DestinationError

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

log = logging.getLogger(__name__)

#: The same for all, so that a store without the right to remove keeps one of them at most in each folder.
_PROBE = ".siliconflow-probe"
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
        if not probe:
            _check_bucket(path)
            return True
        return _probe_objects(path) if path.protocol in OBJECT_STORES else _probe_files(destination)
    except DestinationError:
        raise
    except Exception as error:
        raise destination_error(path, error) from error


def _probe_locally(destination: Destination) -> None:
    folder = Path(destination.path.path).parent / f"{hidden_name()}{PROBE_SUFFIX}"
    # The staging file makes the folders on the way.
    with staging(destination.path) as stage:
        folder.mkdir()
        try:
            stage.write_bytes(_CONTENT)
            stores.create(stage, _beside(destination.path, folder.name, destination.manifest.name))
            (folder / destination.path.name).write_bytes(_CONTENT)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _probe_objects(path: ObjectStoragePath) -> bool:
    beside = path.parent / _PROBE
    with tempfile.NamedTemporaryFile(suffix=Path(path.name).suffix[:9]) as file:
        file.write(_CONTENT)
        file.flush()
        # By the same call that uploads videos, for stores refuse some kinds of uploads and take others.
        stores.replace(Path(file.name), beside)
    try:
        # Another task's check may have removed it meanwhile.
        with suppress(FileNotFoundError):
            path.fs.cat_file(beside.path)
            stores.remove(beside)
    except Exception as error:
        log.warning(
            "%s can be written and not read or removed (%s): destinations there are not claimed before paying.",
            beside,
            type(error).__name__,
        )
        return False
    return True


def _probe_files(destination: Destination) -> bool:
    path = destination.path
    folder = path.parent / f"{hidden_name()}{PROBE_SUFFIX}"
    with staging(path) as stage:
        stage.write_bytes(_CONTENT)
        try:
            stores.create(stage, folder / destination.manifest.name)
            stores.replace(stage, folder / destination.manifest.name)
        finally:
            with suppress(Exception):
                path.fs.rm(folder.path, recursive=True)
    return True


def _check_bucket(path: ObjectStoragePath) -> None:
    """Check that a bucket is there; a store that does not let read may take an upload all the same."""
    if path.protocol not in OBJECT_STORES:
        return
    try:
        path.fs.info(path.path.partition("/")[0])
    except Exception as error:
        if not is_forbidden(error):
            raise


def _beside(path: ObjectStoragePath, folder: str, name: str) -> ObjectStoragePath:
    return path.parent / folder / name
