"""Make bytes of the containers that videos come in."""

from __future__ import annotations

import struct


def box(kind: bytes, content: bytes = b"", *, wide: bool = False, length: int | None = None) -> bytes:
    """Return a box of an MP4 file; ``length`` is told in its head whatever its content."""
    if wide:
        return struct.pack(">I4sQ", 1, kind, 16 + len(content) if length is None else length) + content
    return struct.pack(">I4s", 8 + len(content) if length is None else length, kind) + content


def mp4(content: bytes = b"frames", brand: bytes = b"isom") -> bytes:
    """Return a whole MP4 file, as to its boxes."""
    return box(b"ftyp", brand + bytes(4)) + box(b"moov", b"tracks") + box(b"mdat", content)


def element(ident: bytes, content: bytes, *, length: int | None = None) -> bytes:
    """Return an element of a WebM file."""
    return ident + (1 << 56 | (len(content) if length is None else length)).to_bytes(8) + content


WEBM = element(b"\x1a\x45\xdf\xa3", b"webm") + element(b"\x18\x53\x80\x67", b"clusters")
