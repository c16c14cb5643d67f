"""The manifest of a video: facts that any store can hold, written as JSON beside it."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from typing import IO, TYPE_CHECKING, Any

from airflow_provider_siliconflow.archive import stores
from airflow_provider_siliconflow.archive.small_files import replace_bytes
from airflow_provider_siliconflow.exceptions import DestinationRefusedError

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

#: Version of the manifest's form. Readers ignore fields that they do not know; a change of a field's meaning counts up.
SCHEMA_VERSION = 1
#: Bytes of a JSON file above which it is no manifest of ours.
_MANIFEST_LIMIT = 1 << 20
#: Characters of one text, entries of one list or mapping, and levels at most: all far below the limit.
_TEXT_LIMIT, _ENTRIES, _LEVELS = 20_000, 100, 4
_BLOCK = 1 << 20


def storable(value: Any, levels: int = _LEVELS) -> Any:
    """
    Return a value that JSON, XCom and every database can hold, as near to the given one as can be.

    :param value: Anything.
    :param levels: Levels of lists and mappings to go down.
    :return: A copy; a deeper or foreign value is its text.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value) if abs(value) < 1 << 63 else str(value)[:_TEXT_LIMIT]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping) and levels:
        entries = list(value.items())[:_ENTRIES]
        return {str(storable(str(name))): storable(entry, levels - 1) for name, entry in entries}
    if isinstance(value, list | tuple) and levels:
        return [storable(entry, levels - 1) for entry in value[:_ENTRIES]]
    return _storable_text(value)


def _storable_text(value: Any) -> str:
    try:
        text = value if isinstance(value, str) else str(value)
    except Exception:  # of a foreign __str__, whatever it raises
        text = f"({type(value).__name__})"
    # Lone surrogates have no UTF-8, and PostgreSQL holds no NUL.
    return text[:_TEXT_LIMIT].encode("utf-16", "surrogatepass").decode("utf-16", "replace").replace("\0", "\ufffd")


def encode(manifest: Mapping[str, Any]) -> bytes:
    """
    Return a manifest as JSON for people to read.

    :param manifest: What it tells.
    :return: UTF-8.
    """
    return (json.dumps(storable(manifest), ensure_ascii=False, indent=2) + "\n").encode()


def read_manifest(path: ObjectStoragePath) -> dict[str, Any] | None:
    """
    Read a manifest.

    :param path: Where it is.
    :return: None if there is none.
    :raises DestinationRefusedError: if the file is something else, which is not ours to replace.
    """
    text = stores.read_small(path, _MANIFEST_LIMIT)
    if text is None:
        return None
    try:
        manifest = json.loads(text)
    except (ValueError, RecursionError):
        manifest = None
    if not isinstance(manifest, dict) or "sha256" not in manifest:
        raise DestinationRefusedError(
            f"{path}, where the manifest goes, holds something else: give another destination."
        )
    return manifest


def describes(manifest: Mapping[str, Any], path: ObjectStoragePath) -> bool:
    """
    Tell whether a file has the bytes that a manifest tells; reads all of it.

    :param manifest: With ``bytes`` and ``sha256``.
    :param path: A file that exists.
    :return: False also for a file of 0 bytes.
    """
    size = path.fs.size(path.path)
    # A FIFO or a device tells 0, and could be read for ever; no video has 0 bytes.
    if not size or size != manifest.get("bytes"):
        return False
    with path.fs.open(path.path, "rb") as file:
        return sha256_of(file) == manifest.get("sha256")


def sha256_of(file: IO[bytes]) -> str:
    """
    Return the hash of a file, which is read to its end and closed.

    :param file: An open file.
    :return: SHA-256, in hexadecimal.
    """
    digest = hashlib.sha256()
    with file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def write_manifest(path: ObjectStoragePath, manifest: Mapping[str, Any]) -> None:
    """
    Write a manifest, whole or not at all.

    :param path: Where it goes; replaced if it is there.
    :param manifest: What it tells.
    """
    replace_bytes(path, encode(manifest))
