"""What an existing destination means: the very video, another one, or something in the way."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_siliconflow.archive.destination import Destination, understand
from airflow_provider_siliconflow.archive.existing import pending_manifest, resolve_existing
from airflow_provider_siliconflow.archive.prepare import prepare_destination
from airflow_provider_siliconflow.archive.staging import part_name
from airflow_provider_siliconflow.exceptions import DestinationRefusedError
from tests.unit.archive.published import BYTES, MANIFEST, put
from tests.unit.archive.stores import Store

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

    InStore = Callable[[Store, str], ObjectStoragePath]


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


def test_what_a_kill_right_before_the_last_call_left_is_removed_by_the_retry(tmp_path: Path) -> None:
    path = understand(f"{tmp_path}/clip.mp4", "abc").path
    put(path)
    Path(pending_manifest(path, "abc").path).write_text(json.dumps(MANIFEST))
    put(path)
    assert sorted(found.name for found in tmp_path.iterdir()) == ["clip.mp4", "clip.mp4.json"]


def test_the_retry_that_completes_a_pair_removes_the_part_of_its_manifest(
    in_store: InStore,
) -> None:
    store = Store()
    path = in_store(store, "sftp:///vids/clip.mp4")
    put(path)
    store.mv((path.parent / "clip.mp4.json").path, pending_manifest(path, "abc").path)
    store.pipe_file((path.parent / part_name("clip.mp4.json")).path, b"half")
    put(path)
    assert store.names() == ["/vids/clip.mp4", "/vids/clip.mp4.json"]
