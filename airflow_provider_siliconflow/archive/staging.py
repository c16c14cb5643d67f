"""
Local files that are filled before they are published, and the removal of what killed tasks left behind.

Left behind are staging files, checks, manifests that wait for their video, and unfinished uploads.
"""

from __future__ import annotations

import fcntl
import functools
import hashlib
import logging
import os
import re
import secrets
import shutil
import tempfile
import time
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_siliconflow.archive.destination import OBJECT_STORES, S3, is_local
from airflow_provider_siliconflow.archive.errors import destination_error
from airflow_provider_siliconflow.client.video_record import manifest_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from airflow.sdk import ObjectStoragePath

log = logging.getLogger(__name__)

#: What the check before paying makes in a local folder ends with this, and in a store it begins with that.
PROBE_SUFFIX, PROBE_NAME = ".probe", ".siliconflow-probe"
#: Seconds after which a file of another machine is taken as left behind. More than any download and upload may take by
#: their defaults: 4 GiB at 64 KiB/s are 18 hours.
ABANDONED_AFTER = 24 * 3600.0
#: Seconds after which a manifest that waits for its video is of no use: its task has had no retry for as long as claims
#: are respected.
WAITING_AFTER = 7 * 24 * 3600.0
#: Seconds for which a file may be one that is not locked yet, or a check that is under way.
_FRESH = 60.0
#: Seconds after which a check before paying has ended in any case.
_CHECKED_AFTER = 3600.0
#: Names checked in one folder at most, and seconds for that.
_MOST_NAMES, _MOST_SECONDS = 20_000, 2.0
_STAGED = re.compile(r"\.siliconflow-([0-9a-f]{6})[0-9a-f]{10}\.part(\.\w{1,8})?")
_WAITING = re.compile(r"\.siliconflow-[0-9a-f]{16}\.manifest")
#: An upload to a file system that is not local, by the digest of the name it is for.
_PART = re.compile(r"\.siliconflow-([0-9a-f]{16})-[0-9a-f]{8}\.part")
_KEPT = re.compile(r"\.siliconflow-[0-9a-f]{16}\.kept(\.json)?")


def hidden_name() -> str:
    """
    Return a new name of a hidden file.

    :return: ``.siliconflow-<6 hex digits of this machine><10 random ones>.part``.
    """
    return f".siliconflow-{machine()}{secrets.token_hex(5)}.part"


def digest(text: str) -> str:
    """
    Return what stands for a text in the names of hidden files.

    :param text: Any text.
    :return: 16 hexadecimal digits.
    """
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def part_name(name: str) -> str:
    """
    Return a new hidden name for an upload to a file system that is not local.

    :param name: The name of the file that is uploaded.
    :return: ``.siliconflow-<16 hex digits of that name>-<8 random ones>.part``.
    """
    if name.startswith(PROBE_NAME):
        return f"{PROBE_NAME}-{secrets.token_hex(8)}.part"
    return f".siliconflow-{digest(name)}-{secrets.token_hex(4)}.part"


