"""The API's base URL, in each of the forms in which an Airflow connection may say it."""

from __future__ import annotations

import ipaddress
import re
from typing import Any
from urllib.parse import urlsplit

DEFAULT_BASE_URL = "https://api.siliconflow.cn/v1"

#: Endings of names that lead to no public host (RFC 6761, RFC 6762, RFC 8375, ICANN's ``.internal``, and what
#: Kubernetes and home networks use).
_PRIVATE_NAMES = (
    *(".localhost", ".local", ".internal", ".test", ".invalid", ".example", ".home.arpa", ".lan", ".svc"),
)
#: The port of each scheme where a URL names none.
USUAL_PORTS = {"https": 443, "http": 80}
#: A URL in which nothing is left to be quoted or rejected in the midst of a call.
_PRINTABLE = re.compile(r"[!-~]+")


def read_base_url(host: str | None, port: int | None, schema: str | None, allow_http: Any = None) -> str:
    """
    Put together the base URL from a connection's fields, as Airflow's own HTTP connections are read.

    :param host: A URL, or a name or address with or without a path; empty for the China site.
    :param port: The port, where the host has none.
    :param schema: ``http`` or ``https``, the scheme of a host without one; else the path of a host without one.
    :param allow_http: Whether the API key may travel over plain http to a public host.
    :return: The base URL with its path, in ASCII, without a trailing slash and without the usual port of its scheme.
    :raises ValueError: if it is no URL that can be called.
    """
    text = (host or DEFAULT_BASE_URL).strip()
    word = (schema or "").strip().strip("/")
    scheme = word.lower() if word.lower() in ("http", "https") else ""
    if "://" not in text:
        text = f"{scheme or 'https'}://{text}"
    wrong = f"host {str(host)[:80]!r} is not a URL like {DEFAULT_BASE_URL}"
    try:
        parts = urlsplit(text)
        name = (parts.hostname or "").encode("idna").decode("ascii")
        number = parts.port if parts.port is not None else port or None
    except ValueError:
        raise ValueError(wrong) from None
    if number == USUAL_PORTS.get(parts.scheme):
        number = None  # one site is one URL, for all that is counted and recorded by it
    path = parts.path.rstrip("/") or "/" + ("v1" if scheme or not word else word)
    netloc = (f"[{name}]" if ":" in name else name) + (f":{number}" if number is not None else "")
    url = f"{parts.scheme}://{netloc}{path}"
    odd = parts.query or parts.fragment or not name or number == 0 or not _PRINTABLE.fullmatch(url)
    if parts.scheme not in ("http", "https") or odd or not 0 <= (number or 0) < 65536:
        raise ValueError(wrong)
    if parts.scheme == "http" and not _is_yes(allow_http) and not is_private(name):
        raise ValueError(
            f"the API key would travel unencrypted to {name}: use https, or set the field allow_http to true"
        )
    return url


def is_private(name: str) -> bool:
    """
    Tell whether a host is one of a private network, as far as its name or address says so.

    :param name: A host name or an address, without brackets.
    :return: False for a public host.
    """
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return "." not in name.rstrip(".") or f".{name.rstrip('.').lower()}".endswith(_PRIVATE_NAMES)
    return address.is_private or address.is_loopback or address.is_link_local


def _is_yes(value: Any) -> bool:
    return value is True or str(value).strip().lower() in ("true", "1", "yes")
