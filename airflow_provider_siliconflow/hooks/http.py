"""What both hooks and the downloads share: TLS, the one proxy resolver, responses, and errors without secrets."""

from __future__ import annotations

import logging
import os
import ssl
import threading
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

import requests

from airflow_provider_siliconflow import __version__
from airflow_provider_siliconflow.client.masking import describe_error
from airflow_provider_siliconflow.client.response import Response
from airflow_provider_siliconflow.exceptions import SiliconFlowConfigError, SiliconFlowConnectionError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_siliconflow.hooks.connection import Settings

log = logging.getLogger(__name__)

#: Some gateways reject calls without it.
USER_AGENT = f"airflow-provider-siliconflow/{__version__}"
#: Stands for the storage of the videos, whose hosts are not known before a video is ready.
_ANY_STORAGE = "https://storage.invalid/"

#: By path of the CA bundle, None for no checks: what the file was like, and the context made from it.
_contexts: dict[str | None, tuple[object, ssl.SSLContext]] = {}
_contexts_lock = threading.Lock()

#: What was logged already, in this process. Bounded, for a word in it comes from the service.
_logged_oddities: set[str] = set()
_MAX_ODDITIES = 256


def tls_context(verify: bool | str) -> ssl.SSLContext:
    """
    Return the TLS context for a connection's ``verify``, shared by all that have the same; reads files.

    A context with all authorities costs 0.9 MB and 30 ms. By default the authorities are those that requests trusts, so
    that a site which a worker can reach, a triggerer can reach as well.

    :param verify: True for the default authorities, False to trust any server, or the path of a CA bundle.
    :return: The context; made anew once the bundle has changed.
    :raises SiliconFlowConfigError: if the CA bundle cannot be read.
    """
    bundle = None if verify is False else ca_bundle(verify)
    try:
        state = os.stat(bundle) if bundle else None
        version = (state.st_mtime_ns, state.st_size, state.st_ino) if state else None
        with _contexts_lock:
            known = _contexts.get(bundle)
            if not known or known[0] != version:
                known = _contexts[bundle] = (version, _new_context(bundle))
            return known[1]
    except (OSError, ValueError) as error:
        raise SiliconFlowConfigError(f"verify: the CA bundle {bundle!r} cannot be read: {error}") from None


def ca_bundle(verify: bool | str) -> str:
    """
    Return the path of the authorities to trust.

    :param verify: True for the default authorities, or a path.
    :return: A file, or a folder of certificates.
    """
    if isinstance(verify, str):
        return verify
    named = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")
    return named or requests.utils.DEFAULT_CA_BUNDLE_PATH


def _new_context(bundle: str | None) -> ssl.SSLContext:
    if bundle is None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    where = "capath" if os.path.isdir(bundle) else "cafile"
    return ssl.create_default_context(**{where: bundle})  # type: ignore[arg-type]


class HasProxy(Protocol):
    """The settings of a connection, or the options of a download."""

    @property
    def proxy(self) -> str | None:
        """Return the URL of the proxy to take for everything, or None for what the environment says."""
        ...


def proxy_for(url: str, settings: HasProxy) -> str | None:
    """
    Return the HTTP proxy for a URL: the connection's, or the environment's as requests reads it.

    The one resolver for API and downloads. aiohttp and requests are not left to read the environment by themselves:
    they read it differently, and ``~/.netrc`` as well. Nothing here blocks: no file is read and no name resolved.

    :param url: Where to.
    :param settings: The connection's settings, or whatever else has its ``proxy``.
    :return: The proxy's URL with its scheme, http or https; None for none.
    :raises SiliconFlowConfigError: if there is one that cannot be used, such as a SOCKS proxy.
    """
    if settings.proxy:
        return settings.proxy
    environment = requests.utils.get_environ_proxies(url)
    proxy = requests.utils.select_proxy(url, environment)
    if not proxy:
        return None
    proxy = proxy if "://" in proxy else f"http://{proxy}"
    try:
        parts = urlsplit(proxy)
        usable = parts.scheme.lower() in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        # Not shown: it may carry a password.
        scheme = proxy.partition("://")[0]
        raise SiliconFlowConfigError(
            f"The environment's proxy for {urlsplit(url).scheme} is a URL with {scheme!r}, and only http and https"
            " proxies can be used, for the API and the downloads alike: set the connection's field proxy, or"
            " http_proxy and https_proxy (no_proxy=* for no proxy at all)."
        )
    return proxy


def check_proxies(settings: Settings) -> None:
    """
    Check before anything is paid for that the proxies for API and storage can be used.

    :param settings: The connection's settings.
    :raises SiliconFlowConfigError: if a proxy in the environment cannot be used.
    """
    for url in (settings.base_url, _ANY_STORAGE):
        proxy_for(url, settings)


def response(settings: Settings, status: int, headers: Mapping[str, str], body: bytes, cut: str = "") -> Response:
    """
    Return a response as the parsers want it.

    :param settings: The connection's settings; their secrets are masked wherever the response is shown.
    :param status: The HTTP status.
    :param headers: Headers, of any casing.
    :param body: The body, or what came of it.
    :param cut: Why it is not whole; empty if it is.
    :return: The response.
    """
    lower = {name.lower(): value for name, value in headers.items()}
    return Response(status, lower, body, settings.base_url, settings.secrets, cut)


def connection_error(settings: Settings, error: BaseException, *, sent: bool) -> SiliconFlowConnectionError:
    """
    Return the error for a call to which no response came.

    :param settings: The connection's settings, whose secrets are masked.
    :param error: What happened.
    :param sent: False if the failure is certain to have come before the first byte of the request left.
    :return: The error.
    """
    return SiliconFlowConnectionError(describe_error(error, settings.secrets), host=settings.base_url, sent=sent)


def log_oddity(result: object) -> None:
    """
    Log once what a response had that the service's documentation does not have.

    :param result: What the response was read as.
    """
    oddity = getattr(result, "oddity", "")
    if oddity and oddity not in _logged_oddities:
        if len(_logged_oddities) >= _MAX_ODDITIES:
            _logged_oddities.clear()
        _logged_oddities.add(oddity)
        log.warning("Undocumented response for video %s: %s.", getattr(result, "request_id", ""), oddity)
