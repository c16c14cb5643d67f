"""What an existing destination means: the very video, another one, or something in the way."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_siliconflow.archive import stores
from airflow_provider_siliconflow.archive.errors import destination_error, shorten
from airflow_provider_siliconflow.archive.manifest import describes, read_manifest, storable, write_manifest
from airflow_provider_siliconflow.archive.staging import abort_uploads, digest
from airflow_provider_siliconflow.exceptions import DestinationError, DestinationRefusedError

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

    from airflow_provider_siliconflow.archive.destination import Destination

IfExists = Literal["fail", "skip", "overwrite"]
_IF_EXISTS = ("fail", "skip", "overwrite")


def checked_if_exists(if_exists: Any) -> IfExists:
    """
    Return ``if_exists``, once it is known to be one of its words.

    :param if_exists: As the user gave it.
    :return: ``fail``, ``skip`` or ``overwrite``.
    :raises DestinationRefusedError: if it is not.
    """
    if not isinstance(if_exists, str) or if_exists not in _IF_EXISTS:
        raise DestinationRefusedError(f"if_exists is {shorten(repr(if_exists))}, not one of {', '.join(_IF_EXISTS)}.")
    return if_exists  # type: ignore[return-value]


def resolve_existing(destination: Destination, request_id: str | None, if_exists: IfExists) -> dict[str, Any] | None:
    """
    Decide what an existing destination means, and complete what a killed try has left of this very video.

    :param destination: Where the video goes.
    :param request_id: The video's id, if known.
    :param if_exists: What to do about another video there.
    :return: The manifest of what is there, if the work is done: it is this very video (same id, and its bytes are
        those of its manifest), or anything under ``skip``. None if the video is to be made.
    :raises DestinationRefusedError: if something is in the way.
    :raises DestinationError: if the store cannot be read.
    """
    if_exists = checked_if_exists(if_exists)
    path = destination.path
    try:
        there = stores.exists(path)
        manifest = read_manifest(destination.manifest)
        if there and request_id and (done := _completed(destination, manifest, request_id)):
            return _for_xcom(done, path)
        if there and if_exists == "skip":
            return _for_xcom(manifest or {"request_id": None, "bytes": path.fs.size(path.path)}, path)
    except DestinationError:
        raise
    except Exception as error:
        raise destination_error(path, error) from error
    if if_exists != "overwrite":
        _check_others(destination, manifest, request_id, there=there)
    return None


def _for_xcom(manifest: dict[str, Any], path: ObjectStoragePath) -> dict[str, Any]:
    """Return a manifest fit for an XCom, with the path it has now: folders are moved, and others write JSON, too."""
    facts: dict[str, Any] = storable(manifest)
    return facts | {"path": str(path)}


def pending_manifest(path: ObjectStoragePath, request_id: str | None) -> ObjectStoragePath:
    """
    Return where a manifest waits, hidden, until its video has its final name.

    :param path: Where the video goes.
    :param request_id: The video's id: two writers never share the file.
    :return: A path in the same folder.
    """
    hidden = digest(f"{path.name}\n{request_id}")
    return path.parent / f".siliconflow-{hidden}.manifest"


def _completed(destination: Destination, manifest: dict[str, Any] | None, request_id: str) -> dict[str, Any] | None:
    """Return the manifest if the file is this very video; one that waits since a kill is published now."""
    waiting = pending_manifest(destination.path, request_id)
    if manifest and manifest.get("request_id") == request_id and describes(manifest, destination.path):
        with suppress(Exception):
            # Of a try that was killed right before its last call; a store may not allow to remove.
            stores.remove(waiting)
        return manifest
    if manifest:
        return None
    manifest = read_manifest(waiting)
    if not manifest or manifest.get("request_id") != request_id or not describes(manifest, destination.path):
        return None
    write_manifest(destination.manifest, manifest)
    stores.remove(waiting)
    # The kill may have come while the manifest was uploaded.
    abort_uploads(destination.path, waiting.name)
    return manifest


def _check_others(
    destination: Destination, manifest: dict[str, Any] | None, request_id: str | None, *, there: bool
) -> None:
    whose = manifest.get("request_id") if manifest else None
    hint = 'Give another destination, or if_exists="overwrite" or "skip".'
    if there:
        other = f"the video {shorten(whose)}" if whose else "a file of unknown origin"
        raise DestinationRefusedError(f"{destination.path} holds {other} already. {hint}")
    if manifest and (not request_id or whose != request_id):
        raise DestinationRefusedError(
            f"{destination.manifest} is the manifest of the video {shorten(whose or '(without an id)')}, which is not"
            f' beside it. Give another destination, remove the manifest, or give if_exists="overwrite".'
        )
