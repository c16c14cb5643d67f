"""Whole videos are told from cut ones by their containers."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_provider_siliconflow.archive.media_types import what_is_missing
from tests.unit.archive.boxes import WEBM, box, element, mp4

FTYP, MOOV, MDAT = box(b"ftyp", b"isom" + bytes(4)), box(b"moov", b"tracks"), box(b"mdat", b"frames")
EBML = element(b"\x1a\x45\xdf\xa3", b"webm")
SEGMENT = b"\x18\x53\x80\x67"


def missing(path: Path, body: bytes) -> str | None:
    path.write_bytes(body)
    return what_is_missing(path)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(mp4(), id="mp4"),
        pytest.param(FTYP + MDAT + MOOV, id="moov at the end"),
        pytest.param(FTYP + box(b"mdat", b"frames", wide=True) + MOOV, id="64-bit length"),
        pytest.param(FTYP + MOOV + box(b"mdat", b"to the end", length=0), id="a last box to the end"),
        pytest.param(FTYP + MOOV + (box(b"moof", b"x") + MDAT) * 40, id="fragments"),
        pytest.param(FTYP + MOOV + MDAT + box(b"free"), id="an empty box"),
        pytest.param(WEBM, id="webm"),
        pytest.param(EBML + SEGMENT + b"\x01" + b"\xff" * 7 + b"live", id="webm of unknown length"),
        pytest.param(b"\x1a\x45\xdf\xa3\x84webm" + SEGMENT + b"\x82ab", id="webm with short lengths"),
    ],
)
def test_whole(stage: Path, body: bytes) -> None:
    assert missing(stage, body) is None


@pytest.mark.parametrize("cut", range(len(MDAT)))
def test_no_mp4_that_is_cut_is_whole(stage: Path, cut: int) -> None:
    assert missing(stage, FTYP + MOOV + MDAT[:cut])


@pytest.mark.parametrize("cut", range(5, len(WEBM)))
def test_no_webm_that_is_cut_is_whole(stage: Path, cut: int) -> None:
    assert missing(stage, WEBM[:cut])


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (FTYP + MDAT, "no moov"),
        (FTYP, "no moov"),
        (FTYP + MDAT + MOOV[:-1], "the moov box"),
        (FTYP + box(b"mdat", b"x", wide=True, length=1 << 62) + MOOV, "is cut"),
        (FTYP + MOOV + box(b"mdat", b"x", wide=True, length=15), "impossible"),
        (FTYP + MOOV + b"\0\0\0\x01mdat\0\0", "ends in the head"),
        (FTYP + MOOV + box(b"\xff\0\n<", length=99), "the unnamed box"),
        (EBML + b"cues", "no segment"),
        (b"\x1a\x45\xdf\xa3\0", "header"),
    ],
)
def test_not_whole(stage: Path, body: bytes, words: str) -> None:
    assert words in (missing(stage, body) or "")


def test_many_boxes_take_a_bounded_time(stage: Path) -> None:
    assert "too many" in (missing(stage, FTYP + MOOV + box(b"free") * 100_001) or "")
