"""The bytes of a video: ranges, and no byte of anything that its manifest does not vouch for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_siliconflow.client.video_record import VideoRecord
from airflow_provider_siliconflow.gallery.files import FileUnavailableError, find_video
from airflow_provider_siliconflow.gallery.ranges import UnsatisfiableRangeError, read_range
from tests.unit.gallery.conftest import CLIP, Gallery

FILE = "file/clips/run/make/-1"


def test_all_of_it_with_headers_that_keep_it_private(gallery: Gallery) -> None:
    gallery.add_video()
    answer = gallery.get(FILE)
    assert (answer.status_code, answer.content) == (200, CLIP)
    headers = answer.headers
    assert (headers["content-type"], headers["content-length"], headers["accept-ranges"]) == (
        "video/mp4",
        "1024",
        "bytes",
    )
    assert headers["x-content-type-options"] == "nosniff"
    assert "private" in headers["cache-control"]
    assert gallery.get(FILE, headers={"If-None-Match": headers["etag"]}).status_code == 304
    head = gallery.client.head(f"/siliconflow/{FILE}")
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", "1024")


@pytest.mark.parametrize(
    ("header", "status", "first", "last"),
    [
        ("bytes=0-0", 206, 0, 0),
        ("bytes=10-19", 206, 10, 19),
        ("bytes=1000-", 206, 1000, 1023),
        ("bytes=-24", 206, 1000, 1023),
        ("bytes=-5000", 206, 0, 1023),
        ("bytes=10-99999", 206, 10, 1023),
        ("bytes=5-4", 200, 0, 1023),
        ("bytes=0-1,5-6", 200, 0, 1023),
        ("pages=1-2", 200, 0, 1023),
    ],
)
def test_ranges(gallery: Gallery, header: str, status: int, first: int, last: int) -> None:
    gallery.add_video()
    answer = gallery.get(FILE, headers={"Range": header})
    assert (answer.status_code, answer.content) == (status, CLIP[first : last + 1])
    if status == 206:
        assert answer.headers["content-range"] == f"bytes {first}-{last}/1024"


def test_a_range_beyond_the_end_and_one_of_another_version(gallery: Gallery) -> None:
    gallery.add_video()
    answer = gallery.get(FILE, headers={"Range": "bytes=1024-"})
    assert (answer.status_code, answer.headers["content-range"]) == (416, "bytes */1024")
    assert gallery.get(FILE, headers={"Range": "bytes=0-1", "If-Range": '"other"'}).content == CLIP


@given(st.text(max_size=40) | st.from_regex(r"bytes=\d{0,25}-\d{0,25}", fullmatch=True), st.integers(1, 10**12))
def test_any_range_header_is_read(header: str, size: int) -> None:
    try:
        found = read_range(header, size)
    except UnsatisfiableRangeError:
        return
    assert found is None or 0 <= found[0] <= found[1] < size


def test_a_poster_is_a_jpeg_beside_the_video(gallery: Gallery) -> None:
    path = gallery.add_video()
    assert gallery.get("poster/clips/run/make/-1").status_code == 404
    path.with_name("clip.mp4.jpg").write_bytes(b"<html>")
    assert gallery.get("poster/clips/run/make/-1").status_code == 404
    path.with_name("clip.mp4.jpg").write_bytes(b"\xff\xd8\xff-jpeg")
    answer = gallery.get("poster/clips/run/make/-1")
    assert (answer.content, answer.headers["content-type"]) == (b"\xff\xd8\xff-jpeg", "image/jpeg")


@pytest.mark.parametrize(
    "path",
    [
        "/etc/hostname",
        "file:///etc/passwd",
        "/proc/self/environ",
        "{folder}/../secret.mp4",
        "http://127.0.0.1:9/x.mp4",
        "https://host/clip.mp4",
        "s3://other/clip.mp4",
        "memory://clip.mp4",
        "github://a:b@c/d",
        "{folder}/clip.mp4\0",
        "{folder}/theirs.mp4",
        "{folder}/clip.mp4.json",
        "",
        "clip.mp4",
        "zip://clip.mp4::file:///etc/passwd",
        "FILE://{folder}/x",
    ],
)
def test_a_forged_path_reads_nothing(gallery: Gallery, path: str) -> None:
    gallery.add_video("theirs.mp4", dag="secret", request_id="theirs")
    (gallery.folder.parent / "secret.mp4").write_bytes(CLIP)
    given = path.format(folder=gallery.folder)
    gallery.add(task="forged", path=given, request_id="theirs", bytes=len(CLIP))
    for kind in ("file", "poster"):
        answer = gallery.get(f"{kind}/clips/run/forged/-1")
        assert answer.status_code in (404, 503)
        assert set(answer.json()) == {"detail"}


@pytest.mark.parametrize(
    "changed", [{"request_id": "other"}, {"bytes": 5}, {"dag_id": "other"}, {"sha256": "x"}, {"dag_id": None}]
)
def test_a_manifest_that_names_another_video_vouches_for_nothing(gallery: Gallery, changed: dict[str, Any]) -> None:
    path = gallery.add_video().with_name("clip.mp4.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | changed))
    assert gallery.get(FILE).status_code == 404


@given(st.text(max_size=60))
def test_no_path_at_all_is_an_error_of_ours(path: str) -> None:
    record = VideoRecord(state="archived", path=path, request_id="abc", bytes=1)
    with pytest.raises(FileUnavailableError):
        find_video(record, "clips")


def test_a_file_that_is_gone_or_changed_says_so(gallery: Gallery) -> None:
    path = gallery.add_video()
    path.write_bytes(b"shorter")
    assert "another size" in gallery.get(FILE).json()["detail"]
    path.unlink()
    answer = gallery.get(FILE)
    assert (answer.status_code, answer.json()["detail"]) == (404, f"The file {path} is gone.")
    path.with_name("clip.mp4.json").unlink()
    assert "no manifest" in gallery.get(FILE).json()["detail"]


@pytest.mark.parametrize("scheme", ["wasb", "az"])
def test_a_store_that_nothing_registers_is_named(gallery: Gallery, scheme: str) -> None:
    gallery.add(path=f"{scheme}://bucket/clip.mp4", bytes=5)
    answer = gallery.get(FILE)
    assert answer.status_code == 503
    assert f"Airflow has no file system for {scheme}://: write abfs://" in answer.json()["detail"]


def test_a_file_of_another_type_is_no_page(gallery: Gallery, tmp_path: Path) -> None:
    manifest = gallery.add_video().with_name("clip.mp4.json")
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"content_type": "text/html"}))
    answer = gallery.get(FILE)
    assert answer.headers["content-type"] == "application/octet-stream"
    assert "sandbox" in answer.headers["content-security-policy"]
