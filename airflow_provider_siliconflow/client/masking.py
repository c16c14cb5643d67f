"""The one place that takes API keys and signatures of URLs out of text, before anything shows or stores it."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

MASK = "***"
#: Characters of a text from outside that a message shows.
EXCERPT = 300
#: A key of SiliconFlow has 51 characters. A made-up one of a letter or two is part of other words, a paid video's
#: request id among them, and must not be masked there.
_MIN_SECRET = 8
#: Characters of a text that are read for an excerpt, and of what is masked of them those that are dropped again,
#: as the cut may have gone through a secret: more than a key has in its longest spelling.
_READ, _TAIL = 8192, 1024

# Every repetition below is bounded or cannot begin again within itself, so that no text takes long to mask.
_TOKEN = re.compile(r"[^\s\"'<>]+")
_SCHEME = re.compile(r"(?::|%(?:25){0,4}3A)(?://|\\/\\/|\\u002f\\u002f|(?:%(?:25){0,4}2F){2})", re.IGNORECASE)
_USERINFO = re.compile(rf"({_SCHEME.pattern})[^\s\"'<>/?#]{{0,512}}@", re.IGNORECASE)
# "?" and "=" as they are, percent-encoded, as JSON escapes, and as character references.
_QUESTION = re.compile(r"\?|%(?:25){0,4}3F|\\u003f|&#63;|&#x3f;", re.IGNORECASE)
_EQUALS = re.compile(r"=|%(?:25){0,4}3D|\\u003d|&#61;|&#x3d;", re.IGNORECASE)
# What signs a URL or opens a door, by name: for a query with a space in it, and for the XML of a store.
_NAMES = (
    r"(?:signature|credential|token|access-?key|x-amz-|string-?to-?sign|canonical-?request|api-?key|password|secret)"
)
_PARAMETER = re.compile(rf"({_NAMES}[a-z0-9_-]{{0,40}})(?:{_EQUALS.pattern})[^\s\"'<>&]+", re.IGNORECASE)
_ELEMENT = re.compile(rf"(<[a-z0-9_-]{{0,40}}{_NAMES}[a-z0-9_-]{{0,40}}>)[^<]+", re.IGNORECASE)
# The same names as headers, JSON and Python write them, and what a cloud calls its signature for short. A value that
# long and with a digit in it is no word.
_FIELD = re.compile(
    rf"((?:{_NAMES}[a-z0-9_-]{{0,40}}|\bsig)[\"'\\]{{0,8}}\s{{0,3}}[:=]\s{{0,3}}[\"'\\]{{0,8}})"
    r"(?=[a-z/+=_.%~-]{0,512}[0-9])[a-z0-9/+=_.%~-]{8,}",
    re.IGNORECASE,
)
_AUTHORIZATION = re.compile(
    r"(\bauthorization[\"'\\]{0,8}\s{0,3}[:=]\s{0,3}[\"'\\]{0,8})[^\r\n\"'\\<>]+", re.IGNORECASE
)
# Any key, ours or another's, by its form.
_KEY = re.compile(r"(?<![a-z0-9])sk-[a-z0-9_-]{16,}|\b(?:bearer|basic)\s+[a-z0-9._~+/=-]{12,}", re.IGNORECASE)


def mask_text(text: str, secrets: Iterable[str] = ()) -> str:
    """
    Return a text without keys, and its URLs without user, password, query and fragment.

    Apply it to decoded text: JSON, for one, can spell a key in escapes. A text that could not be decoded may still
    carry those, so a secret is found in such spellings, too.

    :param text: Any text.
    :param secrets: What must not be shown, such as the API key; shorter than 8 characters they are left out.
    :return: The text with ``***`` for what was taken out.
    """
    for secret in secrets:
        if len(secret) >= _MIN_SECRET:
            text = _spellings(secret).sub(MASK, text)
    text = _KEY.sub(MASK, text)
    text = _TOKEN.sub(lambda token: _mask_url(token[0]), text)
    text = _PARAMETER.sub(rf"\1={MASK}", text)
    for named in (_FIELD, _AUTHORIZATION, _ELEMENT):
        text = named.sub(rf"\1{MASK}", text)
    return text


def excerpt(text: str, secrets: Iterable[str] = (), length: int = EXCERPT) -> str:
    """
    Return the masked beginning of a text from outside, fit for a message, a log or a store.

    :param text: Any text, lone surrogates included, which no log, XCom or file can carry.
    :param secrets: As for :func:`mask_text`.
    :param length: Characters at most.
    :return: The text, with ``…`` at its end if it was longer.
    """
    # Masked before it is cut: half a key is not found any more, and still is half a key.
    masked = mask_text(text[:_READ].encode("utf-8", "replace").decode("utf-8"), secrets)
    if len(text) > _READ:
        masked = masked[:-_TAIL]
    return masked if len(masked) <= length and len(text) <= _READ else masked[: length - 1] + "…"


def describe_error(error: BaseException, secrets: Iterable[str] = ()) -> str:
    """
    Return the type of a foreign error and its masked text: libraries quote URLs, headers and passwords in theirs.

    :param error: What was raised.
    :param secrets: As for :func:`mask_text`.
    :return: ``TypeError: what it says``, or the type alone.
    """
    text = excerpt(str(error), secrets)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _mask_url(token: str) -> str:
    """Mask whatever may be a URL. Every parameter of a query, as each store has names of its own."""
    has_scheme = _SCHEME.search(token) is not None
    if has_scheme:
        token = _USERINFO.sub(rf"\1{MASK}@", token)
    question = _QUESTION.search(token)
    if question and (has_scheme or _EQUALS.search(token, question.end())):
        return f"{token[: question.start()]}?{MASK}"
    return token.partition("#")[0] if has_scheme else token


@lru_cache(maxsize=64)
def _spellings(secret: str) -> re.Pattern[str]:
    """Return a pattern for a secret each of whose characters may be escaped as JSON, URLs, Python or HTML do it."""
    return re.compile("".join(map(_spelling, secret)))


def _spelling(character: str) -> str:
    code = ord(character)
    escapes = (
        rf"\\{{1,8}}u00{code:02x}|\\{{1,8}}x{code:02x}|%(?:25){{0,4}}{code:02x}|&#0{{0,8}}{code};|&#x0{{0,8}}{code:x};"
    )
    return f"(?:{re.escape(character)}|(?i:{escapes}))" if code < 256 else re.escape(character)
