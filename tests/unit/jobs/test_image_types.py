"""What an image is, told by its content, and what a data URI may carry."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from airflow_provider_siliconflow.client.models import LARGE_IMAGE, VideoRequest
from airflow_provider_siliconflow.jobs.image_types import MAX_IMAGE_BYTES
from airflow_provider_siliconflow.jobs.images import image_field
from tests.unit.jobs.image_inputs import PNG, make_image, rejection

KINDS = ("png", "jpeg", "webp", "gif")


I2V = "Wan-AI/Wan2.2-I2V-A14B"


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_is_known_by_its_first_bytes_not_by_its_name(cat: Path, kind: str) -> None:
    cat.write_bytes(make_image(kind))
    for path in (str(cat), f"file://{cat}", f"FILE://localhost{cat}", f"local://{cat}", f" {cat}\n"):
        field = image_field(path)
        head, _, body = field.partition(",")
        assert head == f"data:image/{kind};base64"
        assert base64.b64decode(body, validate=True) == make_image(kind)
        assert VideoRequest(I2V, "it moves", "960x960", image=field).validate() == []


def test_both_ages_of_gif_are_known(cat: Path) -> None:
    cat.write_bytes(b"GIF87a...")
    assert image_field(str(cat)).startswith("data:image/gif;base64,")


def test_base64_that_a_tool_broke_into_lines_is_taken() -> None:
    lines = base64.encodebytes(PNG * 9).decode()
    assert "\n" in lines.strip()
    assert image_field(f"data:image/png;base64,{lines}") == "data:image/png;base64," + lines.replace("\n", "")


def test_a_file_above_5_mb_is_sent_with_a_warning(cat: Path) -> None:
    cat.write_bytes(PNG + bytes(LARGE_IMAGE))
    video = VideoRequest(I2V, "it moves", "960x960", image=image_field(str(cat)))
    assert video.validate() == []
    (warning,) = video.warnings()
    assert "larger than 5 MB" in warning


@pytest.mark.parametrize(
    "content",
    [base64.b64encode(make_image(kind) * 5).decode() for kind in KINDS]
    + [base64.b64encode(bytes(range(256)) * 4096).decode(), base64.encodebytes(PNG * 9).decode()],
    ids=[*KINDS, "1 MiB of anything", "in lines"],
)
def test_base64_without_a_head_is_named(content: str) -> None:
    message = rejection(content)
    assert "base64" in message
    assert "data:image/png;base64," in message
    assert content[:20] not in message


SECRET = b"root:$6$salt$hash:19000:0:99999:7:::"


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (SECRET, "unknown type"),
        (b"RIFF\0\0\0\0WAVE", "unknown type"),
        (b"\x89PNG", "unknown type"),
        (b"%PDF-1.7 " + SECRET, "PDF"),
        (b"<svg>" + SECRET, "SVG"),
        (b'\xef\xbb\xbf<?xml version="1.0"?>\n<!-- a -->\n<svg xmlns="http://www.w3.org/2000/svg">', "SVG"),
        (b"<?xml version='1.0'?><a/>", "XML"),
        (b"\r\n <!DOCTYPE HTML><title>" + SECRET, "HTML"),
        (b"<HTML>", "HTML"),
        (b"BM" + SECRET, "BMP"),
        (b"II*\0" + SECRET, "TIFF"),
        (b"\0\0\0\x20ftypavif", "AVIF"),
        (b"\0\0\0\x20ftypheic", "HEIC"),
        (b"\0\0\0\x20ftypisom", "MP4"),
    ],
)
def test_what_is_no_image_is_refused_by_its_kind_alone(cat: Path, content: bytes, named: str) -> None:
    cat.write_bytes(content)
    message = rejection(str(cat))
    assert named in message
    assert "cat.txt" in message
    assert "salt" not in message
    assert "PNG" not in message


@pytest.mark.parametrize(
    ("uri", "named"),
    [
        ("data:image/svg+xml;base64,PHN2Zz4=", "svg+xml"),
        ("data:image/png;base64,PHN2Zz4=", "SVG"),
        ("data:image/png;base64,PCFkb2N0eXBlIGh0bWw+", "HTML"),
        ("data:text/html;base64,PHN2Zz4=", "form"),
        ("data:image/png,%89PNG", "form"),
        ("data:image/png;charset=utf-8;base64,iVBORw0KGgo=", "form"),
        ("data:image/png;base64,", "empty"),
        ("data:image/png;base64,iVBORw0KGgo", "base64"),
        ("data:image/png;base64,iVBOR!0KGgo=", "base64"),
        ("data:image/png;base64,iVBORw0K_go=", "base64"),
        ("data:", "form"),
        ("data:image/" + "x" * 5000 + ";base64,AAAA", "xxx"),
        ("data:image/png;base64," + "A" * (MAX_IMAGE_BYTES * 4 // 3 + 8), "32 MiB"),
    ],
)
def test_data_uris_are_checked(uri: str, named: str) -> None:
    assert named in rejection(uri)
