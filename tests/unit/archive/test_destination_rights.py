"""What a store allows is found out before anything is paid."""

from __future__ import annotations

import errno
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_siliconflow.archive.prepare import prepare_destination
from airflow_provider_siliconflow.exceptions import DestinationError, DestinationRefusedError
from tests.unit.archive.published import put
from tests.unit.archive.stores import FailingStore, Store

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

    InStore = Callable[[Store, str], ObjectStoragePath]


@pytest.mark.parametrize("uri", ["s3://bucket/clips/clip.mp4", "memory://bucket/clips/clip.mp4"])
def test_the_right_to_write_to_a_store_is_tried(in_store: InStore, uri: str) -> None:
    path = str(in_store(FailingStore(PermissionError("Access Denied"), ""), uri))
    for if_exists in ("fail", "skip", "overwrite"):
        with pytest.raises(DestinationError, match="Access Denied"):
            prepare_destination(path, owner="d/r/t/-1", if_exists=if_exists)
    store = Store()
    assert prepare_destination(str(in_store(store, uri)), owner=None, if_exists="fail") is None
    assert store.names() == []


def test_a_store_without_moves_is_found_beforehand(in_store: InStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_move(*_: Any, **__: Any) -> None:
        raise OSError("posix-rename is not supported")

    store = Store()
    monkeypatch.setattr(store, "mv", no_move)
    with pytest.raises(DestinationError, match="posix-rename"):
        prepare_destination(str(in_store(store, "memory://bucket/clip.mp4")), owner=None, if_exists="fail")
    assert store.names() == []


def test_places_without_rights_are_found_beforehand(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for destination in (f"{tmp_path}/file/clip.mp4", "/proc/no/clip.mp4", "/proc/clip.mp4"):
        with pytest.raises(DestinationError, match=re.escape(destination.rpartition("/")[0])):
            prepare_destination(destination, owner=None, if_exists="fail")
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


class ForbiddenError(Exception):
    """What the client of Azure raises, which is no PermissionError."""

    status_code = 403


@pytest.mark.parametrize("error", [PermissionError("ListBucket"), ForbiddenError(), OSError(errno.EACCES, "no")])
@pytest.mark.parametrize("probe", [True, False])
def test_a_store_that_forbids_to_list_is_used(
    in_store: InStore, monkeypatch: pytest.MonkeyPatch, error: Exception, probe: bool
) -> None:
    def forbidden(*_: Any, **__: Any) -> None:
        raise error

    store = Store()
    path = in_store(store, "s3://bucket/clip.mp4")
    for name in ("info", "ls", "isdir", "exists"):
        monkeypatch.setattr(store, name, forbidden)
    assert prepare_destination(str(path), owner=None, if_exists="fail", probe=probe) is None
    assert put(path)["request_id"] == "abc"


def test_a_store_that_forbids_to_read_is_used_without_claims(
    in_store: InStore, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def forbidden(*_: Any, **__: Any) -> None:
        raise PermissionError("GetObject")

    store = Store()
    path = in_store(store, "s3://bucket/clip.mp4")
    monkeypatch.setattr(store, "cat_file", forbidden)
    for owner in ("d/r/one/-1", "d/r/two/-1"):
        assert prepare_destination(str(path), owner=owner, if_exists="fail") is None
    assert "not claimed" in caplog.text


@pytest.mark.parametrize("uri", ["s3://bucket/clip.mp4", "memory://bucket/clip.mp4"])
def test_a_broken_connection_is_no_absent_file(in_store: InStore, monkeypatch: pytest.MonkeyPatch, uri: str) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise ConnectionError("reset by peer")

    store = Store()
    path = in_store(store, uri)
    put(path)
    monkeypatch.setattr(store, "info", broken)
    for if_exists in ("fail", "skip", "overwrite"):
        with pytest.raises(DestinationError, match="reset by peer") as caught:
            prepare_destination(str(path), owner=None, if_exists=if_exists, probe=False)
        assert not isinstance(caught.value, DestinationRefusedError)
        with pytest.raises(DestinationError, match="reset by peer"):
            put(path, b"another", if_exists=if_exists, request_id="other")
