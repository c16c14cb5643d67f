"""Every kind of store, from the check before paying to the published pair."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_siliconflow.archive.destination import understand
from airflow_provider_siliconflow.exceptions import DestinationError, DestinationRefusedError
from tests.stores.azure_kind import AzureKind
from tests.stores.each import ALL_KINDS, KINDS, OBJECT_KINDS, each, prepare, published
from tests.stores.file_kinds import LocalKind, PlainSftpKind, SftpKind
from tests.stores.google_kind import GoogleKind
from tests.stores.kinds import Kind, Variant
from tests.stores.s3_kinds import OssKind, S3Kind
from tests.unit.archive.published import BYTES, put

#: Seconds that the stores have which do not answer.
_TIMEOUT = 2.0
_ROWS = {
    "missing_bucket": "missing bucket",
    "no_write": "no rights to write",
    "wrong_credentials": "wrong credentials",
    "no_list": "no rights to list",
    "write_only": "rights to write alone",
    "refused": "endpoint refused",
    "silent": "endpoint silent",
}


@each(*ALL_KINDS)
def test_a_pair_is_published_whole_and_typed_and_nothing_else_is_left(kind: Kind, cell: Any) -> None:
    folder = kind.uri()
    assert prepare(folder) is None
    made = put(understand(f"{folder}/clip.mp4", "abc").path)
    assert made["request_id"] == "abc"
    assert published(kind, folder) == ["clip.mp4", "clip.mp4.json"]
    body, content_type = kind.read(f"{folder}/clip.mp4")
    assert body == BYTES
    cell("whole, with the hash of its manifest", "yes")
    types = content_type, kind.read(f"{folder}/clip.mp4.json")[1]
    assert types in (("video/mp4", "application/json"), ("-", "-"))
    cell("content types", ", ".join(types) if content_type != "-" else "the store keeps none")
    assert put(understand(f"{folder}/clip.mp4", "abc").path)["sha256"] == made["sha256"]
    cell("retry recognises its video", "yes")


@each(*ALL_KINDS)
def test_another_video_is_kept_or_replaced_as_the_user_says(kind: Kind, cell: Any) -> None:
    folder = kind.uri()
    path = understand(f"{folder}/clip.mp4", "abc").path
    put(path)
    with pytest.raises(DestinationRefusedError, match="holds the video abc already"):
        prepare(folder)
    assert prepare(folder, if_exists="skip")["request_id"] == "abc"
    assert kind.read(f"{folder}/clip.mp4")[0] == BYTES
    assert prepare(folder, if_exists="overwrite") is None
    put(path, b"other bytes", "overwrite", request_id="other")
    assert kind.read(f"{folder}/clip.mp4")[0] == b"other bytes"
    assert b"other" in kind.read(f"{folder}/clip.mp4.json")[0]
    cell("another video is there: fail, skip, overwrite", "refused before paying, kept, replaced")


@each(*KINDS)
@pytest.mark.parametrize("variant", ["missing_bucket", "no_write", "wrong_credentials"])
def test_a_store_that_takes_no_video_is_found_before_paying(kind: Kind, variant: Variant, cell: Any) -> None:
    folder = kind.uri(variant)
    began = time.monotonic()
    with pytest.raises(DestinationError, match=r"clip\.mp4"):
        prepare(folder)
    cell(_ROWS[variant], f"refused before paying, {time.monotonic() - began:.1f} s")
    assert kind.names(folder) == []


@each(LocalKind)
def test_a_file_in_the_place_of_a_folder_is_found_before_paying(kind: Kind, cell: Any) -> None:
    with pytest.raises(DestinationError, match="File exists"):
        prepare(kind.uri("no_write"))
    cell(_ROWS["no_write"], "refused before paying (a file in the folder's place)")


@each(*OBJECT_KINDS)
@pytest.mark.parametrize("variant", ["no_list", "write_only"])
def test_a_store_that_forbids_only_to_read_is_used(kind: Kind, variant: Variant, cell: Any) -> None:
    folder = kind.uri(variant)
    assert prepare(folder) is None
    put(understand(f"{folder}/clip.mp4", "abc").path)
    assert kind.read(f"{folder}/clip.mp4")[0] == BYTES
    is_claimed = any(name.endswith(".claim") for name in kind.names(folder))
    cell(_ROWS[variant], f"used, {'claimed' if is_claimed else 'not claimed'}")


@each(*ALL_KINDS)
@pytest.mark.parametrize("size", [1000, 6 << 20])
def test_a_name_is_taken_once(
    kind: Kind, size: int, tmp_path: Path, cell: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow_provider_siliconflow.archive import stores

    path = understand(f"{kind.uri()}/clip.mp4", "abc").path
    if type(kind) is LocalKind:
        path.parent.mkdir()
    source = tmp_path / "one.mp4"
    source.write_bytes(b"1" * size)
    stores.create(source, path)
    # A local one was moved.
    source.write_bytes(b"1" * size)
    # As if both had looked for it before either wrote.
    monkeypatch.setattr(stores, "exists", lambda _: False)
    row = f"exclusive creation, {'6 MiB' if size > 1000 else '1 kB'}"
    if type(kind) in (LocalKind, S3Kind, OssKind, AzureKind, GoogleKind):
        with pytest.raises(FileExistsError):
            stores.create(source, path)
        cell(row, "yes")
    else:
        stores.create(source, path)
        cell(row, "no: a name is looked up right before")


@each(PlainSftpKind)
def test_an_sftp_server_that_cannot_rename_is_found_before_paying(kind: Kind, cell: Any) -> None:
    folder = kind.uri()
    with pytest.raises(DestinationError, match="neither rename onto a file"):
        prepare(folder)
    assert kind.names(folder) == []
    cell("whole, with the hash of its manifest", "refused before paying")


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
def test_a_store_that_does_not_answer_is_told_in_time(kind: Kind, variant: Variant, cell: Any) -> None:
    began = time.monotonic()
    with pytest.raises(DestinationError, match=r"clip\.mp4") as caught:
        prepare(kind.uri(variant), timeout=_TIMEOUT)
    how = "store_timeout" if "did not answer" in str(caught.value) else "refused"
    row = f"{_ROWS[variant]} (store_timeout {_TIMEOUT:.0f} s)"
    cell(row, f"told before paying, {time.monotonic() - began:.1f} s ({how})")
