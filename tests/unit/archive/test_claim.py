"""A destination is claimed before paying, and only the holder of its claim publishes there."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_siliconflow.archive import claim as claims
from airflow_provider_siliconflow.archive.claim_file import ForeignClaimError, claim_path
from airflow_provider_siliconflow.archive.destination import Destination, understand
from airflow_provider_siliconflow.archive.existing import pending_manifest
from airflow_provider_siliconflow.archive.prepare import prepare_destination, release_claim
from airflow_provider_siliconflow.archive.publish import find_archived, publish
from airflow_provider_siliconflow.archive.staging import staging
from airflow_provider_siliconflow.exceptions import DestinationError, DestinationRefusedError
from tests.unit.archive.claims import ONE, TWO, age, names, new_destination, path, prepare, s3_client
from tests.unit.archive.published import MANIFEST, put
from tests.unit.archive.stores import S3Store, Store

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

    InStore = Callable[[Store, str], ObjectStoragePath]

__all__ = ["new_destination", "path", "s3_client"]


def test_the_second_task_is_refused_before_it_pays(path: ObjectStoragePath) -> None:
    assert prepare(path) is None
    with pytest.raises(DestinationRefusedError, match="DAG a_dag, run run 1, task video since 20") as caught:
        prepare(path, TWO)
    assert str(claim_path(path)) in str(caught.value)
    assert "mapped" not in str(caught.value)


@pytest.mark.parametrize("if_exists", ["skip", "overwrite"])
def test_where_others_may_be_waited_for_a_retry_may_succeed(path: ObjectStoragePath, if_exists: str) -> None:
    prepare(path)
    with pytest.raises(DestinationError, match="run 1") as caught:
        prepare(path, TWO, if_exists)
    assert not isinstance(caught.value, DestinationRefusedError)
    release_claim(str(path), owner=ONE)
    assert prepare(path, TWO, if_exists) is None


def test_a_mapped_task_without_its_index_is_told(path: ObjectStoragePath) -> None:
    prepare(path, "a_dag/run/video/0")
    with pytest.raises(DestinationRefusedError, match=r"map index 0 since .*ti\.map_index"):
        prepare(path, "a_dag/run/video/1")


def test_a_retry_takes_its_own_claim_and_the_try_before_loses_it(path: ObjectStoragePath) -> None:
    first = claims.take(path, ONE)
    second = claims.take(path, ONE)
    assert (first.is_renewed, second.is_renewed) == (False, True)
    claims.check(path, second)
    with pytest.raises(DestinationError, match="now held by DAG a_dag"):
        claims.check(path, first)
    with staging(path) as stage:
        stage.write_bytes(b"late")
        with pytest.raises(DestinationError, match="now held by"):
            publish(stage, Destination(path, is_folder=False), MANIFEST, "fail", first)
    assert names(path) == {claim_path(path).name}


def test_a_try_that_lost_its_claim_does_not_release_that_of_the_next(path: ObjectStoragePath) -> None:
    first = claims.take(path, ONE)
    second = claims.take(path, ONE)
    claims.release_quietly(path, ONE, token=first.token)
    claims.check(path, second)
    claims.release_quietly(path, ONE, token=second.token)
    assert names(path) == set()


@pytest.mark.parametrize(
    "rejection", [NotImplementedError("A header you provided"), TypeError("unexpected keyword argument 'IfMatch'")]
)
def test_a_retry_takes_its_claim_again_on_a_store_that_cannot_replace_on_condition(
    in_store: InStore, monkeypatch: pytest.MonkeyPatch, rejection: Exception
) -> None:
    """Some stores with S3's API know ``If-None-Match`` alone, and some clients no ``IfMatch``."""
    store = S3Store()
    path = in_store(store, "s3://bucket/clip.mp4")
    put_file = store.put_file

    def put_without_match(*args: Any, **kwargs: Any) -> None:
        if "IfMatch" in kwargs:
            raise rejection
        put_file(*args, **kwargs)

    claims.take(path, ONE)
    monkeypatch.setattr(store, "put_file", put_without_match)
    assert claims.take(path, ONE).is_renewed
    with pytest.raises(ForeignClaimError):
        claims.take(path, TWO)


