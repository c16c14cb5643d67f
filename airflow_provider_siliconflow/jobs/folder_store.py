"""Values that outlive a try as files of a folder, in any object storage, where Variables are not wanted."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from airflow_provider_siliconflow.archive import stores
from airflow_provider_siliconflow.archive.destination import OBJECT_STORES, is_local
from airflow_provider_siliconflow.archive.small_files import replace_bytes
from airflow_provider_siliconflow.archive.store_path import store_path
from airflow_provider_siliconflow.jobs.envelope import UnreadableError, decode, encode

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

    from airflow_provider_siliconflow.jobs.task_name import TaskName


class FolderStore:
    """
    Values as JSON files of one folder.

    :param folder: The folder: an absolute path or any object-storage URI. One of a file system must exist: where it is
        missing, a disk may be, and with it the records.
    :param task: The task instance that the values belong to.
    """

    #: Whether a task that succeeded deletes its values here.
    is_swept = True

    def __init__(self, folder: str, task: TaskName) -> None:
        self._folder = folder
        self._task = task

    def get(self, name: str) -> Any:
        """
        Read a value.

        :param name: What is kept.
        :return: The value; None if it is certain that there is none.
        :raises UnreadableError: if the file holds something else, or its folder is missing.
        :raises OSError: if it cannot be read; other errors of the store's client as well.
        """
        path = self._path(name)
        text = _read(path)
        if text is None:
            self._check_folder(path)
            return None
        return decode(text)

    def set(self, name: str, value: Any) -> None:
        """
        Write a value, and read it back.

        :param name: What is kept.
        :param value: Plain JSON.
        :raises UnreadableError: if something else is read than was written, or the folder is missing.
        :raises OSError: if it cannot be written; other errors of the store's client as well.
        """
        path, text = self._path(name), encode(value, self._task)
        self._check_folder(path)
        replace_bytes(path, text.encode())
        if _read(path) != text:
            raise UnreadableError(f"{path} does not read as it was written")

    def delete(self, name: str) -> None:
        """
        Delete a value.

        :param name: What is kept.
        """
        stores.remove(self._path(name))

    def _path(self, name: str) -> ObjectStoragePath:
        return store_path(self._folder) / f"{self._task.hashed(name)}.json"

    def _check_folder(self, path: ObjectStoragePath) -> None:
        parent = path.parent
        if parent.protocol in OBJECT_STORES:
            return
        if not (os.path.isdir(parent.path) if is_local(parent) else parent.fs.isdir(parent.path)):
            raise UnreadableError(f"the folder {self._folder} is missing, or the disk that has it")


def _read(path: ObjectStoragePath) -> str | None:
    """Read a file by its name, not by a listing that a client may remember; no error but absence is absence."""
    try:
        return bytes(path.fs.cat_file(path.path)).decode()
    except FileNotFoundError:
        return None
