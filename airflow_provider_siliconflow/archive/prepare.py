"""
Everything about a destination that is done before paying: it is understood, tried and claimed.

Whether a store takes what will be written is tried by writing hidden files of the same names.
"""

from __future__ import annotations

import logging
import shutil
import tempfile
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_siliconflow.archive import claim as claims
from airflow_provider_siliconflow.archive import stores
from airflow_provider_siliconflow.archive.claim_file import ForeignClaimError
from airflow_provider_siliconflow.archive.destination import OBJECT_STORES, Destination, is_local, understand
from airflow_provider_siliconflow.archive.errors import destination_error, is_forbidden
from airflow_provider_siliconflow.archive.existing import IfExists, checked_if_exists, resolve_existing
from airflow_provider_siliconflow.archive.staging import PROBE_SUFFIX, abort_uploads, hidden_name, staging, sweep
from airflow_provider_siliconflow.archive.threads import PREPARE_TIMEOUT, bounded
from airflow_provider_siliconflow.client.masking import describe_error
from airflow_provider_siliconflow.exceptions import DestinationError, DestinationRefusedError

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

log = logging.getLogger(__name__)

#: Stands for a request id that is not known yet: as long as the longest file name made of one.
_UNKNOWN_ID = "x" * 100 + "."
#: The same for all, so that a store without the right to remove keeps one of them at most in each folder.
_PROBE = ".siliconflow-probe"
_CONTENT = b"Written and removed to find out whether a video can be archived here.\n"


def prepare_destination(
    destination: Any,
    *,
    owner: str | None,
    if_exists: IfExists,
    request_id: str | None = None,
    probe: bool = True,
) -> dict[str, Any] | None:
    """
    Do everything about a destination that can be done before paying; bounded by :data:`PREPARE_TIMEOUT` seconds.

    :param destination: As for :func:`~airflow_provider_siliconflow.archive.destination.understand`; a folder may come
        without an id, and is never claimed, since each video in it has a name of its own.
    :param owner: Who will publish (``dag_id/run_id/task_id/map_index``); None to claim nothing.
    :param if_exists: What to do about a video that is there already. A claim of another owner is final under
        ``fail``; under ``skip`` and ``overwrite`` a retry may find it gone, so the error is one to be retried.
    :param request_id: The video's id, if known.
    :param probe: Whether to write and remove a hidden file or object in order to find out whether that is allowed.
    :return: The manifest of what is there, if the work is done; as :func:`resolve_existing`.
    :raises DestinationRefusedError: for what no retry can change; nothing was claimed.
    :raises DestinationError: for what a retry may not meet; nothing was claimed.
    """
    checked_if_exists(if_exists)
    is_late = threading.Event()

    def prepare() -> dict[str, Any] | None:
        made = _prepare(destination, owner, if_exists, request_id, probe)
        if is_late.is_set():
            # Nobody knows of this claim any more.
            _release(understand(destination, request_id or _UNKNOWN_ID), owner)
        return made

    try:
        return bounded(prepare, PREPARE_TIMEOUT, destination)
    except BaseException:
        is_late.set()
        raise


def _prepare(
    destination: Any, owner: str | None, if_exists: IfExists, request_id: str | None, probe: bool
) -> dict[str, Any] | None:
    found = understand(destination, request_id or _UNKNOWN_ID)
    try:
        existing = _existing_of(found, request_id, if_exists)
        if existing is None:
            can_claim = check_writable(found, probe=probe)
            sweep(found.path)
            if owner is None or found.is_folder or not can_claim:
                return None
            claims.take(found.path, owner)
            abort_uploads(found.path)
            # Its holder before us may have published and released it since then.
            existing = _existing_of(found, request_id, if_exists)
    except ForeignClaimError as held:
        kind = DestinationRefusedError if if_exists == "fail" else DestinationError
        raise kind(str(held)) from None
    except DestinationRefusedError:
        _release(found, owner)
        raise
    if existing is not None:
        _release(found, owner)
    return existing


def _release(found: Destination, owner: str | None) -> None:
    if owner is not None and not found.is_folder:
        claims.release_quietly(found.path, owner)


def _existing_of(found: Destination, request_id: str | None, if_exists: IfExists) -> dict[str, Any] | None:
    return resolve_existing(found, request_id, if_exists) if request_id or not found.is_folder else None


def release_claim(destination: Any, *, owner: str, request_id: str | None = None) -> None:
    """
    Give up a claim of :func:`prepare_destination`, since there will be no video; bounded, and never raises.

    :param destination: As it was given there.
    :param owner: Who holds the claim; that of another owner stays.
    :param request_id: The video's id, if known.
    """

    def release() -> None:
        _release(understand(destination, request_id or _UNKNOWN_ID), owner)

    try:
        bounded(release, PREPARE_TIMEOUT, destination)
    except Exception as error:
        log.warning("The claim on the destination was not released: %s", describe_error(error))


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
    # Staging makes the missing folders.
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
