"""
A claim on a destination: who is about to publish there, told to all others before they pay.

A claim is a small hidden JSON file beside the destination, created exclusively and removed when the video is published.
Its owner is a task instance whatever its try, so a retry takes its own claim again; each time it is taken it gets a new
token, and only the holder of the last token publishes.
"""

from __future__ import annotations

import hashlib
import json
import logging
import secrets
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_siliconflow.archive import stores
from airflow_provider_siliconflow.archive.destination import S3
from airflow_provider_siliconflow.archive.errors import destination_error
from airflow_provider_siliconflow.archive.owner import describe_owner, is_sibling
from airflow_provider_siliconflow.archive.staging import staging
from airflow_provider_siliconflow.client.masking import describe_error
from airflow_provider_siliconflow.exceptions import DestinationError

if TYPE_CHECKING:
    from pathlib import Path

    from airflow.sdk import ObjectStoragePath

log = logging.getLogger(__name__)

#: Age after which a claim that its owner has not taken again is open to others. Every try, resumption and archiving
#: takes it again, so its owner has neither run nor been retried for that long. Long enough for a task that failed on
#: a Friday to be retried after the weekend and a holiday; its video's URL has expired many times over by then.
CLAIM_EXPIRES_AFTER = timedelta(days=7)
_VERSION = 1
_LIMIT = 1 << 16
#: Times that a claim is tried for while others take and release it.
_ATTEMPTS = 5


@dataclass(frozen=True)
class Claim:
    """
    The content of a claim.

    :param owner: ``dag_id/run_id/task_id/map_index``.
    :param token: New each time that the claim is taken.
    :param claimed_at: ISO 8601, UTC.
    :param destination: The name of the video, for people who find the file.
    :param is_renewed: Whether its owner had it before it was taken last.
    """

    owner: str
    token: str
    claimed_at: str
    destination: str
    is_renewed: bool = False

    def to_json(self) -> str:
        """Return the content of its file."""
        names = ("owner", "token", "claimed_at", "destination")
        return json.dumps({"version": _VERSION} | {name: getattr(self, name) for name in names})

    def is_expired(self) -> bool:
        """Tell whether others may take it over; a claim of which the age is not known never expires."""
        try:
            claimed_at = datetime.fromisoformat(self.claimed_at)
            return datetime.now(UTC) - claimed_at > CLAIM_EXPIRES_AFTER
        except (ValueError, TypeError):
            return False


class ForeignClaimError(Exception):
    """Raised when another owner holds the claim on a destination; says so in the user's words."""


def claim_path(path: ObjectStoragePath) -> ObjectStoragePath:
    """Return where the claim on a destination is: of a fixed length, so that it fits wherever the video's name does."""
    digest = hashlib.sha256(path.name.encode("utf-8", "surrogatepass")).hexdigest()
    return path.parent / f".siliconflow-{digest[:16]}.claim"


def take(path: ObjectStoragePath, owner: str) -> Claim:
    """
    Claim a destination, or take a claim of the same owner again.

    :param path: Where the video goes.
    :param owner: Who will publish.
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

    :raises DestinationError: if it is not: another try of the same task has it, or another task took it over.
    """
    try:
        found = _read(path)
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

    :raises ForeignClaimError: if somebody holds a claim that has not expired.
    """
    found = _read(path)
    if found and not found.is_expired():
        raise ForeignClaimError(_held(path, found, ""))


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
            if (found := _read(path)) and found.owner == owner and token in (None, found.token):
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
                found = _read(path)
                if found is None:
                    return None
                is_renewed = found.owner == claim.owner and found.token != claim.token
                if found.token != claim.token and not _take_from(path, found, claim, file):
                    return None
        # Not every store keeps two writers apart: the one that reads its own token has it.
        found = _read(path)
        return replace(claim, is_renewed=is_renewed) if found and found.token == claim.token else None


def _take_from(path: ObjectStoragePath, found: Claim, claim: Claim, file: Path) -> bool:
    """Replace the claim of the same owner, or an expired one; return False if it changed meanwhile."""
    if found.owner != claim.owner:
        if not found.is_expired():
            raise ForeignClaimError(_held(path, found, claim.owner))
        log.warning(
            "Taking over the claim on %s: %s has held it since %s without trying again. If that task has a video that"
            " is paid and not archived, it must archive it elsewhere.",
            path,
            describe_owner(found.owner),
            found.claimed_at,
        )
    beside = claim_path(path)
    etag = _etag(beside)
    current = _read(path)
    if current is None or current.token != found.token:
        return False
    try:
        # S3 replaces it only if nobody else has since; a local folder is locked; other stores have a gap here, as have
        # stores with S3's API, and clients, that do not know the condition.
        stores.replace(file, beside, **({"IfMatch": etag} if etag else {}))
    except Exception as error:
        if not etag:
            raise
        if (current := _read(path)) and current.token != found.token:
            return False
        if not stores.is_unconditional(error):
            raise
        stores.replace(file, beside)
    return True


def _etag(beside: ObjectStoragePath) -> str | None:
    etag = beside.fs.info(beside.path).get("ETag") if beside.protocol in S3 else None
    return etag if isinstance(etag, str) else None


def _read(path: ObjectStoragePath) -> Claim | None:
    """
    Read the claim on a destination.

    :return: None if there is none.
    :raises ForeignClaimError: if the file is something else: what cannot be read is not an absent claim.
    """
    beside = claim_path(path)
    text = stores.read_small(beside, _LIMIT)
    if text is None:
        return None
    try:
        found: Any = json.loads(text)
        return Claim(
            owner=str(found["owner"]),
            token=str(found["token"]),
            claimed_at=str(found["claimed_at"]),
            destination=str(found["destination"]),
        )
    except (ValueError, TypeError, KeyError):
        raise ForeignClaimError(
            f"{beside}, the claim on {path}, cannot be read. If no task is about to publish there, remove that file."
        ) from None


def _held(path: ObjectStoragePath, found: Claim, owner: str) -> str:
    hint = ""
    if is_sibling(owner, found.owner):
        hint = (
            " It is another mapped instance of this very task: give each a destination of its own, for example with"
            " {{ ti.map_index }} in it, or a folder."
        )
    return (
        f"{path} is claimed by {describe_owner(found.owner)} since {found.claimed_at}, which is about to archive a"
        f" video there.{hint} Give another destination; or let that task finish, retry or clear it; or, if it will"
        f" never run again, remove {claim_path(path)}."
    )
