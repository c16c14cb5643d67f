"""How responses are sent over HTTP, or the connection is reset instead."""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING
from uuid import uuid4

from aiohttp import web

if TYPE_CHECKING:
    from airflow_provider_siliconflow.sandbox.responses import Response

TRACE_HEADER = "x-siliconcloud-trace-id"


def respond(request: web.Request, response: Response, traced: bool = False) -> web.Response:
    """
    Send a response.

    :param request: The HTTP request.
    :param response: What to send.
    :param traced: With a trace id.
    :return: For aiohttp to send.
    """
    headers = dict(response.headers)
    if traced:
        headers[TRACE_HEADER] = f"ti_{uuid4().hex}"
    if response.on_sent is not None and connected(request):
        response.on_sent()
    return web.Response(body=response.body, status=response.status, content_type=response.content_type, headers=headers)


def connected(request: web.Request) -> bool:
    """
    Tell whether a response can still be received.

    :param request: The HTTP request.
    :return: Whether the caller is still connected.
    """
    return request.transport is not None and not request.transport.is_closing()


def reset(request: web.Request) -> web.Response:
    """
    Reset the TCP connection.

    :param request: The HTTP request.
    :return: A response for aiohttp that is never sent.
    """
    if request.transport is not None:
        raw = request.transport.get_extra_info("socket")
        if raw is not None:
            # Closing with a linger of zero seconds sends RST instead of FIN.
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        request.transport.abort()
    return web.Response()
