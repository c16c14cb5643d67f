"""Where a video goes: names, folders, and what is found out before anything is paid."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_siliconflow._airflow.names import AirflowFailException
from airflow_provider_siliconflow.archive.destination import as_folder, understand
from airflow_provider_siliconflow.archive.prepare import prepare_destination, release_claim
from airflow_provider_siliconflow.exceptions import DestinationError, DestinationRefusedError
from tests.unit.archive.published import put
from tests.unit.archive.stores import Store

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

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


@pytest.mark.parametrize(
    ("destination", "expected"),
    [
        ("~/clips/c.mp4", "{home}/clips/c.mp4"),
        ("~", "{home}/abc.mp4"),
        ("{home}/x/.", "{home}/x/abc.mp4"),
        ("{home}/x/..", "{home}/abc.mp4"),
        ("//{home}//x///c.mp4", "{home}/x/c.mp4"),
        (" {home}/c.mp4\n", "{home}/c.mp4"),
        ("~elsewhere.mp4", None),
        ("{home}/~/c.mp4", "{home}/~/c.mp4"),
        ("{home}/a#b?c.mp4", "{home}/a#b?c.mp4"),
        ("{home}/猫👩‍👧.mp4", "{home}/猫👩‍👧.mp4"),
        ("clip:1.mp4", "{cwd}/clip:1.mp4"),
        ("{home}/50$.mp4", "{home}/50$.mp4"),
    ],
)
def test_a_path_means_what_a_shell_means(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, destination: str, expected: str | None
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(tmp_path)
    if expected is None:
        with pytest.raises(DestinationRefusedError):
            understand(destination.format(home=home), "abc")
        return
    assert str(understand(destination.format(home=home), "abc").path) == expected.format(home=home, cwd=tmp_path)


@pytest.mark.parametrize(
    ("destination", "folder"),
    [
        ("/videos", "/videos/"),
        ("/videos/", "/videos/"),
        (" s3://c@b/videos//\n", "s3://c@b/videos/"),
        (Path("videos"), "videos/"),
        ("", ""),
        (" None ", "None"),
        (None, None),
        (7, 7),
    ],
)
def test_a_destination_of_many_videos_is_a_folder(destination: Any, folder: Any) -> None:
    assert as_folder(destination) == folder


def test_a_folder_that_is_an_object_storage_path(in_store: InStore) -> None:
    path = in_store(Store(), "s3://bucket/videos")
    found = understand(as_folder(path), "abc")
    assert (str(found.path), found.path.fs, found.is_folder) == (f"{path}/abc.mp4", path.fs, True)


def test_paths_of_other_types(tmp_path: Path, in_store: InStore) -> None:
    assert understand(tmp_path / "c.mp4", None).path.path == f"{tmp_path}/c.mp4"
    stored = in_store(Store(), "s3://bucket/c.mp4")
    found = understand(stored, None).path
    assert (str(found), found.fs) == (str(stored), stored.fs)


@pytest.mark.parametrize(
    ("destination", "words"),
    [
        (None, "The destination is empty"),
        ("None", "The destination is empty"),
        (7, "destination is of type int: give a path"),
        (b"/tmp/c.mp4", "destination is of type bytes"),
        (["/tmp/c.mp4"], "destination is of type list"),
        ("$HOME/c.mp4", "environment variables are not expanded"),
        ("/data/${RUN}/c.mp4", "environment variables are not expanded"),
        ("/tmp/a\0b.mp4", "characters that no file name can have"),
        ("/tmp/a\nb.mp4", "characters that no file name can have"),
        ("/tmp/a\ud83d.mp4", "characters that no file name can have"),
        ("file://clips/c.mp4", "three slashes"),
        ("file://~/c.mp4", "three slashes"),
        ("simplecache::file:///tmp/c.mp4", "neither a path nor a URI of a store"),
        ("simplecache::s3://b/c.mp4", "neither a path nor a URI of a store"),
        ("s3:/bucket/c.mp4", r"write s3://bucket/c\.mp4"),
        ("file:/tmp/c.mp4", r"write file:///tmp/c\.mp4"),
        ("s3://", "names no bucket: write s3://conn_id@bucket/key"),
        ("s3://my_aws@", "names no bucket: write s3://my_aws@bucket/key"),
        ("s3://my_aws@/c.mp4", "names no bucket"),
        ("s3://b//c.mp4", "an empty folder name"),
        ("s3://b/a//c.mp4", "an empty folder name"),
        ("s3://b/a//", "an empty folder name"),
        ("gs://b//c.mp4", "an empty folder name"),
        ("s3://b/a/../c.mp4", r"has \. or \.\. in it"),
        ("s3://b/./c.mp4", r"has \. or \.\. in it"),
        ("sftp://conn@vids/c.mp4", r"write sftp://conn@/vids/c\.mp4"),
        ("s3://b/" + "k" * 1015 + ".mp4", "longer than 1023 bytes"),
        ("oss://b/c.mp4", "write oss://conn_id@bucket/key" if find_spec("ossfs") else r"install .*\[oss\]"),
        ("adl://conn@b/c.mp4", "write abfs://conn_id@container/key"),
        (
            "abfss://box@acc.dfs.core.windows.net/a/c.mp4",
            "write abfs://conn_id@box/a/c.mp4, with a connection of type wasb whose host is https://acc.dfs",
        ),
        ("hdfs://conn@node/c.mp4", "a path of a mounted folder, or attach"),
        ("wasb://c@account/c.mp4", "write abfs://conn_id@container/key"),
        ("nosuch://b/c.mp4", "no file system for nosuch://"),
        ("/dev/null", "a device, a pipe or a broken link"),
    ],
)
def test_what_is_no_destination_is_refused_with_what_to_write(destination: Any, words: str) -> None:
    for if_exists in ("fail", "skip", "overwrite"):
        with pytest.raises(DestinationRefusedError, match=words) as caught:
            prepare_destination(destination, owner=None, if_exists=if_exists)
        assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    ("destination", "package"),
    [
        ("s3://b/c.mp4", r"apache-airflow-providers-amazon\[s3fs\]"),
        ("sftp://conn@/c.mp4", "apache-airflow-providers-sftp"),
    ],
)
def test_the_package_to_install_is_named(destination: str, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow.sdk.io.fs._register_filesystems", dict)
    monkeypatch.setattr("airflow.sdk.io.store._STORE_CACHE", {})
    with pytest.raises(DestinationRefusedError, match=f"install {package}"):
        prepare_destination(destination, owner=None, if_exists="fail")


def test_a_broken_link_is_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").symlink_to(tmp_path / "nowhere")
    with pytest.raises(DestinationRefusedError, match="broken link"):
        prepare_destination(f"{tmp_path}/clip.mp4", owner=None, if_exists="overwrite")


@pytest.mark.parametrize(("length", "fits"), [(250, True), (251, False), (255, False), (256, False)])
@pytest.mark.parametrize("character", ["x", "猫"])
def test_every_name_that_will_be_used_is_tried(tmp_path: Path, length: int, fits: bool, character: str) -> None:
    """The manifest's name has five bytes more than the video's, of which a file system takes 255."""
    stem = character * ((length - 4) // len(character.encode()))
    name = stem + "x" * (length - 4 - len(stem.encode())) + ".mp4"
    assert len(name.encode()) == length
    if fits:
        assert prepare_destination(f"{tmp_path}/{name}", owner="d/r/t/-1", if_exists="fail") is None
        release_claim(f"{tmp_path}/{name}", owner="d/r/t/-1")
        put(understand(f"{tmp_path}/{name}", None).path)
        return
    with pytest.raises(DestinationRefusedError, match="the name is too long"):
        prepare_destination(f"{tmp_path}/{name}", owner="d/r/t/-1", if_exists="fail")
    assert list(tmp_path.iterdir()) == []


def test_names_of_videos_and_manifests_are_one_to_one(tmp_path: Path) -> None:
    names = ("clip.mp4", "clip.mov", "v1.0", "v1.1", "clip", "clip.mp4.mp4")
    for name in names:
        put(understand(f"{tmp_path}/{name}", None).path, request_id=name, body=name.encode())
    for name in names:
        assert (tmp_path / name).read_bytes() == name.encode()
        assert json.loads((tmp_path / f"{name}.json").read_text())["request_id"] == name
        assert prepare_destination(f"{tmp_path}/{name}", owner=None, if_exists="fail", request_id=name)
    assert len(list(tmp_path.iterdir())) == 2 * len(names)


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
