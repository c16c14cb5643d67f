"""A publisher in a process of its own, which SIGKILL ends at a chosen call; imported once, forked for each."""

from __future__ import annotations

import logging
import multiprocessing
import os
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

#: Seconds until a publisher that does not end is given up.
PATIENCE = 60


def publish(uri: str, times: int, request_id: str, if_exists: str = "fail") -> dict[str, Any]:
    """Publish a video whose bytes are its id, as often as told."""
    path = understand(f"{uri}/clip.mp4", request_id).path
    return put(path, request_id.encode() * times, if_exists, request_id=request_id)


def run(environ: dict[str, str], *args: Any) -> None:
    """Publish; the exit code tells whether that went well."""
    os.environ.update(environ)
    resolve_localhost()
    logging.disable(logging.CRITICAL)
    try:
        publish(*args)
    except DestinationError:
        sys.exit(3)


def start(*args: Any) -> BaseProcess:
    """Start a publisher with the connections that are known now."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    environ = {name: value for name, value in os.environ.items() if name.startswith(("AIRFLOW_", "GCSFS_"))}
    process = context.Process(target=run, args=(environ, *args), daemon=True)
    process.start()
    return process
