"""Every kind of store, from the check before paying to the published pair."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_provider_siliconflow.archive.destination import understand
from airflow_provider_siliconflow.exceptions import DestinationError
from tests.stores.azure_kind import AzureKind
from tests.stores.each import KINDS, OBJECT_KINDS, each, prepare, published
from tests.stores.file_kinds import PlainSftpKind, SftpKind
from tests.stores.google_kind import GoogleKind
from tests.stores.kinds import Kind, Variant
from tests.stores.s3_kinds import OssKind, S3Kind
from tests.unit.archive.published import BYTES, put


@each(*KINDS)
def test_a_pair_is_published_whole_and_typed_and_nothing_else_is_left(kind: Kind) -> None:
    folder = kind.uri()
    assert prepare(folder) is None
    made = put(understand(f"{folder}/clip.mp4", "abc").path)
    assert made["request_id"] == "abc"
    assert published(kind, folder) == ["clip.mp4", "clip.mp4.json"]
    body, content_type = kind.read(f"{folder}/clip.mp4")
    assert body == BYTES
    assert content_type in ("video/mp4", "-")
    assert kind.read(f"{folder}/clip.mp4.json")[1] in ("application/json", "-")
    assert put(understand(f"{folder}/clip.mp4", "abc").path)["sha256"] == made["sha256"]


@each(*KINDS)
@pytest.mark.parametrize("variant", ["missing_bucket", "no_write", "wrong_credentials"])
def test_a_store_that_takes_no_video_is_found_before_paying(kind: Kind, variant: Variant) -> None:
    folder = kind.uri(variant)
    with pytest.raises(DestinationError, match=r"clip\.mp4"):
        prepare(folder)
    assert kind.names(folder) == []


@each(*OBJECT_KINDS)
@pytest.mark.parametrize("variant", ["no_list", "write_only"])
def test_a_store_that_forbids_only_to_read_is_used(kind: Kind, variant: Variant) -> None:
    folder = kind.uri(variant)
    assert prepare(folder) is None
    put(understand(f"{folder}/clip.mp4", "abc").path)
    assert kind.read(f"{folder}/clip.mp4")[0] == BYTES


@each(S3Kind, OssKind, AzureKind, GoogleKind)
@pytest.mark.parametrize("size", [1000, 6 << 20])
def test_a_name_is_taken_once(kind: Kind, size: int, tmp_path: Path) -> None:
    from airflow_provider_siliconflow.archive import stores

    path = understand(f"{kind.uri()}/clip.mp4", "abc").path
    source = tmp_path / "one.mp4"
    source.write_bytes(b"1" * size)
    stores.create(source, path)
    original, stores.exists = stores.exists, lambda _: False  # type: ignore[assignment]
    try:
        with pytest.raises(FileExistsError):
            stores.create(source, path)
    finally:
        stores.exists = original


@each(PlainSftpKind)
def test_an_sftp_server_that_cannot_rename_is_found_before_paying(kind: Kind) -> None:
    folder = kind.uri()
    with pytest.raises(DestinationError, match="neither rename onto a file"):
        prepare(folder)
    assert kind.names(folder) == []


@each(SftpKind)
def test_parts_of_a_killed_upload_are_removed_by_the_retry(kind: Kind) -> None:
    from airflow_provider_siliconflow.archive.staging import part_name

    folder = kind.uri()
    path = understand(f"{folder}/clip.mp4", "abc").path
    left, other = part_name("clip.mp4"), part_name("other.mp4")
    for name in (left, other):
        path.fs.pipe_file((path.parent / name).path, b"half")
    put(path)
    assert published(kind, folder) == [other, "clip.mp4", "clip.mp4.json"]


@each(*KINDS)
@pytest.mark.parametrize("variant", ["refused", "silent"])
def test_a_store_that_does_not_answer_is_told_in_time(kind: Kind, variant: Variant) -> None:
    with pytest.raises(DestinationError, match=r"clip\.mp4"):
        prepare(kind.uri(variant), timeout=1.0)
