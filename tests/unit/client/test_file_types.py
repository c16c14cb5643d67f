"""What a file is by its first bytes: images, videos, and what comes instead of either."""

from __future__ import annotations

import pytest

from airflow_provider_siliconflow.client.file_types import ENOUGH, media_type, type_name


@pytest.mark.parametrize(
    ("head", "kind", "name"),
    [
        (b"\x89PNG\r\n\x1a\n", "image/png", "PNG"),
        (b"\xff\xd8\xff\xe0", "image/jpeg", "JPEG"),
        (b"GIF89a", "image/gif", "GIF"),
        (b"RIFF\x10\0\0\0WEBP", "image/webp", "WEBP"),
        (b"RIFF\x10\0\0\0WAVE", None, None),
        (b"BM\0\0", "image/bmp", "BMP"),
        (b"II*\0", "image/tiff", "TIFF"),
        (b"\0\0\0\x1cftypavif", "image/avif", "AVIF"),
        (b"\0\0\0\x1cftypheix", "image/heic", "HEIC"),
        (b"\0\0\0\x14ftypqt  ", "video/quicktime", "QuickTime video"),
        (b"\0\0\0\x20ftypisom", "video/mp4", "MP4 video"),
        (b"\0\0\0\x20ftyp", "video/mp4", "MP4 video"),
        (b"\x1a\x45\xdf\xa3", "video/webm", "WebM video"),
        (b"%PDF-1.7", "application/pdf", "PDF"),
        (b"PK\x03\x04", "application/zip", "ZIP"),
        (b"\x1f\x8b\x08", "application/gzip", "gzip"),
        (b"\xef\xbb\xbf<!-- a --><SVG xmlns='x'>", "image/svg+xml", "SVG"),
        (b"  \n<!DOCTYPE html>", "text/html", "HTML"),
        (b"<?xml version='1.0'?><Error/>", "application/xml", "XML"),
        (b"<p>", "text/markup", "markup"),
        (b'{"code": 1}', "application/json", "JSON"),
        (b'"not found"', "application/json", "JSON"),
        (b"short", None, None),
        (b"", None, None),
    ],
)
def test_the_type_is_told_by_the_first_bytes(head: bytes, kind: str | None, name: str | None) -> None:
    assert (media_type(head), type_name(head)) == (kind, name)
    assert media_type(head + bytes(100)) == kind


def test_twelve_bytes_are_enough_for_every_binary_type() -> None:
    assert ENOUGH == 12
