"""What both hooks share: TLS and proxy of a connection, answers and errors without the key."""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping

import requests

from airflow_provider_siliconflow.client.parsing import Response
from airflow_provider_siliconflow.exceptions import SiliconFlowConfigError, SiliconFlowConnectionError
from airflow_provider_siliconflow.hooks.connection import Settings

#: Keys have 51 characters. A made-up one of a letter or two is part of other words, a paid video's request id among
#: them, and must not be blotted out there.
_SECRET_LENGTH = 16


def ssl_of(settings: Settings) -> ssl.SSLContext | bool:
    """
    Return what aiohttp's ``ssl`` wants for a connection's ``verify``; reads files.

    By default the authorities are those that requests trusts, so that a site which a worker can reach, a triggerer
    can reach as well.

    :raises SiliconFlowConfigError: if the CA bundle cannot be read.
    """
    if settings.verify is False:
        return False
    bundle = settings.verify
    if bundle is True:
        named = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")
        bundle = named or requests.utils.DEFAULT_CA_BUNDLE_PATH
    try:
        if os.path.isdir(bundle):
            return ssl.create_default_context(capath=bundle)
        return ssl.create_default_context(cafile=bundle)
    except OSError as error:
        raise SiliconFlowConfigError(f"verify: the CA bundle {bundle!r} cannot be read: {error}") from None


def proxy_of(settings: Settings) -> str | None:
    """
    Return the HTTP proxy on the way to the API: the connection's, or the environment's as requests reads it.

    aiohttp is not left to read the environment by itself, for it would read ``~/.netrc`` as well, once for each call.
    """
    environment = requests.utils.get_environ_proxies(settings.base_url)
    proxy = settings.proxy or requests.utils.select_proxy(settings.base_url, environment)
    if not proxy:
        return None
    proxy = proxy if "://" in proxy else f"http://{proxy}"
    return proxy if proxy.startswith(("http://", "https://")) else None


def answer(settings: Settings, status: int, headers: Mapping[str, str], body: bytes) -> Response:
    """Return an answer as the reader wants it, without the key, should the service repeat it."""
    if len(settings.api_key) >= _SECRET_LENGTH:
        body = body.replace(settings.api_key.encode(), b"***")
    lower = {name.lower(): _masked(value, settings) for name, value in headers.items()}
    return Response(status, lower, body, settings.base_url)


def connection_error(settings: Settings, error: BaseException, *, sent: bool) -> SiliconFlowConnectionError:
    """
    Return the error for a call to which no whole answer came.

    :param sent: False if the failure is certain to have come before the first byte of the request left.
    """
    text = _masked(str(error), settings)
    if settings.proxy:
        text = text.replace(settings.proxy, "(proxy)")
    what = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return SiliconFlowConnectionError(what, host=settings.base_url, sent=sent)


def _masked(text: str, settings: Settings) -> str:
    return text.replace(settings.api_key, "***") if len(settings.api_key) >= _SECRET_LENGTH else text
