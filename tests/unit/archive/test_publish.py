"""Videos are published whole or not at all, and never over another."""

from __future__ import annotations

import errno
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_siliconflow.archive import publish as publishing
from airflow_provider_siliconflow.archive.destination import Destination, understand
from airflow_provider_siliconflow.archive.existing import resolve_existing
from airflow_provider_siliconflow.archive.manifest import write_manifest
from airflow_provider_siliconflow.archive.prepare import prepare_destination, release_claim
from airflow_provider_siliconflow.archive.publish import publish
from airflow_provider_siliconflow.archive.staging import staging
from airflow_provider_siliconflow.archive.stores import create, replace
from airflow_provider_siliconflow.exceptions import DestinationError, DestinationRefusedError
from tests.unit.archive.published import BYTES, MANIFEST, put
from tests.unit.archive.stores import FailingStore, Store, StubbornStore

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

    InStore = Callable[[Store, str], ObjectStoragePath]


def test_publishes_video_and_manifest_and_nothing_else(tmp_path: Path) -> None:
    path = understand(f"{tmp_path}/new/folder/clip.mp4", "abc").path
    old = os.umask(0o022)
    try:
        put(path)
    finally:
        os.umask(old)
    video, manifest = Path(path.path), Path(f"{path.path}.json")
    assert sorted(video.parent.iterdir()) == [video, manifest]
    assert video.read_bytes() == BYTES
    assert json.loads(manifest.read_text("utf-8")) == MANIFEST
    assert "一只猫" in manifest.read_text("utf-8")
    assert (video.stat().st_mode & 0o777, manifest.stat().st_mode & 0o777) == (0o644, 0o644)


def test_the_manifest_waits_hidden_until_the_video_has_its_name(in_store: InStore) -> None:
    store = Store()
    put(in_store(store, "s3://bucket/a/clip.mp4"))
    hidden, *named = [name for _, name in store.done]
    assert re.fullmatch(r"bucket/a/\.siliconflow-[0-9a-f]{16}\.manifest", hidden)
    assert named == ["bucket/a/clip.mp4", "bucket/a/clip.mp4.json"]
    assert store.names() == ["/bucket/a/clip.mp4", "/bucket/a/clip.mp4.json"]


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


