"""Put a local file under its final name, whole or not at all, on any file system that Airflow knows."""

from __future__ import annotations

import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_siliconflow.archive.errors import destination_error

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import ObjectStoragePath

#: Stores on which an object appears under its name when its upload is complete, and not before.
_PUBLISH_ON_COMPLETION = frozenset({"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "wasb", "wasbs", "oss"})
_LOCAL = ("", "file", "local")


def is_local(path: ObjectStoragePath) -> bool:
    """Tell whether a path is on a file system of this machine."""
    return path.protocol in _LOCAL


@contextmanager
def staging(path: ObjectStoragePath) -> Iterator[Path]:
    """
    Give an empty local file to fill for a destination, and remove it on every way out.

    A SIGKILL leaves it behind, hidden and harmless: ``.siliconflow-<random>.part`` in the folder of a local
    destination, else with the destination's suffix in the folder for temporary files.

    :param path: The destination.
    :raises DestinationError: if the file cannot be made; folders on the way to a local destination are.
    """
    # Clients of object stores guess the content type by the local suffix; in a local folder it would catch globs.
    if is_local(path):
        stage = Path(path.path).parent / _hidden_name()
    else:
        stage = Path(tempfile.gettempdir()) / (_hidden_name() + Path(path.name).suffix)
    try:
        stage.parent.mkdir(parents=True, exist_ok=True)
        # Not by tempfile: its files are for their owner alone, and stay so under their final name.
        stage.touch(exist_ok=False)
    except OSError as error:
        raise destination_error(stage.parent, error) from error
    try:
        yield stage
    finally:
        stage.unlink(missing_ok=True)


def place(stage: Path, path: ObjectStoragePath) -> None:
    """
    Publish a file: after this it is whole under its final name, and before it is not there.

    :param stage: A file of :func:`staging` for this path, complete.
    :param path: The destination; replaced if it exists.
    :raises DestinationError: with the path and the cause; the destination is as it was.
    """
    try:
        if is_local(path):
            _place_locally(stage, Path(path.path))
        elif path.protocol in _PUBLISH_ON_COMPLETION:
            # Never by `open(…, "wb")`: fsspec publishes a cut object when the block around it fails.
            path.fs.put_file(str(stage), path.path)
        else:
            _place_by_move(stage, path)
    except Exception as error:
        raise destination_error(path, error) from error


def look_for_bucket(path: ObjectStoragePath) -> None:
    """
    Look whether the bucket of an object store is there; elsewhere, and without the right to look, do nothing.

    :raises DestinationError: if it is not, or cannot be reached.
    """
    if path.protocol not in _PUBLISH_ON_COMPLETION:
        return
    try:
        with suppress(PermissionError):
            path.fs.info(path.path.partition("/")[0])
    except Exception as error:
        raise destination_error(path, error) from error


def _place_locally(stage: Path, path: Path) -> None:
    os.replace(stage, path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _place_by_move(stage: Path, path: ObjectStoragePath) -> None:
    fs = path.fs
    hidden = (path.parent / _hidden_name()).path
    try:
        fs.put_file(str(stage), hidden)
        try:
            fs.mv(hidden, path.path)
        except OSError:
            if not fs.exists(path.path):
                raise
            # Some file systems (HDFS, SMB) do not move onto a file.
            fs.rm_file(path.path)
            fs.mv(hidden, path.path)
    finally:
        with suppress(Exception):
            if fs.exists(hidden):
                fs.rm_file(hidden)


def _hidden_name() -> str:
    return f".siliconflow-{secrets.token_hex(8)}.part"
