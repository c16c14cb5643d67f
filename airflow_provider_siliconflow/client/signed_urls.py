"""A signed URL of a video: when it was made and expires, and how to show it without its signature."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, urlsplit

from airflow_provider_siliconflow.client.masking import excerpt

_MARK = re.compile(r"%(?:25)*3F", re.IGNORECASE)
#: Characters of a URL that a message or a manifest shows.
_SHOWN = 1000


def expires_at(url: str) -> datetime | None:
    """
    Read from a signed URL when it expires.

    :param url: A URL in the Alibaba OSS style (``Expires=<epoch seconds>``) or the AWS SigV4 style
        (``X-Amz-Date`` and ``X-Amz-Expires``, seconds).
    :return: An aware UTC datetime, or None if the URL does not tell.
    """
    try:
        query = _query(url)
        if "expires" in query:
            return datetime.fromtimestamp(int(query["expires"]), tz=UTC)
        return _signed_at(query) + timedelta(seconds=int(query["x-amz-expires"]))
    except (KeyError, ValueError, OverflowError, OSError):
        return None


def made_at(url: str) -> datetime | None:
    """
    Read from a signed URL when it was made.

    :param url: Any URL; the AWS SigV4 style tells it (``X-Amz-Date``), the Alibaba OSS style does not.
    :return: An aware UTC datetime, or None if the URL does not tell.
    """
    try:
        return _signed_at(_query(url))
    except (KeyError, ValueError):
        return None


def _query(url: str) -> dict[str, str]:
    return {name.lower(): value for name, value in parse_qsl(urlsplit(url).query)}


def _signed_at(query: dict[str, str]) -> datetime:
    return datetime.strptime(query["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)


def mask(url: str) -> str:
    """
    Return a URL without what signs it: no query, no fragment, no user or password.

    :param url: Any string that came as a URL.
    :return: ``https://host/path?***``, 1,000 characters at most, or ``***`` for what is no URL.
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "***"
    if not parts.scheme or not host:
        return "***"
    host = f"[{host}]" if ":" in host else host
    # A query whose mark is encoded is part of the path, and no less secret.
    path, mark, _ = _MARK.sub("?", parts.path).partition("?")
    return excerpt(f"{parts.scheme}://{host}{port}{path}{'?***' if mark or parts.query else ''}", length=_SHOWN)
