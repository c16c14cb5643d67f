"""Records in a folder, local or in object storage: unreadable is not absent, and what is written is read back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.io.store import attach
from fsspec.implementations.local import LocalFileSystem
from fsspec.implementations.memory import MemoryFileSystem

from airflow_provider_siliconflow.jobs.envelope import UnreadableError
from airflow_provider_siliconflow.jobs.folder_store import FolderStore
from airflow_provider_siliconflow.jobs.task_name import TaskName

TASK = TaskName("a_dag", "a/run?", "video", -1)
VALUE = {"request_id": "abc", "prompt": "一只猫"}


def test_a_value_is_kept_and_found_by_the_next_try(tmp_path: Path) -> None:
    store = FolderStore(str(tmp_path), TASK)
    assert store.get("a") is None
    store.set("a", VALUE)
    store.set("b", {"other": True})
    assert FolderStore(tmp_path.as_uri(), TASK).get("a") == VALUE
    assert FolderStore(str(tmp_path), TASK._replace(map_index=0)).get("a") is None
    store.delete("a")
    store.delete("a")
    assert store.get("a") is None
    assert len(list(tmp_path.iterdir())) == 1, "no staging file is left"


def test_a_folder_that_is_missing_is_no_absent_record_and_is_not_made(tmp_path: Path) -> None:
    """A disk that is not mounted takes the records with it."""
    store = FolderStore(str(tmp_path / "records"), TASK)
    with pytest.raises(UnreadableError, match="is missing, or the disk that has it"):
        store.get("a")
    with pytest.raises(UnreadableError, match="is missing"):
        store.set("a", VALUE)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("error", [PermissionError("403"), TimeoutError(), ConnectionResetError(), ValueError("x")])
def test_any_error_but_absence_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fail(*_: Any, **__: Any) -> bytes:
        raise error

    monkeypatch.setattr(LocalFileSystem, "cat_file", fail)
    with pytest.raises(type(error)):
        FolderStore(str(tmp_path), TASK).get("a")


@pytest.mark.parametrize("text", ["", "{", "5", '{"value": 5}', "\udcff"])
def test_a_file_that_holds_something_else_is_an_error(tmp_path: Path, text: str) -> None:
    (tmp_path / f"{TASK.hashed('a')}.json").write_text(text, errors="surrogateescape")
    with pytest.raises((UnreadableError, UnicodeDecodeError)):
        FolderStore(str(tmp_path), TASK).get("a")


@pytest.mark.parametrize("read", [b"other", FileNotFoundError()])
def test_a_write_that_is_not_what_is_read_back_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read: bytes | Exception
) -> None:
    def other(*_: Any, **__: Any) -> bytes:
        if isinstance(read, Exception):
            raise read
        return read

    monkeypatch.setattr(LocalFileSystem, "cat_file", other)
    with pytest.raises(UnreadableError, match="does not read as it was written"):
        FolderStore(str(tmp_path), TASK).set("a", VALUE)


def test_a_store_that_is_no_local_one(monkeypatch: pytest.MonkeyPatch) -> None:
    fs = MemoryFileSystem()
    fs.makedirs("/records", exist_ok=True)
    attach(protocol="memory", fs=fs)
    store = FolderStore("memory:///records", TASK)
    store.set("a", VALUE)
    assert store.get("a") == VALUE
    store.delete("a")
    assert store.get("a") is None
    with pytest.raises(UnreadableError, match="is missing"):
        FolderStore("memory:///unmounted", TASK).get("a")
