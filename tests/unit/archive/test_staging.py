"""What killed tasks leave is removed by the next one, and what living ones use is not."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_siliconflow.archive.destination import understand
from airflow_provider_siliconflow.archive.prepare import prepare_destination
from airflow_provider_siliconflow.archive.staging import (
    ABANDONED_AFTER,
    WAITING_AFTER,
    abort_uploads,
    hidden_name,
    machine,
    staging,
    sweep,
)
from tests.unit.archive.moto_s3 import IS_INSTALLED, NEEDS_MOTO, new_bucket, s3_server
from tests.unit.archive.published import put
from tests.unit.archive.stores import Store

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

    InStore = Callable[[Store, str], ObjectStoragePath]

_HOLDS = """
import sys, time
from airflow_provider_siliconflow.archive.destination import understand
from airflow_provider_siliconflow.archive.staging import staging
for destination in sys.argv[1:]:
    stage = staging(understand(destination, None).path)
    stage.__enter__().write_bytes(b"half a video")
    sys.modules.setdefault("kept", []).append(stage)
print("holds", flush=True)
time.sleep(300)
"""


@pytest.fixture
def clip(tmp_path: Path) -> ObjectStoragePath:
    return understand(f"{tmp_path}/clip.mp4", None).path


def names(folder: Path) -> list[str]:
    return sorted(found.name for found in folder.iterdir())


def make(folder: Path, name: str, *, age: float, body: bytes = b"half") -> Path:
    path = folder / name
    path.write_bytes(body)
    os.utime(path, (time.time() - age,) * 2)
    return path


def other_machine() -> str:
    return f".siliconflow-{(int(machine(), 16) ^ 1):06x}0123456789.part"


def test_staging_files_of_killed_processes_go_and_those_of_living_ones_stay(
    clip: ObjectStoragePath, tmp_path: Path
) -> None:
    writers = [
        subprocess.Popen([sys.executable, "-c", _HOLDS, str(clip)], stdout=subprocess.PIPE, text=True) for _ in range(3)
    ]
    try:
        for writer in writers:
            assert writer.stdout
            assert writer.stdout.readline() == "holds\n"
        assert len(names(tmp_path)) == 3
        sweep(clip)
        assert len(names(tmp_path)) == 3
        for writer in writers[:2]:
            writer.kill()
            writer.wait(10)
        sweep(clip)
        assert len(names(tmp_path)) == 1
    finally:
        for writer in writers:
            writer.kill()
            writer.wait(10)
    put(clip)
    prepare_destination(f"{tmp_path}/other.mp4", owner=None, if_exists="fail")
    assert names(tmp_path) == ["clip.mp4", "clip.mp4.json"]


@pytest.mark.parametrize(
    ("name", "age", "body", "stays"),
    [
        (hidden_name(), 0, b"half", False),
        (hidden_name(), 0, b"", True),
        (hidden_name(), 61, b"", False),
        (hidden_name() + ".mp4", 0, b"half", False),
        (other_machine(), ABANDONED_AFTER - 60, b"half", True),
        (other_machine(), ABANDONED_AFTER + 60, b"half", False),
        (".siliconflow-0123456789abcdef.manifest", WAITING_AFTER - 60, b"{}", True),
        (".siliconflow-0123456789abcdef.manifest", WAITING_AFTER + 60, b"{}", False),
        (".siliconflow-0123456789abcdef.claim", 1e9, b"{}", True),
        (".siliconflow-notes.part", 1e9, b"mine", True),
        (".siliconflow-0123456789abcdef.part.backup.txt", 1e9, b"mine", True),
        ("clip.part", 1e9, b"mine", True),
    ],
    # The names have chance in them, and each process of the tests must collect the same.
    ids=[
        *("ours", "ours, empty", "ours, empty for a minute", "ours with a suffix", "another machine's"),
        *("another machine's of yesterday", "manifest", "old manifest", "claim", "notes", "backup", "no staging file"),
    ],
)
def test_what_is_ours_and_old_goes(
    clip: ObjectStoragePath, tmp_path: Path, name: str, age: float, body: bytes, stays: bool
) -> None:
    path = make(tmp_path, name, age=age, body=body)
    sweep(clip)
    assert path.exists() == stays


def test_a_lock_counts_at_any_age(clip: ObjectStoragePath, tmp_path: Path) -> None:
    for name in (hidden_name(), other_machine()):
        path = make(tmp_path, name, age=1e9)
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            sweep(clip)
            assert path.exists()
    with staging(clip) as stage:
        stage.write_bytes(b"being written")
        sweep(clip)
        assert stage.exists()


def test_checks_that_were_killed_go(clip: ObjectStoragePath, tmp_path: Path) -> None:
    folders = [tmp_path / f"{hidden_name()}.probe" for _ in range(2)]
    for folder, age in zip(folders, (0, 61), strict=True):
        folder.mkdir()
        (folder / "clip.mp4").write_bytes(b"x")
        os.utime(folder, (time.time() - age,) * 2)
    sweep(clip)
    assert names(tmp_path) == [folders[0].name]


@pytest.mark.parametrize("kind", ["fifo", "link", "folder"])
def test_odd_things_of_our_names_harm_nothing(clip: ObjectStoragePath, tmp_path: Path, kind: str) -> None:
    odd = tmp_path / hidden_name()
    (tmp_path / "precious").write_bytes(b"precious")
    {
        "fifo": lambda: os.mkfifo(odd),
        "link": lambda: odd.symlink_to(tmp_path / "precious"),
        "folder": lambda: odd.mkdir(),
    }[kind]()
    sweep(clip)
    assert (tmp_path / "precious").read_bytes() == b"precious"


def test_the_folder_for_temporary_files_is_swept_for_other_stores(
    in_store: InStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    make(tmp_path, hidden_name() + ".mp4", age=0)
    put(in_store(Store(), "s3://bucket/clip.mp4"))
    prepare_destination(str(in_store(Store(), "s3://bucket/clip.mp4")), owner=None, if_exists="fail")
    assert names(tmp_path) == []


def test_hidden_uploads_to_other_stores_go_when_they_are_old(in_store: InStore) -> None:
    store = Store()
    path = in_store(store, "memory://folder/clip.mp4")
    old, new, other = (f"/folder/{name}" for name in (hidden_name(), hidden_name(), "clip.part"))
    for name in (old, new, other):
        store.pipe_file(name, b"half")
    long_ago = datetime.now(UTC) - timedelta(seconds=ABANDONED_AFTER + 60)
    store.store[old].modified = store.store[other].modified = long_ago
    store.store[old].created = store.store[other].created = long_ago
    sweep(path)
    assert store.names() == sorted([new, other])


def test_a_store_that_cannot_list_is_no_error(in_store: InStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise PermissionError("no listing")

    store = Store()
    for uri in ("memory://folder/clip.mp4", "s3://bucket/clip.mp4"):
        path = in_store(store, uri)
        monkeypatch.setattr(store, "ls", fail)
        sweep(path)
        abort_uploads(path)


@pytest.fixture
def s3_client() -> Iterator[Any]:
    if IS_INSTALLED:
        with s3_server() as fs:
            yield fs
    else:
        yield None


@NEEDS_MOTO
def test_unfinished_uploads_to_the_key_are_aborted(in_store: InStore, s3_client: Any) -> None:
    bucket = new_bucket(s3_client)
    path = in_store(s3_client, f"s3://{bucket}/folder/clip.mp4")
    keys = ["folder/clip.mp4", "folder/clip.mp4", "folder/clip.mp4.old", "folder/other.mp4"]
    for key in keys:
        s3_client.call_s3("create_multipart_upload", Bucket=bucket, Key=key)

    def unfinished() -> list[str]:
        return [upload["Key"] for upload in s3_client.list_multipart_uploads(bucket)]

    assert sorted(unfinished()) == keys
    put(path)
    assert sorted(unfinished()) == keys[2:]
