"""A publisher in a process of its own, which SIGKILL ends at a chosen call; imported once, forked for each."""

from __future__ import annotations

import itertools
import logging
import multiprocessing
import os
import signal
import sys
from contextlib import suppress
from importlib import import_module
from multiprocessing.process import BaseProcess
from typing import Any

from airflow.sdk.io.fs import has_fs

from airflow_provider_siliconflow.archive.destination import understand
from airflow_provider_siliconflow.exceptions import DestinationError
from tests.stores.kinds import resolve_localhost
from tests.unit.archive.published import put

# Before the fork: clients and Airflow's list of file systems take seconds to load.
for _name in ("s3fs", "adlfs", "gcsfs", "ossfs", "sshfs"):
    with suppress(ImportError):
        import_module(_name)
has_fs("file")

#: Audit events of Python; writing into an open file makes none, and happens under a name that nobody reads.
_CHANGES = ("os.link", "os.mkdir", "os.remove", "os.rename", "os.truncate")
#: Seconds until a publisher that does not end is given up.
PATIENCE = 60


def publish(uri: str, times: int, request_id: str, if_exists: str = "fail") -> dict[str, Any]:
    """Publish a video whose bytes are its id, as often as told."""
    path = understand(f"{uri}/clip.mp4", request_id).path
    return put(path, request_id.encode() * times, if_exists, request_id=request_id)


def die_at(point: int, folder: str) -> None:
    """Let SIGKILL end this process right before its n-th call that changes something below a folder."""
    left = itertools.count(point - 1, -1)

    def hook(event: str, args: tuple[Any, ...]) -> None:
        writes = event in _CHANGES or (event == "open" and args[2] & (os.O_WRONLY | os.O_RDWR))
        if writes and str(args[0]).startswith(folder) and next(left) == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


def run(environ: dict[str, str], kill_at: int, *args: Any) -> None:
    """Publish; the exit code tells whether that went well."""
    os.environ.update(environ)
    if kill_at:
        die_at(kill_at, args[0])
    resolve_localhost()
    logging.disable(logging.CRITICAL)
    try:
        publish(*args)
    except DestinationError:
        sys.exit(3)


def start(*args: Any, kill_at: int = 0) -> BaseProcess:
    """
    Start a publisher with the connections that are known now.

    :param kill_at: Of a local folder, the call at which it is killed; 0 for none.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    environ = {name: value for name, value in os.environ.items() if name.startswith(("AIRFLOW_", "GCSFS_"))}
    process = context.Process(target=run, args=(environ, kill_at, *args), daemon=True)
    process.start()
    return process
