"""What a file is, by its first bytes: the one table for images sent, videos received, and what comes instead."""

from __future__ import annotations

#: Media types by first bytes, the more specific ones first; "?" stands for any byte.
_SIGNATURES = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
    b"RIFF????WEBP": "image/webp",
    b"BM": "image/bmp",
    b"II*\0": "image/tiff",
    b"MM\0*": "image/tiff",
    b"????ftypavif": "image/avif",
    b"????ftyphei": "image/heic",
    b"????ftypqt  ": "video/quicktime",
    b"????ftyp": "video/mp4",
    b"\x1a\x45\xdf\xa3": "video/webm",
    b"\0\0\x01\0": "image/vnd.microsoft.icon",
    b"8BPS": "image/vnd.adobe.photoshop",
    b"%PDF": "application/pdf",
    b"PK\x03\x04": "application/zip",
    b"\x1f\x8b": "application/gzip",
}
#: The same of texts, after white space, in small letters.
_TEXTS = {
    b"<svg": "image/svg+xml",
    b"<!doctype html": "text/html",
    b"<html": "text/html",
    b"<?xml": "application/xml",
    b"<": "text/markup",
    b"{": "application/json",
    b"[": "application/json",
    b'"': "application/json",
}
#: What a message calls them.
_NAMES = {
    "image/tiff": "TIFF",
    "image/svg+xml": "SVG",
    "image/vnd.microsoft.icon": "ICO",
    "image/vnd.adobe.photoshop": "Photoshop",
    "video/mp4": "MP4 video",
    "video/quicktime": "QuickTime video",
    "video/webm": "WebM video",
    "text/markup": "markup",
    "application/gzip": "gzip",
}
#: Bytes that suffice to tell any binary type.
ENOUGH = max(map(len, _SIGNATURES))
#: Bytes that suffice to tell a text, with a comment or a declaration before the root of a markup.
_HEAD = 512


def media_type(content: bytes) -> str | None:
    """
    Return the media type of a file.

    :param content: Its first bytes, or all of them.
    :return: As the header ``Content-Type`` has it; ``text/markup`` for markup that is neither HTML nor XML; None for
        an unknown type.
    """
    binary = next((found for signature, found in _SIGNATURES.items() if _fits(content, signature)), None)
    if binary:
        return binary
    text = content[:_HEAD].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if b"<svg" in text:
        return "image/svg+xml"
    return next((found for start, found in _TEXTS.items() if text.startswith(start)), None)


def type_name(content: bytes) -> str | None:
    """
    Return the name of a file's type; nothing of the content is in it.

    :param content: Its first bytes, or all of them.
    :return: A name such as ``SVG``, ``HTML`` or ``MP4 video``; None for an unknown type.
    """
    found = media_type(content)
    return _NAMES.get(found, found.rpartition("/")[2].upper()) if found else None


def _fits(content: bytes, signature: bytes) -> bool:
    head = content[: len(signature)]
    return len(head) == len(signature) and all(s in (b, 0x3F) for s, b in zip(signature, head, strict=True))
