"""What an Airflow connection of type ``siliconflow`` says, read and checked once for both hooks."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urlsplit

from airflow_provider_siliconflow.exceptions import SiliconFlowConfigError

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Connection

DEFAULT_CONN_NAME = "siliconflow_default"
DEFAULT_BASE_URL = "https://api.siliconflow.cn/v1"

#: What one Wan2.2 clip costs, by site, as third parties reported it in 2026. No answer of the API carries a price;
#: the connection's field ``price`` says it better.
PRICES = {"api.siliconflow.cn": "2.00 CNY", "api.siliconflow.com": "0.29 USD", "api.ap.siliconflow.com": "0.29 USD"}


@dataclass(frozen=True)
class Settings:
    """
    Hold how the API is reached.

    :param base_url: The API's address with its version, without a trailing slash.
    :param api_key: The key; no ``repr`` shows it.
    :param timeout: Seconds for one call.
    :param max_attempts: Times a call is tried while that is free.
    :param max_backoff: Seconds between two tries at most.
    :param proxy: URL of an HTTP proxy, or None for what the environment says.
    :param verify: Whether to check TLS certificates, or the path of a CA bundle.
    :param price: What one video costs, in words, for messages.
    :param requests_per_minute: Looks at waiting videos in a minute at most, in each triggerer.
    :param image_folders: Absolute paths of the folders that a local image must be in; None for any, empty for none.
    """

    base_url: str
    api_key: str = field(repr=False)
    timeout: float = 60.0
    max_attempts: int = 5
    max_backoff: float = 30.0
    proxy: str | None = field(default=None, repr=False)
    verify: bool | str = True
    price: str = "the price of a video"
    requests_per_minute: float = 3000.0
    image_folders: tuple[str, ...] | None = None

    @classmethod
    def from_connection(cls, conn: Connection, extra: Mapping[str, Any]) -> Settings:
        """
        Read a connection.

        :param conn: The connection; password is the API key, host the base URL.
        :param extra: The connection's extra, already parsed.
        :raises SiliconFlowConfigError: with what is wrong, never showing the key.
        """
        name = f"Airflow connection {conn.conn_id!r}"
        key = (conn.password or "").strip()
        if not key:
            raise SiliconFlowConfigError(f"{name} has no API key: put it into the password.")
        if not key.isascii() or not key.isprintable() or " " in key:
            raise SiliconFlowConfigError(f"{name}: the API key has characters that no key has.")
        given = {name: value for name, value in extra.items() if value not in (None, "")}
        try:
            base_url = _base_url(conn)
            return cls(
                base_url=base_url,
                api_key=key,
                timeout=_number(given, "timeout", cls.timeout, above=0),
                max_attempts=int(_number(given, "max_attempts", cls.max_attempts, least=1)),
                max_backoff=_number(given, "max_backoff", cls.max_backoff, least=0),
                proxy=_proxy(given.get("proxy")),
                verify=_verify(given.get("verify", True)),
                price=str(given.get("price") or PRICES.get(urlsplit(base_url).hostname or "", cls.price)),
                requests_per_minute=_number(given, "requests_per_minute", cls.requests_per_minute, least=1),
                image_folders=_folders(given.get("image_folders")),
            )
        except ValueError as error:
            raise SiliconFlowConfigError(f"{name}: {error}") from None


def _base_url(conn: Connection) -> str:
    """Put together the base URL, which a connection URI tears into host, port and schema."""
    url = (conn.host or DEFAULT_BASE_URL).strip()
    if "://" not in url:
        url = f"https://{url}"
    parts = urlsplit(url)
    if not _usable(parts):
        raise ValueError(f"host {conn.host!r} is not a URL like {DEFAULT_BASE_URL}")
    netloc = parts.netloc.rpartition("@")[2]
    if conn.port and not parts.port:
        netloc = f"{netloc}:{conn.port}"
    path = parts.path.rstrip("/") or "/" + (conn.schema or "v1").strip("/")
    return f"{parts.scheme}://{netloc}{path}"


def _usable(parts: SplitResult) -> bool:
    """Tell whether a call can be made to it, which must not be found out in the midst of a call."""
    try:
        host = (parts.hostname or "").encode("idna")
        return parts.scheme in ("http", "https") and host != b"" and not set(b" \t") & set(host) and parts.port != 0
    except ValueError:
        return False


def _number(
    given: Mapping[str, Any], name: str, default: float, *, above: float | None = None, least: float | None = None
) -> float:
    value = given.get(name, default)
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise ValueError(f"{name} {value!r} is not a number") from None
    if not ((above is None or number > above) and (least is None or number >= least) and number < float("inf")):
        raise ValueError(f"{name} {value!r} is out of range")
    return number


def _proxy(value: Any) -> str | None:
    if value is None:
        return None
    parts = urlsplit(str(value).strip())
    if not _usable(parts):
        # Not shown: it may carry a password.
        raise ValueError("proxy is not a URL like http://host:3128")
    return parts.geturl()


def _verify(value: Any) -> bool | str:
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower()
    if word in ("true", "1", "yes"):
        return True
    return False if word in ("false", "0", "no") else str(value)


def _folders(value: Any) -> tuple[str, ...] | None:
    """Read a list of folders, which a form gives as a text with commas. An empty list allows no folder."""
    if value is None:
        return None
    entries = value.split(",") if isinstance(value, str) else value
    if not isinstance(entries, (list, tuple)) or not all(isinstance(entry, str) for entry in entries):
        raise ValueError("image_folders is neither a list of folders nor a text with commas between them")
    folders = tuple(entry.strip() for entry in entries if entry.strip())
    if relative := [folder for folder in folders if not os.path.isabs(folder)]:
        raise ValueError(f"image_folders: {relative[0][:60]!r} is not an absolute path")
    return folders
