"""Local files that are filled before they are published."""

from __future__ import annotations

import fcntl
import functools
import hashlib
import os
import re
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_siliconflow.archive.destination import is_local
from airflow_provider_siliconflow.archive.errors import destination_error

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

#: What the check before paying makes in a folder has this after a hidden name.
PROBE_SUFFIX = ".probe"


def hidden_name() -> str:
    """Return a new name ``.siliconflow-<6 hex digits of this machine><10 random ones>.part``."""
    return f".siliconflow-{machine()}{secrets.token_hex(5)}.part"


@contextmanager
def staging(path: ObjectStoragePath) -> Iterator[Path]:
    """
    Give an empty local file to fill for a destination, and remove it on every way out.

    It is locked (``flock``) meanwhile. A SIGKILL leaves it behind, hidden and unlocked, for
    :func:`~airflow_provider_siliconflow.archive.leftovers.sweep`.

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


@functools.cache
def machine() -> str:
    """Return six hexadecimal digits that are the same for all processes of this kernel, and of no other."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_bytes()
    except OSError:
        # Elsewhere no two processes count as of one machine, so age alone decides.
        boot = secrets.token_bytes(16)
    return hashlib.sha256(boot).hexdigest()[:6]
