"""Publish a video and its manifest; know one that is published already."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_siliconflow.archive.atomic_write import is_local, look_for_bucket, place, staging
from airflow_provider_siliconflow.archive.errors import destination_error
from airflow_provider_siliconflow.exceptions import DestinationError, DestinationRefusedError

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import ObjectStoragePath

IfExists = Literal["fail", "skip", "overwrite"]
_IF_EXISTS = ("fail", "skip", "overwrite")
_BLOCK = 1 << 20
#: Bytes of a JSON file above which it is no manifest of ours.
_MANIFEST_LIMIT = 1 << 20


def resolve_destination(destination: str, request_id: str | None) -> ObjectStoragePath:
    """
    Turn what the user gave into the path of a video.

    :param destination: A local path or object-storage URI (``s3://conn_id@bucket/key``). A folder (a trailing ``/``,
        or one that exists) stands for ``<request_id>.mp4`` in it.
    :param request_id: The video's id, if known.
    :raises DestinationRefusedError: for a folder without an id, for ``.json``, for nothing.
    :raises DestinationError: if its file system cannot be reached.
    """
    path, is_folder = _look_at(destination)
    if not is_folder:
        if path.name.lower().endswith(".json"):
            raise DestinationRefusedError(f"{path} is no place for a video: its manifest goes to a .json file.")
        return path
    if not request_id:
        raise DestinationRefusedError(
            f"{destination} is a folder, and without a request_id there is no name for the video: give a file name."
        )
    return path / f"{_file_name(request_id)}.mp4"


def check_destination(destination: str, *, if_exists: IfExists, request_id: str | None = None) -> dict[str, Any] | None:
    """
    Find out what is wrong with a destination while that costs nothing yet.

    :param destination: As for :func:`resolve_destination`; a folder may come without an id.
    :param if_exists: What to do about a video that is there already.
    :param request_id: The video's id, if known.
    :return: The manifest of what is there, if the work is done; as :func:`resolve_existing`.
    :raises DestinationError: with the path and the cause. Local places are tried by writing a hidden file; of others
        only what a look can tell is known.
    """
    path = resolve_destination(destination, request_id or "not-known-yet")
    existing = resolve_existing(path, request_id, if_exists)
    if existing is not None:
        return existing
    look_for_bucket(path)
    if is_local(path):
        with staging(path):
            pass
    return None


def manifest_path(path: ObjectStoragePath) -> ObjectStoragePath:
    """Return where the manifest of a video is: ``clip.mp4`` has ``clip.json``."""
    return path.parent / f"{Path(path.name).stem}.json"


def resolve_existing(path: ObjectStoragePath, request_id: str | None, if_exists: IfExists) -> dict[str, Any] | None:
    """
    Decide what an existing destination means.

    :param path: Where the video goes.
    :param request_id: The video's id, if known.
    :param if_exists: What to do about another video there.
    :return: The manifest of what is there, if the work is done: it is this very video (same id, and its bytes are
        those of its manifest), or anything under ``skip``. None if the video is to be made.
    :raises DestinationRefusedError: if something is in the way.
    :raises DestinationError: if the place cannot be read.
    """
    if if_exists not in _IF_EXISTS:
        raise DestinationRefusedError(f"if_exists is {if_exists!r}, not one of {', '.join(_IF_EXISTS)}.")
    try:
        # Some clients remember listings, and another task may have published since.
        path.fs.invalidate_cache(path.parent.path)
        there = path.fs.exists(path.path)
        manifest = _read_manifest(manifest_path(path))
        if there and manifest and request_id and manifest.get("request_id") == request_id and _holds(path, manifest):
            return manifest
        if there and if_exists == "skip":
            return manifest or {"request_id": None, "path": str(path), "bytes": path.fs.size(path.path)}
    except DestinationError:
        raise
    except Exception as error:
        raise destination_error(path, error) from error
    if if_exists == "overwrite":
        return None
    if there:
        whose = manifest.get("request_id") if manifest else None
        other = f"the video {whose}" if whose else "a file of unknown origin"
        raise DestinationRefusedError(
            f'{path} holds {other} already. Give another destination, or if_exists="overwrite" or "skip".'
        )
    return None


def find_archived(destination: str, request_id: str) -> dict[str, Any] | None:
    """
    Return the manifest of a video that is archived already, whatever the service says of it by now.

    :param destination: As for :func:`resolve_destination`.
    :param request_id: The video's id.
    :return: None if it is not there, or if that cannot be told.
    """
    try:
        return resolve_existing(resolve_destination(destination, request_id), request_id, "overwrite")
    except DestinationError:
        return None


def publish(stage: Path, path: ObjectStoragePath, manifest: Mapping[str, Any], if_exists: IfExists) -> dict[str, Any]:
    """
    Publish a whole video, after its manifest: a video under its final name has one always.

    :param stage: The file of :func:`staging` for this path.
    :param path: Where the video goes.
    :param manifest: What to write beside it.
    :param if_exists: What to do if a video has appeared there meanwhile.
    :return: The manifest of what is there now.
    :raises DestinationError: with the path and the cause; nothing half-written is under the final name.
    """
    existing = resolve_existing(path, manifest["request_id"], if_exists)
    if existing is not None:
        return existing
    beside = manifest_path(path)
    with staging(beside) as text:
        _write_synced(text, json.dumps(manifest, ensure_ascii=False, indent=2) + "\n")
        place(text, beside)
    place(stage, path)
    return dict(manifest)


def _look_at(destination: str) -> tuple[ObjectStoragePath, bool]:
    """Return the path as the file system knows it, and whether it is a folder."""
    from airflow.providers.common.compat.sdk import ObjectStoragePath

    if not destination.strip():
        raise DestinationRefusedError("The destination is empty.")
    try:
        path = ObjectStoragePath(destination)
        if is_local(path):
            # A manifest names the place for good, a working directory does not.
            path = ObjectStoragePath(f"{'file://' if path.protocol else ''}{os.path.abspath(path.path)}")
        is_folder = destination.endswith("/") or not path.name or path.fs.isdir(path.path)
    except Exception as error:
        raise destination_error(destination, error) from error
    return path, is_folder


def _file_name(request_id: str) -> str:
    """Make a file name of an id; two ids never share one."""
    safe = re.sub(r"[^A-Za-z0-9_-]", "_", request_id)[:100]
    if safe == request_id:
        return safe
    return f"{safe}-{hashlib.sha256(request_id.encode()).hexdigest()[:12]}"


def _read_manifest(path: ObjectStoragePath) -> dict[str, Any] | None:
    """
    Read a manifest; None if there is none.

    :raises DestinationRefusedError: if the file is something else, which is not ours to replace.
    """
    fs = path.fs
    if not fs.exists(path.path):
        return None
    text = fs.cat_file(path.path) if fs.size(path.path) <= _MANIFEST_LIMIT else b""
    try:
        manifest = json.loads(text)
    except ValueError:
        manifest = None
    if not isinstance(manifest, dict) or "sha256" not in manifest:
        raise DestinationRefusedError(
            f"{path}, where the manifest goes, holds something else: give another destination."
        )
    return manifest


def _holds(path: ObjectStoragePath, manifest: Mapping[str, Any]) -> bool:
    """Tell whether a file has the bytes that a manifest tells."""
    if path.fs.size(path.path) != manifest.get("bytes"):
        return False
    digest = hashlib.sha256()
    with path.fs.open(path.path, "rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest() == manifest.get("sha256")


def _write_synced(path: Path, text: str) -> None:
    try:
        with path.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise destination_error(path, error) from error
