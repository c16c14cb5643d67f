"""Local files that are filled before they are published, and the removal of those that a kill left behind."""

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
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_siliconflow.archive.destination import is_local
from airflow_provider_siliconflow.archive.errors import destination_error

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import ObjectStoragePath

log = logging.getLogger(__name__)

#: Seconds after which a staging file of another machine is taken as left behind. More than any download and upload
#: may take: 4 GiB at 64 KiB/s are 18 hours.
ABANDONED_AFTER = 24 * 3600.0
#: Seconds for which an empty file may be one that is not locked yet.
_UNLOCKED = 60.0
#: Names looked at in one folder at most, and seconds for that.
_SWEEP_NAMES, _SWEEP_SECONDS = 20_000, 2.0
_OURS = re.compile(r"\.siliconflow-([0-9a-f]{6})[0-9a-f]{10}\.part(\.\w{1,8})?")
#: What the check before paying makes in a folder.
PROBE_SUFFIX = ".probe"
#: Manifests whose video a killed task did not publish, and that no retry has completed.
_WAITING = re.compile(r"\.siliconflow-[0-9a-f]{16}\.manifest")
_WAITING_AFTER = 7 * 24 * 3600.0


def hidden_name() -> str:
    """Return a new name ``.siliconflow-<6 hex digits of this machine><10 random ones>.part``."""
    return f".siliconflow-{_machine()}{secrets.token_hex(5)}.part"


@contextmanager
def staging(path: ObjectStoragePath) -> Iterator[Path]:
    """
    Give an empty local file to fill for a destination, and remove it on every way out.

    It is locked (``flock``) meanwhile. A SIGKILL leaves it behind, hidden and unlocked, for :func:`sweep`.

    :param path: The destination. A local one is staged in its own folder (folders on the way are made), another one
        in the folder for temporary files, with the destination's suffix.
    :return: The path of the file.
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


def sweep(path: ObjectStoragePath) -> None:
    """
    Remove staging files that killed processes left where a destination is staged; bounded, and never raises.

    A file is left behind if its name is ours and nobody holds its lock: at once if it is of this machine, whose locks
    are certain; after :data:`ABANDONED_AFTER` if it is of another one, for network file systems may not share locks.

    :param path: The destination.
    """
    folder = Path(path.path).parent if is_local(path) else Path(tempfile.gettempdir())
    end = time.monotonic() + _SWEEP_SECONDS
    with suppress(OSError), os.scandir(folder) as entries:
        for number, entry in enumerate(entries):
            if number >= _SWEEP_NAMES or time.monotonic() > end:
                return
            with suppress(OSError):
                if found := _OURS.fullmatch(entry.name):
                    _remove_abandoned(Path(entry.path), is_of_here=found[1] == _machine())
                elif _WAITING.fullmatch(entry.name) and time.time() - entry.stat().st_mtime > _WAITING_AFTER:
                    os.unlink(entry.path)


def _remove_abandoned(file: Path, *, is_of_here: bool) -> None:
    if file.name.endswith(PROBE_SUFFIX):
        if time.time() - file.stat().st_mtime > _UNLOCKED:
            shutil.rmtree(file)
        return
    opened = os.open(file, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        found = os.fstat(opened)
        age = time.time() - found.st_mtime
        least = ABANDONED_AFTER if not is_of_here else 0.0 if found.st_size else _UNLOCKED
        if age >= least:
            file.unlink()
            log.info("Removed %s (%d bytes), which a killed task left behind.", file, found.st_size)
    finally:
        os.close(opened)


@functools.cache
def _machine() -> str:
    """Return six hexadecimal digits that are the same for all processes of this kernel, and of no other."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_bytes()
    except OSError:
        # Elsewhere no two processes count as of one machine, so age alone decides.
        boot = secrets.token_bytes(16)
    return hashlib.sha256(boot).hexdigest()[:6]
