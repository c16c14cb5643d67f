"""An HTTP response as the parsers need it: decoded within a limit, and masked wherever it is shown."""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow_provider_siliconflow.client.masking import EXCERPT, excerpt

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

TRACE_HEADER = "x-siliconcloud-trace-id"
#: Bytes of a body at most, compressed or not. The longest responses documented have a few kB.
MAX_BODY = 1 << 20
_GZIP = b"\x1f\x8b"


@dataclass(frozen=True)
class Response:
    """
    An HTTP response, maybe not whole.

    :param status_code: The HTTP status.
    :param headers: Header names in lower case.
    :param body: The body as it came, or what came of it.
    :param host: The base URL that was asked.
    :param secrets: What must not be shown, should the service repeat it.
    :param cut: Why the body is not whole; empty if it is.
    """

    status_code: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    host: str
    secrets: tuple[str, ...] = field(default=(), repr=False)
    cut: str = ""

    @property
    def trace_id(self) -> str | None:
        """Return the id by which the vendor's support finds the call; documented for the submit alone."""
        trace_id = self.headers.get(TRACE_HEADER)
        return self.shown(trace_id) if trace_id else None

    @property
    def retry_after(self) -> float | None:
        """Return ``Retry-After`` in seconds; a date counts from the response's own ``Date``: no clock is needed."""
        value = self.headers.get("retry-after", "").strip()
        if value.isascii() and value.isdigit():
            return float(value[:9])
        try:
            until: datetime = parsedate_to_datetime(value)
            wait = (until - parsedate_to_datetime(self.headers.get("date", ""))).total_seconds()
        except (ValueError, TypeError, IndexError, OverflowError):
            return None
        return max(wait, 0.0)

    @cached_property
    def content(self) -> bytes:
        """
        Return the body without compression.

        None is asked for; but a gateway may compress all the same, and the id of a paid video may be in there. What
        the bytes are is believed before what the header says: JSON labelled gzip is JSON.

        :return: Bytes, :data:`MAX_BODY` at most.
        """
        if self.body.startswith(_GZIP):
            wbits = 31
        elif self.headers.get("content-encoding", "").strip().lower() == "deflate":
            wbits = 15
        else:
            return self.body
        try:
            return zlib.decompressobj(wbits).decompress(self.body, MAX_BODY)
        except zlib.error:
            return self.body

    @cached_property
    def json(self) -> Any:
        """
        Return the parsed body.

        :return: None if it is not JSON.
        """
        try:
            return json.loads(self.content)
        except (ValueError, RecursionError):
            return None

    @cached_property
    def text(self) -> str:
        """
        Return the body as text.

        :return: Decoded; JSON without its escapes, for they would hide what is to be masked.
        """
        try:
            if self.json is not None:
                return json.dumps(self.json, ensure_ascii=False)
        except (ValueError, RecursionError):
            pass
        return self.content.decode("utf-8", "replace")

    def shown(self, text: str, length: int = EXCERPT) -> str:
        """
        Return a text of the response in the form that may be shown and stored: masked and not too long.

        :param text: Decoded text.
        :param length: Characters at most.
        :return: The text, with ``…`` at its end if it was longer.
        """
        return excerpt(text, self.secrets, length)