def test_a_claim_that_a_slow_store_gives_too_late_is_given_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The task has failed by then, and is maybe never run again."""
    path = understand(f"{tmp_path}/clip.mp4", None).path
    late, given_back = threading.Event(), threading.Event()
    take, release = claims.take, claims.release_quietly

    def take_late(*args: Any) -> Any:
        late.wait(30)
        return take(*args)

    def note(*args: Any) -> None:
        release(*args)
        given_back.set()

    monkeypatch.setattr(claims, "take", take_late)
    monkeypatch.setattr(claims, "release_quietly", note)
    with pytest.raises(DestinationError, match="did not answer within"):
        prepare(path, timeout=0.05)
    late.set()
    assert given_back.wait(30)
    assert names(path) == set()


def test_a_claim_that_was_removed_is_lost(path: ObjectStoragePath) -> None:
    claim = claims.take(path, ONE)
    path.fs.rm_file(claim_path(path).path)
    with pytest.raises(DestinationError, match="its file was removed"):
        claims.check(path, claim)


def test_a_released_claim_leaves_nothing_and_that_of_others_stays(path: ObjectStoragePath) -> None:
    release_claim(str(path), owner=ONE)
    prepare(path)
    release_claim(str(path), owner=TWO)
    assert names(path) == {claim_path(path).name}
    release_claim(str(path), owner=ONE)
    assert names(path) == set()


def test_an_old_claim_is_taken_over_with_a_warning(path: ObjectStoragePath, caplog: pytest.LogCaptureFixture) -> None:
    prepare(path)
    age(path, 6.9)
    with pytest.raises(DestinationRefusedError):
        prepare(path, TWO)
    age(path, 7.1)
    assert prepare(path, TWO) is None
    assert "Taking over the claim" in caplog.text
    assert "run 1" in caplog.text
    with pytest.raises(DestinationRefusedError, match="run 2"):
        prepare(path, ONE)


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b"not json", b"\xff", b'{"version": 1, "owner": "x"}'])
def test_a_claim_that_cannot_be_read_is_not_absent(path: ObjectStoragePath, content: bytes) -> None:
    beside = claim_path(path)
    if path.protocol == "":
        Path(beside.path).write_bytes(content)
    else:
        beside.fs.pipe_file(beside.path, content)
    with pytest.raises(DestinationRefusedError, match="cannot be read"):
        prepare(path)
    release_claim(str(path), owner=ONE)
    assert names(path) == {beside.name}


@pytest.mark.parametrize("claimed_at", ["", "yesterday", "2020-01-01T00:00:00"])
def test_a_claim_of_unknown_age_never_expires(path: ObjectStoragePath, claimed_at: str) -> None:
    prepare(path)
    beside = claim_path(path)
    content = json.loads(beside.fs.cat_file(beside.path)) | {"claimed_at": claimed_at}
    beside.fs.pipe_file(beside.path, json.dumps(content).encode())
    with pytest.raises(DestinationRefusedError):
        prepare(path, TWO)
    assert prepare(path, ONE) is None


def test_folders_are_not_claimed(tmp_path: Path) -> None:
    for owner in (ONE, TWO):
        assert prepare_destination(f"{tmp_path}/", owner=owner, if_exists="fail") is None
    release_claim(f"{tmp_path}/", owner=ONE)
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_is_claimed_by_nobody(path: ObjectStoragePath) -> None:
    put(path)
    with pytest.raises(DestinationRefusedError, match="holds the video abc already"):
        prepare(path)
    assert prepare(path, if_exists="skip") == prepare(path, request_id="abc") == MANIFEST | {"path": str(path)}
    assert names(path) == {"clip.mp4", "clip.mp4.json"}


def test_a_claim_is_given_up_when_another_video_is_found(path: ObjectStoragePath) -> None:
    prepare(path)
    put(path)
    with pytest.raises(DestinationRefusedError):
        prepare(path)
    assert names(path) == {"clip.mp4", "clip.mp4.json"}


def test_a_claim_is_given_up_when_the_video_is_found(path: ObjectStoragePath) -> None:
    prepare(path)
    assert find_archived(path, "abc", owner=ONE) is None
    put(path)
    assert find_archived(path, "abc", owner=TWO) == find_archived(path, "abc") == MANIFEST | {"path": str(path)}
    assert names(path) == {"clip.mp4", "clip.mp4.json", claim_path(path).name}
    assert find_archived(path, "abc", owner=ONE) == MANIFEST | {"path": str(path)}
    assert names(path) == {"clip.mp4", "clip.mp4.json"}


def test_a_video_whose_manifest_a_kill_kept_back_is_completed(path: ObjectStoragePath) -> None:
    put(path)
    manifest = f"{path.path}.json"
    waiting = pending_manifest(path, "abc")
    path.fs.pipe_file(waiting.path, path.fs.cat_file(manifest))
    path.fs.rm_file(manifest)
    with pytest.raises(DestinationRefusedError, match="a file of unknown origin"):
        prepare(path, TWO, request_id="other")
    assert find_archived(path, "abc") == MANIFEST | {"path": str(path)}
    assert names(path) == {"clip.mp4", "clip.mp4.json"}


def test_a_store_without_the_right_to_remove_is_used_without_claims(
    in_store: InStore, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def forbidden(*_: Any, **__: Any) -> None:
        raise PermissionError("DeleteObject")

    store = S3Store()
    path = in_store(store, "s3://bucket/clip.mp4")
    monkeypatch.setattr(store, "rm_file", forbidden)
    for owner in (ONE, TWO):
        assert prepare(path, owner) is None
    assert "not claimed" in caplog.text
    assert store.names() == ["/bucket/.siliconflow-probe.mp4", "/bucket/.siliconflow-probe.mp4.json"]
    assert put(path) == MANIFEST