@contextmanager
def staging(path: ObjectStoragePath) -> Iterator[Path]:
    """
    Give an empty local file to fill for a destination, and remove it at the end, whatever happens.

    It is locked (``flock``) meanwhile. A SIGKILL leaves it behind, hidden and unlocked, for :func:`sweep`.

    :param path: The destination. A local one is staged in its own folder (missing folders are made), another one
        in the folder for temporary files, with the destination's suffix.
    :yield: The path of the file.
    :raises DestinationError: if the file cannot be made.
    """
    # Clients of object stores guess the content type by the local suffix; in a local folder it would catch globs.
    if is_local(path):
        stage = Path(path.path).parent / hidden_name()
    else:
        suffix = Path(path.name).suffix
        stage = Path(tempfile.gettempdir()) / (hidden_name() + (suffix if re.fullmatch(r"\.\w{1,8}", suffix) else ""))
    try:
        stage.parent.mkdir(parents=True, exist_ok=True)
        # Not by tempfile: its files are for their owner alone, and stay so under their final name.
        file = os.open(stage, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise destination_error(stage.parent, error) from error
    try:
        with suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield stage
    finally:
        # While it is locked: a sweep would take it for one that a killed task left behind, and say so.
        stage.unlink(missing_ok=True)
        os.close(file)


@functools.cache
def machine() -> str:
    """
    Return what tells this machine from others.

    :return: Six hexadecimal digits, the same for all processes of this kernel, and of no other.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_bytes()
    except OSError:
        # Elsewhere no two processes count as of one machine, so age alone decides.
        boot = secrets.token_bytes(16)
    return hashlib.sha256(boot).hexdigest()[:6]


def sweep(path: ObjectStoragePath) -> None:
    """
    Remove what killed tasks left where a destination is staged; bounded, and never raises.

    A local staging file is left behind if nobody holds its lock: at once if it is of this machine, whose locks are
    certain; after :data:`ABANDONED_AFTER` if it is of another one, for network file systems may not share locks.

    :param path: The destination.
    """
    folder = Path(path.path).parent if is_local(path) else Path(tempfile.gettempdir())
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in _bounded(entries):
            with suppress(OSError):
                _remove_if_abandoned(Path(entry.path))
    if not is_local(path) and path.protocol not in OBJECT_STORES:
        with suppress(Exception):
            _sweep_remotely(path)


def abort_uploads(path: ObjectStoragePath, *beside: str) -> None:
    """
    Remove unfinished uploads to a destination; bounded, and never raises.

    On S3 these are multipart uploads, one page of them; on file systems that are not local they are hidden files.

    :param path: A destination of which we hold the claim, or whose video is published: nobody else may finish one.
        After it, names of further files that belong to it.
    """
    with suppress(Exception):
        if path.protocol in S3:
            _abort_multipart(path)
        elif not is_local(path) and path.protocol not in OBJECT_STORES:
            _remove_parts(path, {digest(name) for name in (path.name, manifest_name(path.name), *beside)})


def _abort_multipart(path: ObjectStoragePath) -> None:
    (bucket, _, key), fs = path.path.partition("/"), path.fs
    for upload in fs.call_s3("list_multipart_uploads", Bucket=bucket, Prefix=key).get("Uploads", []):
        if upload["Key"] == key:
            fs.call_s3("abort_multipart_upload", Bucket=bucket, Key=key, UploadId=upload["UploadId"])
            log.info("Aborted an unfinished upload to %s, which a killed task left behind.", path)


def _remove_parts(path: ObjectStoragePath, digests: set[str]) -> None:
    for name, _ in _remote_entries(path):
        found = _PART.fullmatch(name)
        if found and found[1] in digests:
            path.fs.rm_file((path.parent / name).path)
            log.info("Removed %s, which a killed task left behind.", path.parent / name)


def _remote_entries(path: ObjectStoragePath) -> list[tuple[str, dict[str, Any]]]:
    entries = path.fs.ls(path.parent.path, detail=True)[:_MOST_NAMES]
    return [(entry["name"].rstrip("/").rpartition("/")[2], entry) for entry in entries]


def _bounded(entries: Iterable[os.DirEntry[str]]) -> Iterable[os.DirEntry[str]]:
    end = time.monotonic() + _MOST_SECONDS
    for _, entry in zip(range(_MOST_NAMES), entries, strict=False):
        if time.monotonic() > end:
            return
        yield entry


def _remove_if_abandoned(file: Path) -> None:
    found = _STAGED.fullmatch(file.name)
    if found and file.name.endswith(PROBE_SUFFIX):
        if _age(file.stat()) > _FRESH:
            shutil.rmtree(file)
    elif found:
        _remove_if_unlocked(file, is_of_here=found[1] == machine())
    elif (_WAITING.fullmatch(file.name) or _KEPT.fullmatch(file.name)) and _age(file.stat()) > WAITING_AFTER:
        file.unlink()


def _remove_if_unlocked(file: Path, *, is_of_here: bool) -> None:
    opened = os.open(file, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        found = os.fstat(opened)
        least = ABANDONED_AFTER if not is_of_here else 0.0 if found.st_size else _FRESH
        if _age(found) >= least:
            file.unlink()
            log.info("Removed %s (%d bytes), which a killed task left behind.", file, found.st_size)
    finally:
        os.close(opened)


def _age(found: os.stat_result) -> float:
    return time.time() - found.st_mtime


def _sweep_remotely(path: ObjectStoragePath) -> None:
    """Remove hidden uploads of other destinations from a folder of SFTP and the like, which tell no locks."""
    for name, entry in _remote_entries(path):
        least = _abandoned_after(name)
        changed = _seconds(entry.get("mtime") or entry.get("modified") or entry.get("created"))
        if least and changed is not None and time.time() - changed > least:
            path.fs.rm(entry["name"], recursive=entry.get("type") == "directory")
            log.info("Removed %s, which a killed task left behind.", entry["name"])


def _abandoned_after(name: str) -> float | None:
    if name.startswith(PROBE_NAME):
        return _CHECKED_AFTER
    if _STAGED.fullmatch(name) or _PART.fullmatch(name):
        return ABANDONED_AFTER
    return WAITING_AFTER if _WAITING.fullmatch(name) else None


def _seconds(when: Any) -> float | None:
    if isinstance(when, datetime):
        return when.timestamp()
    return float(when) if isinstance(when, int | float) else None
