"""What the headers of a response say of a body, and whether a later part is of the very same one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import aiohttp

#: Content encodings that leave the bytes as they are; the last one is of an upload, and some storages keep it.
_PLAIN = {"", "identity", "aws-chunked"}


@dataclass(frozen=True)
class Body:
    """
    A whole body, as its first response describes it.

    :param total: Its size in bytes, if known.
    :param etag: Its ETag, if any.
    :param last_modified: Its Last-Modified, if any.
    :param is_plain: Whether it is not encoded, by its headers.
    """

    total: int | None = None
    etag: str | None = None
    last_modified: str | None = None
    is_plain: bool = True

    @classmethod
    def of(cls, response: aiohttp.ClientResponse) -> Body:
        """
        Return what a response says of its body.

        :param response: With status 200.
        :return: The whole body.
        """
        headers = response.headers
        total = None if headers.get("Transfer-Encoding") else response.content_length
        return cls(total, headers.get("ETag"), headers.get("Last-Modified"), _is_plain(response))

    @property
    def is_resumable(self) -> bool:
        """Return whether a later part is known to be of this body: only a strong ETag vouches for bytes."""
        etag = self.etag or ""
        return self.is_plain and len(etag) > 2 and etag.startswith('"') and etag.endswith('"')

    def headers_from(self, start: int) -> dict[str, str]:
        """
        Return the headers of a request for the body.

        :param start: The first byte that is wanted; above 0 only if the body is resumable.
        :return: Without ``Range`` for the whole body.
        """
        headers = {"Accept-Encoding": "identity"}
        return headers | {"Range": f"bytes={start}-", "If-Range": self.etag or ""} if start else headers

    def total_by_part(self, response: aiohttp.ClientResponse, start: int) -> int | None:
        """
        Return the size of the whole body as a partial response says.

        :param response: With status 206.
        :param start: The byte that was asked for.
        :return: Bytes; None if the response is not the rest of this body from that byte on.
        """
        headers = response.headers
        found = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", headers.get("Content-Range", ""))
        if not found:
            return None
        begin, end, total = (int(text) for text in found.groups())
        fits = (
            begin == start <= end < total
            and self.total in (None, total)
            and response.content_length in (None, end + 1 - begin)
            and headers.get("ETag") == self.etag
            and headers.get("Last-Modified") in (None, self.last_modified)
            and _is_plain(response)
        )
        return total if fits else None


@dataclass(frozen=True)
class Downloaded:
    """
    What is known of a whole video that was downloaded.

    :param size: Bytes.
    :param sha256: In hexadecimal.
    :param content_type: The storage's, or what the bytes tell where it says nothing of a video.
    :param url: The URL it came from, masked.
    """

    size: int
    sha256: str
    content_type: str
    url: str


def _is_plain(response: aiohttp.ClientResponse) -> bool:
    """Tell whether a body is not encoded, by its headers."""
    named = ",".join(response.headers.getall("Content-Encoding", []))
    return {token.strip().lower() for token in named.split(",")} <= _PLAIN
