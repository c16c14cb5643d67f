"""
Let one task of a machine at a time tell Airflow of an asset that it may not know yet.

Airflow's API server creates an asset, and ties it to its alias, with its first event. Of two tasks that succeed
at the same moment one meets a unique key then, and Airflow marks it failed, without a retry, although its video is
archived (``TaskInstance.register_asset_changes_in_db``, and "Setting the task to failed" in
``execution_api/routes/task_instances.py``, of 3.3.2). So the first tasks of a machine go one after the other, until one
of them has succeeded.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Seconds for which a task waits for others in all; then it goes, as if there were none.
_PATIENCE = 60.0
_KNOWN = b"known"
#: The locks of this process: one of its tasks does not wait for another.
_held: dict[Path, int] = {}


def wait_for_turns(assets: Iterable[str]) -> None:
    """
    Wait while other tasks on this machine are about to tell Airflow of the same assets for the first time.

    The turns are held until this process ends, or :func:`tell_known`.

    :param assets: What tells each asset from others, also from those of other Airflows on this machine.
    :raises OSError: if there can be no lock here.
    """
    end = time.monotonic() + _PATIENCE
    # In one order for all, so that no two tasks wait for each other.
    for path in sorted({_lock_path(asset) for asset in assets} - _held.keys()):
        path.parent.mkdir(mode=0o700, exist_ok=True)
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        if _takes_turn(file, end):
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


def _lock_path(asset: str) -> Path:
    name = hashlib.sha256(asset.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return Path(tempfile.gettempdir(), f"siliconflow-assets-{os.getuid()}", name)


def _takes_turn(file: int, end: float) -> bool:
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
