"""A requests session for users' own calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter

from airflow_provider_siliconflow.hooks.http import ca_bundle, proxy_for

if TYPE_CHECKING:
    from airflow_provider_siliconflow.hooks.connection import Settings


class _ApiKey(requests.auth.AuthBase):
    """
    The API key, for requests to the API's host alone.

    :param settings: The connection's settings.
    """

    def __init__(self, settings: Settings) -> None:
        self._origin = _origin(settings.base_url)
        self._api_key = settings.api_key

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if _origin(request.url or "") == self._origin:
            request.headers["Authorization"] = f"Bearer {self._api_key}"
        return request


class _Timeout(HTTPAdapter):
    """
    An adapter whose calls have a time limit unless they bring their own.

    :param seconds: The limit for each read.
    """

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        if kwargs.get("timeout") is None:
            kwargs["timeout"] = self._seconds
        return super().send(request, *args, **kwargs)


def new_session(settings: Settings) -> requests.Session:
    """
    Return a session with the connection's key, proxy, certificates and time limit.

    :param settings: The connection's settings.
    :return: The session.
    """
    session = requests.Session()
    # Else a ~/.netrc would replace the key, and the environment the proxy.
    session.trust_env = False
    session.auth = _ApiKey(settings)
    session.verify = settings.verify if settings.verify is False else ca_bundle(settings.verify)
    if proxy := proxy_for(settings.base_url, settings):
        session.proxies = {"http": proxy, "https": proxy}
    for scheme in ("http://", "https://"):
        session.mount(scheme, _Timeout(settings.timeout))
    return session


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc.lower()
