"""
Take, check and release the claim on a destination.

The owner of a claim is a task instance whatever its try, so a retry takes its own claim again; each time it is taken it
gets a new token, and only the holder of the last token publishes.
"""

from __future__ import annotations

import logging
import secrets
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from airflow_provider_siliconflow.archive import stores
from airflow_provider_siliconflow.archive.claim_file import (
    Claim,
    ForeignClaimError,
    claim_path,
    describe_owner,
    foreign_claim,
    read_claim,
)
from airflow_provider_siliconflow.archive.destination import S3
from airflow_provider_siliconflow.archive.errors import destination_error
from airflow_provider_siliconflow.archive.staging import staging
from airflow_provider_siliconflow.archive.uploads import is_unconditional
from airflow_provider_siliconflow.client.masking import describe_error
from airflow_provider_siliconflow.exceptions import DestinationError

if TYPE_CHECKING:
    from pathlib import Path

    from airflow.sdk import ObjectStoragePath

log = logging.getLogger(__name__)

#: Times that a claim is tried for while others take and release it.
_ATTEMPTS = 5


def take(path: ObjectStoragePath, owner: str) -> Claim:
    """
    Claim a destination, or take a claim of the same owner again.

    :param path: Where the video goes.
    :param owner: Who will publish (``dag_id/run_id/task_id/map_index``).
    :return: The claim, with a new token.
    :raises ForeignClaimError: if another owner holds it.
    :raises DestinationError: if it cannot be read or written.
    """
    now = datetime.now(UTC).isoformat(timespec="seconds")
    claim = Claim(owner, secrets.token_hex(8), now, path.name)
    try:
        for _ in range(_ATTEMPTS):
            if taken := _take_once(path, claim):
                return taken
    except (DestinationError, ForeignClaimError):
        raise
    except Exception as error:
        raise destination_error(path, error) from error
    raise DestinationError(f"Cannot archive: {path}: other tasks take and release its claim all the time.")


def check(path: ObjectStoragePath, claim: Claim) -> None:
    """
    Check that a claim is still ours, right before publishing.

    :param path: Where the video goes.
    :param claim: As it was taken.
    :raises DestinationError: if it is not: another try of the same task has it, or another task took it over.
    """
    try:
        found = read_claim(path)
    except ForeignClaimError as unreadable:
        raise DestinationError(str(unreadable)) from None
    if found is None or found.token != claim.token:
        who = describe_owner(found.owner) if found else "nobody (its file was removed)"
        raise DestinationError(
            f"Cannot archive: {path}: its claim is now held by {who}. Nothing was published by this try; a retry takes"
            " the claim again if it may."
        )


def check_unclaimed(path: ObjectStoragePath) -> None:
    """
    Check that no other owner is about to publish, for a writer without a name of its own.

    :param path: Where the video goes.
    :raises ForeignClaimError: if somebody holds a claim that has not expired.
    """
    found = read_claim(path)
    if found and not found.is_expired():
        raise foreign_claim(path, found, "")


def release_quietly(path: ObjectStoragePath, owner: str, token: str | None = None) -> None:
    """
    Remove a claim, if it is of this owner; what goes wrong is logged, for the claim is no reason to fail.

    :param path: Where the video goes.
    :param owner: Whose claim is removed.
    :param token: The claim's; None for whichever the owner has.
    """
    try:
        if not stores.exists(claim_path(path)):
            return
        with stores.folder_lock(path):
            if (found := read_claim(path)) and found.owner == owner and token in (None, found.token):
                stores.remove(claim_path(path))
    except Exception as error:
        log.warning("The claim on %s was not released: %s", path, describe_error(error))


def _take_once(path: ObjectStoragePath, claim: Claim) -> Claim | None:
    """Return the claim as it was taken; None if others were faster, so that it is to be tried again."""
    beside = claim_path(path)
    is_renewed = False
    with staging(beside) as file:
        file.write_text(claim.to_json())
        with stores.folder_lock(path):
            try:
                stores.create(file, beside)
            except FileExistsError:
                found = read_claim(path)
                if found is None:
                    return None
                is_renewed = found.owner == claim.owner and found.token != claim.token
                if found.token != claim.token and not _take_from(path, found, claim, file):
                    return None
        # Not every store keeps two writers apart: the one that reads its own token has it.
        found = read_claim(path)
        return replace(claim, is_renewed=is_renewed) if found and found.token == claim.token else None


def _take_from(path: ObjectStoragePath, found: Claim, claim: Claim, file: Path) -> bool:
    """Replace the claim of the same owner, or an expired one; return False if it changed meanwhile."""
    if found.owner != claim.owner:
        if not found.is_expired():
            raise foreign_claim(path, found, claim.owner)
        log.warning(
            "Taking over the claim on %s: %s has held it since %s without trying again. If that task has a video that"
            " is paid and not archived, it must archive it elsewhere.",
            path,
            describe_owner(found.owner),
            found.claimed_at,
        )
    beside = claim_path(path)
    etag = _etag(beside)
    current = read_claim(path)
    if current is None or current.token != found.token:
        return False
    try:
        # S3 replaces it only if nobody else has since; a local folder is locked; other stores have a gap here, as have
        # stores with S3's API, and clients, that do not know the condition.
        stores.replace(file, beside, **({"IfMatch": etag} if etag else {}))
    except Exception as error:
        if not etag:
            raise
        if (current := read_claim(path)) and current.token != found.token:
            return False
        if not is_unconditional(error):
            raise
        stores.replace(file, beside)
    return True


def _etag(beside: ObjectStoragePath) -> str | None:
    etag = beside.fs.info(beside.path).get("ETag") if beside.protocol in S3 else None
    return etag if isinstance(etag, str) else None
