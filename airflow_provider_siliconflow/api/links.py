"""A signed link to a video: when it dies, and how to show it without its signature."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, urlsplit


def expires_at(url: str) -> datetime | None:
    """
    Read from a signed link when it dies.

    :param url: A link in the Alibaba OSS style (``Expires=<epoch seconds>``) or the AWS SigV4 style
        (``X-Amz-Date`` and ``X-Amz-Expires``, seconds).
    :return: An aware UTC datetime, or None if the link does not tell.
    """
    try:
        query = {name.lower(): value for name, value in parse_qsl(urlsplit(url).query)}
        if "expires" in query:
            return datetime.fromtimestamp(int(query["expires"]), tz=UTC)
        signed = datetime.strptime(query["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        return signed + timedelta(seconds=int(query["x-amz-expires"]))
    except (KeyError, ValueError, OverflowError, OSError):
        return None


def mask(url: str) -> str:
    """
    Show a link without what signs it: no query, no fragment, no user or password.

    :param url: Any string that came as a link.
    :return: ``https://host/path?***``, or ``***`` for what is no link.
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "***"
    if not parts.scheme or not host:
        return "***"
    return f"{parts.scheme}://{host}{port}{parts.path}{'?***' if parts.query else ''}"
