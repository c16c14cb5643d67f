"""Files and objects get their final names whole or not at all, in every kind of store."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_siliconflow.archive.destination import understand
from airflow_provider_siliconflow.archive.prepare import prepare_destination, release_claim
from airflow_provider_siliconflow.archive.staging import staging
from airflow_provider_siliconflow.archive.stores import create
from airflow_provider_siliconflow.exceptions import DestinationError, DestinationRefusedError
from tests.unit.archive.published import BYTES, put
from tests.unit.archive.stores import Store, StubbornStore

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

    InStore = Callable[[Store, str], ObjectStoragePath]


def test_other_stores_get_a_hidden_file_and_a_move(in_store: InStore) -> None:
    store = Store()
    path = in_store(store, "memory://bucket/a/clip.mp4")
    put(path)
    assert [what for what, _ in store.done] == ["put", "mv"] * 3
    assert all("/.siliconflow-" in name for what, name in store.done if what == "put")
    assert store.names() == ["/bucket/a/clip.mp4", "/bucket/a/clip.mp4.json"]
    assert path.fs.cat_file(path.path) == BYTES


def test_a_store_that_does_not_move_onto_files_is_overwritten(in_store: InStore) -> None:
    store = StubbornStore()
    path = in_store(store, "memory://bucket/clip.mp4")
    put(path)
    put(path, b"other", if_exists="overwrite", request_id="other")
    assert path.fs.cat_file(path.path) == b"other"
    assert store.names() == ["/bucket/clip.mp4", "/bucket/clip.mp4.json"]


def test_a_failed_move_leaves_nothing(in_store: InStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store()
    path = in_store(store, "memory://bucket/clip.mp4")

    def no_move(*_: Any) -> None:
        raise PermissionError("not yours")

    monkeypatch.setattr(store, "mv", no_move)
    with pytest.raises(DestinationError, match="not yours"):
        put(path)
    assert store.names() == []


def test_a_file_system_without_hard_links_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    path = understand(f"{tmp_path}/clip.mp4", "abc").path
    assert prepare_destination(str(path), owner="d/r/one/-1", if_exists="fail") is None
    with pytest.raises(DestinationRefusedError, match="claimed by DAG d"):
        prepare_destination(str(path), owner="d/r/two/-1", if_exists="fail")
    release_claim(str(path), owner="d/r/one/-1")
    put(path)
    with staging(path) as stage:
        stage.write_bytes(b"other")
        with pytest.raises(FileExistsError):
            create(stage, path)
    assert sorted(found.name for found in tmp_path.iterdir()) == ["clip.mp4", "clip.mp4.json"]
    assert Path(path.path).read_bytes() == BYTES
