"""
One HTTP request over a connection of its own, within one deadline: what a submit needs and requests does not give.

requests bounds each read and not the call, and its errors do not tell whether the request was sent: urllib3's
``ProxyError`` means "the proxy could not be connected to" as well as "the response was lost". Here the two are apart by
construction. :func:`_connect` resolves the name, connects, asks a proxy for a tunnel and shakes hands in TLS. It does
not have the request, so whatever it raises proves that no byte of it left: no list of errors has to be trusted.
:func:`_converse` sends the request, and no failure from there on proves anything.
"""

from __future__ import annotations

import base64
import http.client
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, unquote, urlsplit

from airflow_provider_siliconflow.client.response import MAX_BODY
from airflow_provider_siliconflow.hooks.base_url import USUAL_PORTS
from airflow_provider_siliconflow.hooks.channel import Channel, Deadline, dial

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping

#: Bytes read from one connection at most: the body, the headers and what comes before them.
_MAX_READ = MAX_BODY + (256 << 10)


class NotSentError(Exception):
    """Raised when a request cannot be sent: no byte of it left. The cause is the original error."""


@dataclass(frozen=True)
class Request:
    """
    An HTTP request.

    :param method: The HTTP method.
    :param url: The absolute URL, in ASCII.
    :param headers: Headers besides ``Host``, ``Content-Length`` and ``Accept-Encoding: identity``.
    :param body: The body; None for none.
    """

    method: str
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    body: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Reply:
    """
    An HTTP response, maybe not whole.

    :param status: The HTTP status.
    :param headers: Header names in lower case.
    :param body: The body, or what came of it.
    :param cut: Why the body is not whole; empty if it is.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    cut: str = ""


def exchange(request: Request, *, proxy: str | None, context: ssl.SSLContext, timeout: float) -> Reply:
    """
    Send a request and return its response, over a connection that is used for nothing else.

    On a kept-alive connection that the server has just closed, "never arrived" and "response lost" are not told apart.

    :param request: What to send.
    :param proxy: URL of an HTTP proxy; None for none.
    :param context: How to check certificates.
    :param timeout: Seconds for all of it: name, connection, TLS, request and response.
    :return: The response. A body that is not whole is described in :attr:`Reply.cut`, not raised.
    :raises NotSentError: if the failure came before the first byte of the request left.
    :raises OSError: if no response came, or not its whole head; the request may have been sent.
    :raises http.client.HTTPException: likewise, for what is not HTTP.
    :raises ValueError: likewise.
    """
    deadline = Deadline(timeout)
    with ExitStack() as stack:
        try:
            url = urlsplit(request.url)
            channel = _connect(url, urlsplit(proxy) if proxy else None, context, deadline, stack)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise NotSentError(error) from error
        headers = {"Host": url.netloc, "Connection": "close", **request.headers}
        target = url.path + (f"?{url.query}" if url.query else "")
        if proxy and url.scheme == "http":
            target = request.url
            headers |= _proxy_authorization(urlsplit(proxy))
        return _converse(channel, request, target, headers)


def _connect(
    url: SplitResult, proxy: SplitResult | None, context: ssl.SSLContext, deadline: Deadline, stack: ExitStack
) -> Channel:
    """Connect to the service, up to where the request is the next thing to be sent."""
    first = proxy or url
    channel = Channel(dial(*_address(first), deadline), deadline, _MAX_READ)
    stack.callback(channel.shut)
    if first.scheme == "https":
        channel = channel.secured(context, _address(first)[0])
    if proxy and url.scheme == "https":
        _open_tunnel(channel, url, proxy)
        channel = channel.secured(context, _address(url)[0])
    return channel


def _open_tunnel(channel: Channel, url: SplitResult, proxy: SplitResult) -> None:
    host, port = _address(url)
    target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    headers = {"Host": target, **_proxy_authorization(proxy)}
    _send(channel, "CONNECT", target, headers, None)
    response = _read_head(channel, "CONNECT")
    if not 200 <= response.status < 300:
        raise OSError(f"the proxy opened no tunnel: HTTP {response.status} {response.reason}")


def _converse(channel: Channel, request: Request, target: str, headers: Mapping[str, str]) -> Reply:
    """Send the request and read the response."""
    failure: OSError | None = None
    try:
        _send(channel, request.method, target, headers, request.body)
    except TimeoutError:
        raise
    except OSError as error:
        # A server that rejects a large body (413) responds and closes while it comes in: the response may be there.
        failure = error
    try:
        response = _read_head(channel, request.method)
    except (OSError, http.client.HTTPException):
        if failure:
            raise failure from None
        raise
    body, cut = _read_body(response)
    return Reply(response.status, {name.lower(): value for name, value in response.getheaders()}, body, cut)


def _send(channel: Channel, method: str, target: str, headers: Mapping[str, str], body: bytes | None) -> None:
    writer = http.client.HTTPConnection("host")  # which a header names; nothing is resolved
    writer.sock = channel
    writer.request(method, target, body, dict(headers))


def _read_head(channel: Channel, method: str) -> http.client.HTTPResponse:
    """Return the response with its status and headers, after any interim ones (100 Continue, 103 Early Hints)."""
    response = http.client.HTTPResponse(channel, method=method)  # type: ignore[arg-type]
    while True:
        response.begin()
        if channel.ended:
            # http.client takes the end of the connection for the end of the headers. After whole ones it is still
            # unread: the empty line that ends them is the last thing read.
            raise http.client.RemoteDisconnected("the connection was closed within the headers")
        if not 100 <= response.status < 200 or response.status == http.client.SWITCHING_PROTOCOLS:
            return response
        response.headers = response.msg = None  # type: ignore[assignment]  # so that `begin` reads the next head


def _read_body(response: http.client.HTTPResponse) -> tuple[bytes, str]:
    """Return the body, or what came of it and why it is not whole."""
    body = bytearray()
    try:
        while part := response.read1(1 << 16):
            body += part
            if len(body) > MAX_BODY:
                return bytes(body[:MAX_BODY]), f"the body has more than {MAX_BODY} bytes"
    except (OSError, http.client.HTTPException, ValueError) as error:
        return bytes(body), f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    # What Content-Length promised beyond the end; None without it.
    return bytes(body), f"the body is {response.length} bytes short" if response.length else ""


def _address(url: SplitResult) -> tuple[str, int]:
    host = url.hostname or ""
    return host, url.port or USUAL_PORTS[url.scheme]


def _proxy_authorization(proxy: SplitResult) -> dict[str, str]:
    if proxy.username is None:
        return {}
    credentials = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return {"Proxy-Authorization": "Basic " + base64.b64encode(credentials.encode()).decode()}
