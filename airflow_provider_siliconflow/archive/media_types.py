"""Tell a video from what storages and gateways send instead, and a whole one from one that was cut."""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING, BinaryIO

from airflow_provider_siliconflow.client.file_types import media_type, type_name

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_EBML, _SEGMENT = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"
#: Boxes of a file at most: a fragmented video has two for each second or so.
_MOST_BOXES = 100_000


def video_type(head: bytes) -> str | None:
    """
    Return the media type of a video, or None for what is none.

    :param head: Its first bytes, :data:`~airflow_provider_siliconflow.client.file_types.ENOUGH` of them if it has so
        many.
    :return: As the header ``Content-Type`` has it.
    """
    found = media_type(head)
    return found if found and found.startswith("video/") else None


def describe_body(head: bytes, headers: Mapping[str, str], total: int | None) -> str:
    """
    Say what a body that is no video looks like; never quote it.

    :param head: Its first bytes, if any.
    :param headers: Those of the response, of any casing.
    :param total: Its bytes, if known.
    :return: A word or two, and what the headers say.
    """
    encoding = headers.get("Content-Encoding", "")[:40]
    declared = f"content type {declared_type(headers)[:80] or 'not given'}"
    kind = (type_name(head) or "of an unknown kind") if head else "empty"
    return f"{kind} ({declared}{f', content encoding {encoding}' if encoding else ''}, {count(total)})"


def declared_type(headers: Mapping[str, str]) -> str:
    """
    Return the media type that a response declares.

    :param headers: The response's.
    :return: Without parameters; empty if there is none.
    """
    return headers.get("Content-Type", "").partition(";")[0].strip()


def count(total: int | None) -> str:
    """
    Return a number of bytes in words.

    :param total: None if it is not known.
    :return: With its unit.
    """
    return f"{'an unknown number of' if total is None else total} bytes"


def what_is_missing(path: Path) -> str | None:
    """
    Say what a video lacks to be whole, by its container; reads the heads of its boxes only.

    An MP4 or QuickTime file is whole if its boxes fill it exactly and ``moov`` and ``mdat`` are among them; a WebM file
    if it has its header and a segment that is not longer than the file.

    :param path: A file of one of the types that :func:`video_type` knows.
    :return: None if nothing is missing.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        webm = file.read(4) == _EBML
        return _missing_in_webm(file, size) if webm else _missing_in_mp4(file, size)


def _missing_in_mp4(file: BinaryIO, size: int) -> str | None:
    start, kinds = 0, set[bytes]()
    for _ in range(_MOST_BOXES):
        if start == size:
            missing = next((kind for kind in ("moov", "mdat") if kind.encode() not in kinds), None)
            return f"it has no {missing} box, without which it cannot be played" if missing else None
        file.seek(start)
        head = file.read(16)
        if len(head) < 8:
            return f"it ends in the head of a box at byte {start}"
        length, kind = struct.unpack(">I4s", head[:8])
        least = 8
        if length == 1:
            if len(head) < 16:
                return f"it ends in the head of a box at byte {start}"
            length, least = int.from_bytes(head[8:16]), 16
        elif length == 0:
            # To the end of the file.
            length = size - start
        if length < least:
            return f"the box at byte {start} has an impossible length"
        if start + length > size:
            return f"the {_name(kind)} box at byte {start} is cut: it has {size - start} of {length} bytes"
        kinds.add(kind)
        start += length
    return "it has too many boxes"


def _missing_in_webm(file: BinaryIO, size: int) -> str | None:
    header = _vint(file, size)
    if header is None:
        return "its header is cut"
    file.seek(header, os.SEEK_CUR)
    if file.read(4) != _SEGMENT:
        return "it has no segment"
    start = file.tell()
    segment = _vint(file, size)
    if segment is None:
        return "the head of its segment is cut"
    return f"the segment at byte {start} is cut" if file.tell() + segment > size else None


def _vint(file: BinaryIO, size: int) -> int | None:
    """Read a length as EBML writes it; one that is not known yet, as live streams have it, is what there is."""
    first = file.read(1)
    if not first or not first[0]:
        return None
    width = 9 - first[0].bit_length()
    rest = file.read(width - 1)
    if len(rest) < width - 1:
        return None
    bits = 7 * width
    value = int.from_bytes(first + rest) & ((1 << bits) - 1)
    return size - file.tell() if value == (1 << bits) - 1 else value


def _name(kind: bytes) -> str:
    return kind.decode("ascii") if kind.isalnum() else "unnamed"
