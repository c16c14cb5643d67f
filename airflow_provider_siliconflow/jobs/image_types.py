"""The image types of the API's ``image`` field, told by content, and the data URI that carries one."""

from __future__ import annotations

import base64
import binascii
import re

from airflow_provider_siliconflow.client.file_types import media_type, type_name

#: Subtypes that clients of this API are observed to send in the field.
_SENT = frozenset({"png", "jpeg", "gif", "webp"})
#: Subtypes as a data URI may declare them.
_DECLARED = frozenset({"png", "jpeg", "jpg", "webp", "gif"})

ACCEPTED = "png, jpeg, webp or gif"
#: Bytes. No limit is documented for video; the same gateway rejects images above 5 MB on another route (413, code
#: 20043), of which a request warns. This is far beyond, and bounds the memory of a worker: about 4 times as much.
MAX_IMAGE_BYTES = 32 << 20

_DATA_URI = re.compile(r"data:image/([a-z0-9.+-]+);base64,(.*)", re.IGNORECASE | re.DOTALL)
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]+={0,2}")
#: The first characters of base64 of a png, jpeg, gif and webp.
_BASE64_STARTS = ("iVBORw0KGgo", "/9j/", "R0lGOD", "UklGR")
#: Characters that no path without a dot has, as far as anybody has seen.
_LONG = 256


def image_type(content: bytes) -> str | None:
    """
    Return the subtype of an image that the API takes.

    :param content: The image's bytes.
    :return: ``png``, ``jpeg``, ``webp`` or ``gif``; None for anything else.
    """
    kind, _, subtype = (media_type(content) or "").partition("/")
    return subtype if kind == "image" and subtype in _SENT else None


def to_data_uri(content: bytes, subtype: str) -> str:
    """
    Return an image as the API's ``image`` field takes it.

    :param content: The image's bytes.
    :param subtype: Its type, as :func:`image_type` returns it.
    :return: A data URI.
    """
    return f"data:image/{subtype};base64,{base64.b64encode(content).decode()}"


def data_uri_problem(uri: str) -> str | None:
    """
    Return what is wrong with a data URI.

    :param uri: A text that begins with ``data:``, without white space.
    :return: A few words for a message, with nothing of the content; None if it can be sent.
    """
    found = _DATA_URI.fullmatch(uri)
    if not found:
        return "not of the form data:image/png;base64,…"
    declared, body = found[1].lower(), found[2]
    if declared not in _DECLARED:
        return f"of the type {declared[:20]}, not {ACCEPTED}"
    if len(body) * 3 // 4 > MAX_IMAGE_BYTES:
        return f"larger than {MAX_IMAGE_BYTES >> 20} MiB"
    try:
        content = base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError):
        return "not valid base64"
    if not content:
        return "empty"
    other = None if image_type(content) else type_name(content)
    return f"{other} inside, not {ACCEPTED}" if other else None


def is_base64(text: str) -> bool:
    """
    Return whether a text is base64 of an image, or of anything long, rather than a path.

    :param text: A text without white space. That of a jpeg begins with a slash.
    :return: Whether it is.
    """
    if len(text) < len(_BASE64_STARTS[0]) or not _BASE64.fullmatch(text):
        return False
    return len(text) >= _LONG or (len(text) >= 64 and text.startswith(_BASE64_STARTS))
