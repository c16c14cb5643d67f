"""
Let one task of a machine at a time tell Airflow of an asset that it may not know yet.

Airflow's API server creates an asset together with its first event. Of two tasks that succeed at the same moment one
meets a unique key then, and Airflow marks it failed, without a retry, although its video is archived
(``execution_api/routes/task_instances.py`` and ``TaskInstance.register_asset_changes_in_db`` of 3.3.2). So the first
tasks of a machine go one after the other, until one of them has succeeded.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import tempfile
import time
from pathlib import Path

#: Seconds for which a task waits for others; then it goes, as if there were none.
_PATIENCE = 60.0
_KNOWN = b"known"
#: The locks of this process: one of its tasks does not wait for another.
_held: dict[Path, int] = {}


def wait_for_turn(asset: str) -> None:
    """
    Wait while another task on this machine is about to tell Airflow of an asset for the first time.

    The turn is held until this process ends, or :func:`tell_known`.

    :param asset: What tells the asset from others, also from those of other Airflows on this machine.
    :raises OSError: if there can be no lock here.
    """
    path = lock_path(asset)
    if path in _held:
        return
    path.parent.mkdir(mode=0o700, exist_ok=True)
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    if _takes_turn(file):
        _held[path] = file
    else:
        os.close(file)


def tell_known() -> None:
    """Note that Airflow knows the assets of this process, whose task has succeeded: nobody waits for them again."""
    while _held:
        _, file = _held.popitem()
        os.write(file, _KNOWN)
        # A process that was forked meanwhile has the file open as well.
        fcntl.flock(file, fcntl.LOCK_UN)
        os.close(file)


def lock_path(asset: str) -> Path:
    """
    Return the file that is locked for an asset.

    :param asset: What tells it from others.
    :return: A path on this machine, for this user.
    """
    name = hashlib.sha256(asset.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return Path(tempfile.gettempdir(), f"siliconflow-assets-{os.getuid()}", name)


def _takes_turn(file: int) -> bool:
    end = time.monotonic() + _PATIENCE
    while os.fstat(file).st_size == 0:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > end:
                return False
            time.sleep(0.05)
        else:
            return os.fstat(file).st_size == 0
    return False
