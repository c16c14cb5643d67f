"""Everything about a destination that is done before paying: it is understood, tried and claimed."""

from __future__ import annotations

import logging
import threading
from typing import Any

from airflow_provider_siliconflow.archive import claim as claims
from airflow_provider_siliconflow.archive.claim_file import ForeignClaimError, claim_path
from airflow_provider_siliconflow.archive.destination import Destination, understand
from airflow_provider_siliconflow.archive.existing import IfExists, checked_if_exists, resolve_existing
from airflow_provider_siliconflow.archive.options import STORE_TIMEOUT
from airflow_provider_siliconflow.archive.probe import check_writable
from airflow_provider_siliconflow.archive.staging import abort_uploads, sweep
from airflow_provider_siliconflow.archive.threads import bounded
from airflow_provider_siliconflow.client.masking import describe_error
from airflow_provider_siliconflow.exceptions import DestinationError, DestinationRefusedError

log = logging.getLogger(__name__)

#: Stands for a request id that is not known yet: as long as the longest file name made of one.
_UNKNOWN_ID = "x" * 100 + "."


def prepare_destination(
    destination: Any,
    *,
    owner: str | None,
    if_exists: IfExists,
    request_id: str | None = None,
    probe: bool = True,
    timeout: float = STORE_TIMEOUT,
) -> dict[str, Any] | None:
    """
    Do everything about a destination that can be done before paying; for a limited time.

    :param destination: As for :func:`~airflow_provider_siliconflow.archive.destination.understand`; a folder may come
        without an id, and is never claimed, since each video in it has a name of its own.
    :param owner: Who will publish (``dag_id/run_id/task_id/map_index``); None to claim nothing.
    :param if_exists: What to do about a video that is there already. A claim of another owner is final under
        ``fail``; under ``skip`` and ``overwrite`` a retry may find it gone, so the error is one to be retried.
    :param request_id: The video's id, if known.
    :param probe: Whether to write and remove a hidden file or object in order to find out whether that is allowed.
    :param timeout: Seconds for all of it.
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
        return bounded(prepare, timeout, destination)
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
            abort_uploads(found.path, claim_path(found.path).name)
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


def release_claim(
    destination: Any, *, owner: str, request_id: str | None = None, timeout: float = STORE_TIMEOUT
) -> None:
    """
    Give up a claim of :func:`prepare_destination`, since there will be no video; bounded, and never raises.

    :param destination: As it was given there.
    :param owner: Who holds the claim; that of another owner stays.
    :param request_id: The video's id, if known.
    :param timeout: Seconds for it.
    """

    def release() -> None:
        _release(understand(destination, request_id or _UNKNOWN_ID), owner)

    try:
        bounded(release, timeout, destination)
    except Exception as error:
        log.warning("The claim on the destination was not released: %s", describe_error(error))
