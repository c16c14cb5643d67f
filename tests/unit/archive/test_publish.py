"""Videos are published whole or not at all, and never over another."""

from __future__ import annotations

import errno
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_siliconflow.archive import publish as publishing
from airflow_provider_siliconflow.archive.destination import Destination, understand
from airflow_provider_siliconflow.archive.existing import resolve_existing
from airflow_provider_siliconflow.archive.manifest import write_manifest
from airflow_provider_siliconflow.archive.publish import find_archived, publish
from airflow_provider_siliconflow.archive.staging import staging
from airflow_provider_siliconflow.archive.stores import replace
from airflow_provider_siliconflow.exceptions import DestinationError, DestinationRefusedError
from tests.unit.archive.published import BYTES, MANIFEST, put
from tests.unit.archive.stores import FailingStore, Store

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


def test_a_video_that_appears_meanwhile_is_seen(tmp_path: Path) -> None:
    path = understand(f"{tmp_path}/clip.mp4", "abc").path
    with staging(path) as stage:
        stage.write_bytes(BYTES)
        put(path, b"faster", request_id="other")
        with pytest.raises(DestinationRefusedError, match="the video other"):
            publish(stage, Destination(path, is_folder=False), MANIFEST, "fail")
    assert Path(path.path).read_bytes() == b"faster"


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
        [sys.executable, "-m", "tests.unit.archive.killed", str(tmp_path)], capture_output=True, text=True, timeout=500
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
        timeout=500,
    )
    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout.splitlines()[-1])
    assert found["broken"] == []
    # Both won, or the kills hit at different moments: what is seen depends on how the two run side by side.
    assert len(found) > 2
    assert found["two, paired"] > 0


def test_a_store_that_does_not_answer_has_store_timeout_to_tell_what_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered = threading.Event()
    monkeypatch.setattr(publishing, "resolve_existing", lambda *_: answered.wait(60))
    try:
        assert find_archived(f"{tmp_path}/clip.mp4", "abc", timeout=0.05) is None
    finally:
        answered.set()
