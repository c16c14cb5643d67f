"""Where a video goes: names, folders, and what is found out before anything is paid."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_siliconflow.archive.destination import understand
from airflow_provider_siliconflow.archive.publish import prepare_destination
from airflow_provider_siliconflow.exceptions import DestinationError, DestinationRefusedError
from tests.unit.archive.published import put
from tests.unit.archive.stores import FailingStore, Store

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import ObjectStoragePath

    InStore = Callable[[Store, str], ObjectStoragePath]


@pytest.mark.parametrize(
    ("destination", "expected"),
    [
        ("{}/clip.mp4", "{}/clip.mp4"),
        ("file://{}/clip.mp4", "file://{}/clip.mp4"),
        ("{}/new/", "{}/new/abc-1.mp4"),
        ("file://{}/new/", "file://{}/new/abc-1.mp4"),
        ("{}", "{}/abc-1.mp4"),
        ("{}/no-suffix", "{}/no-suffix"),
        ("{}/a/../clip.mp4", "{}/clip.mp4"),
    ],
)
def test_destinations(tmp_path: Path, destination: str, expected: str) -> None:
    assert str(understand(destination.format(tmp_path), "abc-1").path) == expected.format(tmp_path)


def test_a_relative_destination_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert str(understand("videos/clip.mp4", None).path) == f"{tmp_path}/videos/clip.mp4"


def test_a_folder_of_an_object_store_needs_no_slash(in_store: InStore) -> None:
    store = Store()
    folder = in_store(store, "s3://bucket/videos")
    assert str(understand(str(folder), "abc").path) == str(folder)
    put(folder / "one.mp4")
    assert str(understand(str(folder), "abc").path) == f"{folder}/abc.mp4"
    assert str(understand(f"s3://{folder.conn_id}@bucket", "abc").path).endswith("@bucket/abc.mp4")


@pytest.mark.parametrize(
    "request_id", ["../../etc/passwd", "a/b", ".hidden", "a b", "猫", "x" * 300, "a\0b", "", "..\\x"]
)
def test_ids_become_safe_names_of_their_own(tmp_path: Path, request_id: str) -> None:
    if not request_id:
        with pytest.raises(DestinationRefusedError, match="without a request_id"):
            understand(f"{tmp_path}/", request_id)
        return
    path = understand(f"{tmp_path}/", request_id).path
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,113}\.mp4", path.name)
    assert path.parent.path == str(tmp_path)
    assert path.name != understand(f"{tmp_path}/", request_id + ".").path.name


@pytest.mark.parametrize("destination", ["", " ", "{}/clip.json", "{}/CLIP.JSON"])
def test_destinations_refused(tmp_path: Path, destination: str) -> None:
    with pytest.raises(AirflowFailException):
        understand(destination.format(tmp_path), "abc")


@pytest.mark.parametrize("destination", ["nosuch://bucket/x.mp4", "s3://no_such_conn@bucket/x.mp4"])
def test_unknown_file_systems_are_named(destination: str) -> None:
    with pytest.raises(DestinationError, match=re.escape(destination)):
        prepare_destination(destination, owner=None, if_exists="fail")


def test_places_without_rights_are_found_beforehand(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for place_ in (f"{tmp_path}/file/clip.mp4", "/proc/no/clip.mp4", "/proc/clip.mp4"):
        with pytest.raises(DestinationError, match=re.escape(place_.rpartition("/")[0])):
            prepare_destination(place_, owner=None, if_exists="fail")
    prepare_destination(f"{tmp_path}/clip.mp4", owner=None, if_exists="fail")
    prepare_destination(f"{tmp_path}/", owner=None, if_exists="skip")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    with pytest.raises(DestinationRefusedError, match="if_exists is 'maybe'"):
        prepare_destination(f"{tmp_path}/clip.mp4", owner=None, if_exists="maybe")  # type: ignore[arg-type]


def test_a_missing_bucket_is_found_beforehand(in_store: InStore) -> None:
    path = str(in_store(FailingStore(FileNotFoundError("The specified bucket does not exist"), ""), "s3://b/clip.mp4"))
    with pytest.raises(DestinationError, match="bucket does not exist"):
        prepare_destination(path, owner=None, if_exists="fail")
    with pytest.raises(DestinationError, match="FileNotFoundError"):
        prepare_destination(path, owner=None, if_exists="fail", probe=False)


def test_a_store_that_forbids_the_look_alone_is_used(in_store: InStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store()
    path = str(in_store(store, "s3://bucket/clip.mp4"))

    def hidden(*_: Any, **__: Any) -> None:
        raise PermissionError("ListBucket")

    monkeypatch.setattr(store, "info", hidden)
    monkeypatch.setattr(store, "exists", lambda *_: False)
    monkeypatch.setattr(store, "isdir", lambda *_: False)
    for probe in (True, False):
        assert prepare_destination(path, owner=None, if_exists="fail", probe=probe) is None
    monkeypatch.setattr(store, "info", lambda *_: {})
    assert prepare_destination(path, owner=None, if_exists="fail", probe=False) is None
    assert store.names() == []