@pytest.mark.parametrize("uri", ["s3://bucket/clip.mp4", "memory://bucket/clip.mp4"])
@pytest.mark.parametrize(
    "error", [PermissionError("Access Denied"), FileNotFoundError("no such bucket"), RuntimeError("reset")]
)
def test_a_failed_upload_leaves_nothing_and_says_why(
    in_store: InStore, uri: str, error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    store = FailingStore(error, ".mp4" if uri.startswith("s3") else ".part")
    path = in_store(store, uri)
    with pytest.raises(DestinationError, match=str(error)) as caught:
        put(path)
    assert "clip." in str(caught.value)
    assert not path.fs.exists(path.path)
    assert not any("siliconflow" in name for name in store.names())
    assert list(tmp_path.iterdir()) == []


def test_a_failed_move_leaves_nothing(in_store: InStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store()
    path = in_store(store, "memory://bucket/clip.mp4")

    def no_move(*_: Any) -> None:
        raise PermissionError("not yours")

    monkeypatch.setattr(store, "mv", no_move)
    with pytest.raises(DestinationError, match="not yours"):
        put(path)
    assert store.names() == []


@pytest.mark.parametrize(
    ("number", "words"),
    [(errno.ENOSPC, "no space left"), (errno.EROFS, "read-only"), (errno.EACCES, "no rights"), (errno.EIO, "OSError")],
)
def test_a_failed_rename_names_path_and_cause(
    tmp_path: Path, number: int, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(DestinationError, match=words) as caught:
        put(understand(f"{tmp_path}/clip.mp4", None).path)
    assert f"{tmp_path}/clip." in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_under_the_manifest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(DestinationError, match="no space left"):
        put(understand(f"{tmp_path}/clip.mp4", None).path)
    assert list(tmp_path.iterdir()) == []


def test_a_published_video_keeps_its_waiting_manifest_whatever_then_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = understand(f"{tmp_path}/clip.mp4", "abc").path

    def no_more_files(target: ObjectStoragePath, facts: Any) -> None:
        if target.name == "clip.mp4.json":
            raise DestinationError("Cannot archive: no inode is left.")
        write_manifest(target, facts)

    monkeypatch.setattr(publishing, "write_manifest", no_more_files)
    with pytest.raises(DestinationError, match="no inode"):
        put(path)
    monkeypatch.undo()
    assert Path(path.path).read_bytes() == BYTES
    assert resolve_existing(Destination(path, is_folder=False), "abc", "fail") is not None
    assert sorted(found.name for found in tmp_path.iterdir()) == ["clip.mp4", "clip.mp4.json"]


@pytest.mark.parametrize("told", [{}, {"path": "/old/clip.mp4"}, {"path": 5, "more": float("nan")}])
def test_what_is_there_is_told_with_the_path_that_it_has_now(tmp_path: Path, told: dict[str, Any]) -> None:
    """The folder was moved, or the manifest was written by others."""
    path = understand(f"{tmp_path}/clip.mp4", "abc").path
    put(path)
    Path(f"{path.path}.json").write_text(json.dumps(MANIFEST | told))
    for request_id, if_exists in (("abc", "fail"), ("other", "skip")):
        found = resolve_existing(Destination(path, is_folder=False), request_id, if_exists)  # type: ignore[arg-type]
        assert found is not None
        assert found["path"] == str(path)
        json.dumps(found, allow_nan=False)


def test_another_video_in_the_way(tmp_path: Path) -> None:
    path = understand(f"{tmp_path}/clip.mp4", "abc").path
    put(path)
    with pytest.raises(DestinationRefusedError, match="holds the video abc already"):
        resolve_existing(Destination(path, is_folder=False), "other", "fail")
    with pytest.raises(DestinationRefusedError, match="holds the video abc already"):
        prepare_destination(str(path), owner=None, if_exists="fail")
    assert resolve_existing(Destination(path, is_folder=False), "other", "skip") == MANIFEST | {"path": str(path)}
    assert prepare_destination(str(path), owner=None, if_exists="skip") == MANIFEST | {"path": str(path)}
    assert resolve_existing(Destination(path, is_folder=False), "other", "overwrite") is None
    put(path, b"new", if_exists="overwrite", request_id="other")
    assert Path(path.path).read_bytes() == b"new"


def test_a_file_without_manifest_in_the_way(tmp_path: Path) -> None:
    path = understand(f"{tmp_path}/clip.mp4", "abc").path
    Path(path.path).write_bytes(b"holiday")
    with pytest.raises(DestinationRefusedError, match="a file of unknown origin"):
        resolve_existing(Destination(path, is_folder=False), "abc", "fail")
    assert resolve_existing(Destination(path, is_folder=False), "abc", "skip") == {
        "request_id": None,
        "path": str(path),
        "bytes": 7,
    }
    assert resolve_existing(Destination(path, is_folder=False), "abc", "overwrite") is None


@pytest.mark.parametrize("if_exists", ["fail", "skip", "overwrite"])
def test_the_very_video_is_done_in_every_mode(tmp_path: Path, if_exists: Any) -> None:
    path = understand(f"{tmp_path}/clip.mp4", "abc").path
    put(path)
    inode = Path(path.path).stat().st_ino
    assert resolve_existing(Destination(path, is_folder=False), "abc", if_exists) == MANIFEST | {"path": str(path)}
    assert put(path, b"another download of it", if_exists) == MANIFEST | {"path": str(path)}
    assert Path(path.path).stat().st_ino == inode


@pytest.mark.parametrize("body", [BYTES[:-1], BYTES[:-1] + b"?"])
def test_damaged_bytes_are_not_the_very_video(tmp_path: Path, body: bytes) -> None:
    path = understand(f"{tmp_path}/clip.mp4", "abc").path
    put(path)
    Path(path.path).write_bytes(body)
    assert resolve_existing(Destination(path, is_folder=False), "abc", "overwrite") is None
    with pytest.raises(DestinationRefusedError):
        resolve_existing(Destination(path, is_folder=False), "abc", "fail")


@pytest.mark.parametrize("text", ["{}", "not json", "[1]", '{"sha256": "' + "x" * (1 << 20) + '"}'])
@pytest.mark.parametrize("if_exists", ["fail", "skip", "overwrite"])
def test_a_json_file_of_others_is_never_replaced(tmp_path: Path, text: str, if_exists: Any) -> None:
    (tmp_path / "clip.mp4.json").write_text(text)
    with pytest.raises(DestinationRefusedError, match=r"clip\.mp4\.json.* holds something else"):
        put(understand(f"{tmp_path}/clip.mp4", "abc").path, if_exists=if_exists)
    assert (tmp_path / "clip.mp4.json").read_text() == text


def test_a_manifest_of_another_video_is_replaced_only_when_told(tmp_path: Path) -> None:
    path, beside = understand(f"{tmp_path}/clip.mp4", "abc").path, tmp_path / "clip.mp4.json"
    beside.write_text(json.dumps(MANIFEST | {"request_id": "older"}))
    for if_exists in ("fail", "skip"):
        with pytest.raises(DestinationRefusedError, match="manifest of the video older"):
            prepare_destination(str(path), owner=None, if_exists=if_exists)
        with pytest.raises(DestinationRefusedError, match="manifest of the video older"):
            put(path, if_exists=if_exists)
    put(path, if_exists="overwrite")
    assert json.loads(beside.read_text())["request_id"] == "abc"
    Path(path.path).unlink()
    assert put(path) == MANIFEST


def test_a_video_that_appears_meanwhile_is_seen(tmp_path: Path) -> None:
    path = understand(f"{tmp_path}/clip.mp4", "abc").path
    with staging(path) as stage:
        stage.write_bytes(BYTES)
        put(path, b"faster", request_id="other")
        with pytest.raises(DestinationRefusedError, match="the video other"):
            publish(stage, Destination(path, is_folder=False), MANIFEST, "fail")
    assert Path(path.path).read_bytes() == b"faster"


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


def test_stages_are_removed_on_every_way_out(tmp_path: Path) -> None:
    path = understand(f"{tmp_path}/clip.mp4", "abc").path

    def leave(end: type[BaseException]) -> None:
        with staging(path) as stage:
            assert re.fullmatch(r"\.siliconflow-[0-9a-f]{16}\.part", stage.name)
            assert stage.parent == tmp_path
            raise end

    for end in (KeyboardInterrupt, SystemExit, ValueError):
        with pytest.raises(end):
            leave(end)
    with staging(path) as stage:
        replace(stage, path)
    assert [found.name for found in tmp_path.iterdir()] == ["clip.mp4"]


def test_no_sigkill_leaves_half_a_file(tmp_path: Path) -> None:
    """Kill a publishing process at seeded calls; see ``killed.py``."""
    run = subprocess.run(
        [sys.executable, "-m", "tests.unit.archive.killed", str(tmp_path)], capture_output=True, text=True, timeout=120
    )
    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout.splitlines()[-1])
    assert found["broken"] == []
    # The kills really hit before, between and after the steps.
    assert min(found[what] for what in ("nothing", "old", "old, unpaired", "new, unpaired", "both")) > 0


@pytest.mark.parametrize("if_exists", ["fail", "overwrite"])
def test_no_sigkill_among_two_writers_mixes_a_pair(tmp_path: Path, if_exists: str) -> None:
    """Let two tasks publish under one name and kill one of them at seeded calls; see ``killed_pairs.py``."""
    run = subprocess.run(
        [sys.executable, "-m", "tests.unit.archive.killed_pairs", str(tmp_path), if_exists],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout.splitlines()[-1])
    assert found["broken"] == []
    # Both won, or the kills hit at different moments: what is seen depends on how the two run side by side.
    assert len(found) > 2
    assert found["two, paired"] > 0
