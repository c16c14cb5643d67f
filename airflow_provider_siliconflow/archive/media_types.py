"""Tell a video from what storages and gateways send instead, by its first bytes."""

from __future__ import annotations

#: Bytes that suffice to judge.
ENOUGH = 12
_WORDS = {b"<?xml": "XML", b"<!doctype html": "an HTML page", b"<html": "an HTML page", b"<": "markup"}
_WORDS |= {b"{": "JSON", b"[": "JSON", b'"': "JSON"}


def video_type(head: bytes) -> str | None:
    """
    Return the media type of a video, or None for what is none.

    :param head: Its first bytes, :data:`ENOUGH` of them if it has so many.
    """
    if head[4:8] == b"ftyp":
        return "video/quicktime" if head[8:12] == b"qt  " else "video/mp4"
    return "video/webm" if head.startswith(b"\x1a\x45\xdf\xa3") else None


def describe(head: bytes) -> str:
    """Say in a word or two what a body that is no video looks like; never quote it."""
    if not head:
        return "empty"
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return next((word for start, word in _WORDS.items() if text.startswith(start)), "of an unknown kind")
