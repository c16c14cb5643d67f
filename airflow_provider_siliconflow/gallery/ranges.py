"""The ``Range`` of a request, as RFC 9110 reads it."""

from __future__ import annotations

import re

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})\Z")


class UnsatisfiableRangeError(Exception):
    """Raised when a range begins after the end (416)."""


def read_range(header: str | None, size: int, *, is_same: bool = True) -> tuple[int, int] | None:
    """
    Return the first and the last byte that a request asks for.

    :param header: Its ``Range``.
    :param size: Bytes of the file.
    :param is_same: Whether ``If-Range`` names this file.
    :return: None for all of it: without a range, and for several or unreadable ones.
    :raises UnsatisfiableRangeError: if no byte of the file is in it.
    """
    found = _RANGE.match((header or "").strip())
    if not found or not is_same or found[1] == found[2] == "":
        return None
    if not found[1]:
        first, last = max(0, size - int(found[2])), size - 1
    else:
        first, last = int(found[1]), min(int(found[2]), size - 1) if found[2] else size - 1
        if found[2] and int(found[2]) < first:
            return None
    if first >= size or last < first:
        raise UnsatisfiableRangeError
    return first, last
