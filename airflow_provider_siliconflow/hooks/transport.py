"""What both hooks need of their HTTP libraries: failures told apart, the key kept to itself."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping

import aiohttp
import requests
import urllib3

from airflow_provider_siliconflow.api.responses import Answer
from airflow_provider_siliconflow.exceptions import SiliconFlowConfigError, SiliconFlowConnectionError
from airflow_provider_siliconflow.hooks.settings import Settings


class Bearer(requests.auth.AuthBase):
    """Carry the key as requests' own auth, since a ``~/.netrc`` entry would replace a plain header."""

    def __init__(self, api_key: str) -> None:
        self._api_key = api_key

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Sign the request."""
        request.headers["Authorization"] = f"Bearer {self._api_key}"
        return request


async def ssl_of(settings: Settings) -> ssl.SSLContext | bool:
    """
    Return what aiohttp's ``ssl`` wants for a connection's ``verify``.

    :raises SiliconFlowConfigError: if the CA bundle cannot be read.
    """
    if isinstance(settings.verify, bool):
        return settings.verify
    try:
        return await asyncio.to_thread(ssl.create_default_context, cafile=settings.verify)
    except OSError as error:
        raise SiliconFlowConfigError(f"verify: the CA bundle {settings.verify!r} cannot be read: {error}") from None


def answer(settings: Settings, status: int, headers: Mapping[str, str], body: bytes) -> Answer:
    """Return an answer as the reader wants it, without the key, should the service repeat it."""
    lower = {name.lower(): value for name, value in headers.items()}
    return Answer(status, lower, body.replace(settings.api_key.encode(), b"***"), settings.base_url)


def connection_error(settings: Settings, error: BaseException) -> SiliconFlowConnectionError:
    """Return the error for a call to which no whole answer came."""
    text = str(error).replace(settings.api_key, "***")
    if settings.proxy:
        text = text.replace(settings.proxy, "(proxy)")
    what = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return SiliconFlowConnectionError(what, host=settings.base_url, sent=not _never_sent(error))


_NEVER_SENT = (
    requests.ConnectTimeout,
    requests.exceptions.InvalidURL,
    aiohttp.ClientConnectorError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.ClientHttpProxyError,
)
#: urllib3 raises ProxyError only before the proxy is connected to.
_NEVER_SENT_REASONS = (
    urllib3.exceptions.NewConnectionError,
    urllib3.exceptions.ConnectTimeoutError,
    urllib3.exceptions.ProxyError,
)


def _never_sent(error: BaseException) -> bool:
    """Tell whether a failure is certain to have come before the first byte of the request left."""
    if isinstance(error, _NEVER_SENT):
        return True
    reason = getattr(error.args[0], "reason", None) if error.args else None
    if isinstance(reason, urllib3.exceptions.SSLError):
        return bool(reason.args) and isinstance(reason.args[0], ssl.SSLCertVerificationError)
    return isinstance(reason, _NEVER_SENT_REASONS)
