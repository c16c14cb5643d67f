"""
Publish a video and its manifest, and everything that can be found out about a destination before paying.

The order is what keeps a pair right at any crash: the manifest is written under a hidden name, the video gets its final
name (exclusively, unless it is to be overwritten), and last the manifest gets its own. Where there is a manifest, the
video of its id is published whole; a crash in between leaves a video without a manifest, which a retry completes.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from airflow_provider_siliconflow.archive import claim as claims
from airflow_provider_siliconflow.archive import stores
from airflow_provider_siliconflow.archive.claim import Claim, ForeignClaimError
from airflow_provider_siliconflow.archive.destination import Destination, understand
from airflow_provider_siliconflow.archive.errors import destination_error
from airflow_provider_siliconflow.archive.existing import (
    IfExists,
    checked_if_exists,
    pending_manifest,
    resolve_existing,
)
from airflow_provider_siliconflow.archive.leftovers import abort_uploads, sweep
from airflow_provider_siliconflow.archive.manifest import describes, storable, write_manifest
from airflow_provider_siliconflow.archive.probe import check_writable
from airflow_provider_siliconflow.archive.threads import PREPARE_TIMEOUT, bounded
from airflow_provider_siliconflow.client.masking import describe_error
from airflow_provider_siliconflow.exceptions import DestinationError, DestinationRefusedError

__all__ = ["IfExists", "find_archived", "prepare_destination", "publish", "release_claim"]

log = logging.getLogger(__name__)

#: Seconds to find out whether a video is archived, which reads all of it.
_FIND_TIMEOUT = 600.0
#: Stands for a request id that is not known yet: as long as the longest file name made of one.
_UNKNOWN_ID = "x" * 100 + "."


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
    :param if_exists: What to do about a video that is there already. A claim of another owner is refused under
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


def find_archived(destination: Any, request_id: str, *, owner: str | None = None) -> dict[str, Any] | None:
    """
    Return the manifest of a video that is archived already, whatever the service says of it by now.

    :param destination: As for :func:`~airflow_provider_siliconflow.archive.destination.understand`.
    :param request_id: The video's id.
    :param owner: Whose claim is released if the video is there; None where there is no claim.
    :return: None if it is not there, or if that cannot be told.
    """

    def find() -> dict[str, Any] | None:
        found = understand(destination, request_id)
        existing = resolve_existing(found, request_id, "overwrite")
        if existing is not None:
            _release(found, owner)
        return existing

    try:
        return bounded(find, _FIND_TIMEOUT, destination)
    except DestinationError:
        return None


def publish(
    stage: Path,
    destination: Destination,
    manifest: Mapping[str, Any],
    if_exists: IfExists,
    claim: Claim | None = None,
) -> dict[str, Any]:
    """
    Publish a whole video, and after it its manifest.

    :param stage: The file of :func:`staging` for this path, complete.
    :param destination: Where the video goes.
    :param manifest: What to write beside it.
    :param if_exists: What to do if a video has appeared there meanwhile.
    :param claim: The claim of the writer, if it has one: nothing is published once it is another's.
    :return: The manifest of what is there now.
    :raises DestinationError: with the path and the cause; nothing half-written is under the final name.
    """
    facts: dict[str, Any] = storable(manifest)
    existing = resolve_existing(destination, facts["request_id"], if_exists)
    if existing is not None:
        return existing
    waiting = pending_manifest(destination.path, facts["request_id"])
    is_published = False
    try:
        write_manifest(waiting, facts)
        with stores.folder_lock(destination.path):
            if claim:
                claims.check(destination.path, claim)
            _publish_video(stage, destination, facts, if_exists)
            is_published = True
            write_manifest(destination.manifest, facts)
    except Exception as error:
        with suppress(Exception):
            # The upload may have succeeded and its answer be lost: then the manifest waits for a retry.
            if not is_published and (isinstance(error, DestinationError) or not stores.exists(destination.path)):
                stores.remove(waiting)
        if isinstance(error, DestinationError):
            raise
        raise destination_error(destination.path, error) from error
    with suppress(Exception):
        # All that counts is published; a store may not allow to remove.
        stores.remove(waiting)
    abort_uploads(destination.path)
    return facts


def _publish_video(stage: Path, destination: Destination, facts: dict[str, Any], if_exists: IfExists) -> None:
    path = destination.path
    if if_exists == "overwrite":
        # First: an old manifest beside a new video would be a wrong pair.
        stores.remove(destination.manifest)
        stores.replace(stage, path)
        return
    try:
        stores.create(stage, path)
    except FileExistsError:
        # An upload whose answer was lost is repeated by the store's client, and then meets its own object.
        if not describes(facts, path):
            raise DestinationRefusedError(
                f"{path} was published by another task meanwhile, and is not replaced. Give another destination."
            ) from None
