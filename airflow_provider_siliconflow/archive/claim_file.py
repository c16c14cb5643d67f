"""
The file of a claim: what it holds, where it is, and how its owner is told to people.

A claim tells all others, before they pay, who is about to publish at a destination. It is a small hidden JSON file
beside the destination, created exclusively and removed when the video is published.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_siliconflow.archive import stores
from airflow_provider_siliconflow.archive.staging import digest

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

#: Age after which a claim that its owner has not taken again is open to others. Every try, resumption and archiving
#: takes it again, so its owner has neither run nor been retried for that long. Long enough for a task that failed on
#: a Friday to be retried after the weekend and a holiday; its video's URL has expired many times over by then.
CLAIM_EXPIRES_AFTER = timedelta(days=7)
_VERSION = 1
_LIMIT = 1 << 16


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
        """
        Return the content of the claim's file.

        :return: A JSON object.
        """
        names = ("owner", "token", "claimed_at", "destination")
        return json.dumps({"version": _VERSION} | {name: getattr(self, name) for name in names})

    def is_expired(self) -> bool:
        """
        Tell whether others may take the claim over.

        :return: False also for a claim of which the age is not known.
        """
        try:
            claimed_at = datetime.fromisoformat(self.claimed_at)
            return datetime.now(UTC) - claimed_at > CLAIM_EXPIRES_AFTER
        except (ValueError, TypeError):
            return False


class ForeignClaimError(Exception):
    """Raised when another owner holds the claim on a destination; says so in the user's words."""


def claim_path(path: ObjectStoragePath) -> ObjectStoragePath:
    """
    Return where the claim on a destination is.

    :param path: Where the video goes.
    :return: A hidden file beside it, with a name of a fixed length, so that it fits wherever the video's name does.
    """
    return path.parent / f".siliconflow-{digest(path.name)}.claim"


def read_claim(path: ObjectStoragePath) -> Claim | None:
    """
    Read the claim on a destination.

    :param path: Where the video goes.
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


def foreign_claim(path: ObjectStoragePath, found: Claim, owner: str) -> ForeignClaimError:
    """
    Return the error for a destination that another owner has claimed.

    :param path: Where the video goes.
    :param found: The claim there.
    :param owner: Who wants to publish there; empty for a writer without a name.
    :return: The error, with what to do.
    """
    hint = ""
    if _is_sibling(owner, found.owner):
        hint = (
            " It is another mapped instance of this very task: give each a destination of its own, for example with"
            " {{ ti.map_index }} in it, or a folder."
        )
    return ForeignClaimError(
        f"{path} is claimed by {describe_owner(found.owner)} since {found.claimed_at}, which is about to archive a"
        f" video there.{hint} Give another destination; or let that task finish, retry or clear it; or, if it will"
        f" never run again, remove {claim_path(path)}."
    )


def describe_owner(owner: str) -> str:
    """
    Return the words for an owner.

    :param owner: ``dag_id/run_id/task_id/map_index``; anything else is quoted.
    :return: For a message.
    """
    parts = _parts(owner)
    if not parts:
        return f"{owner[:200]!r}"
    dag_id, run_id, task_id, map_index = parts
    index = f", map index {map_index}" if map_index not in ("", "-1") else ""
    return f"DAG {dag_id}, run {run_id}, task {task_id}{index}"


def _is_sibling(owner: str, other: str) -> bool:
    """Tell whether two owners are mapped instances of one task in one run."""
    mine, theirs = _parts(owner), _parts(other)
    return mine is not None and theirs is not None and mine[:3] == theirs[:3] and mine != theirs


def _parts(owner: str) -> tuple[str, str, str, str] | None:
    """Take an owner apart; a run id may have slashes in it."""
    dag_id, _, rest = owner.partition("/")
    run_id, _, last = rest.rpartition("/")
    run_id, _, task_id = run_id.rpartition("/")
    return (dag_id, run_id, task_id, last) if dag_id and run_id and task_id else None
