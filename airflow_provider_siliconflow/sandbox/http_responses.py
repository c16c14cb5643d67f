"""How answers are sent: as HTTP responses, or as a connection that is reset."""

from __future__ import annotations

import socket
import struct
from uuid import uuid4

from aiohttp import web

from airflow_provider_siliconflow.sandbox.answers import Answer

TRACE_HEADER = "x-siliconcloud-trace-id"


def respond(request: web.Request, answer: Answer, traced: bool = False) -> web.Response:
    """
    Send an answer.

    :param traced: With a trace id.
    """
    headers = dict(answer.headers)
    if traced:
        headers[TRACE_HEADER] = f"ti_{uuid4().hex}"
    if answer.on_sent is not None and connected(request):
        answer.on_sent()
    return web.Response(body=answer.body, status=answer.status, content_type=answer.content_type, headers=headers)


def connected(request: web.Request) -> bool:
    """Return whether the caller is still connected."""
    return request.transport is not None and not request.transport.is_closing()


def reset(request: web.Request) -> web.Response:
    """Reset the TCP connection; the response returned is never sent."""
    if request.transport is not None:
        raw = request.transport.get_extra_info("socket")
        if raw is not None:
            # Closing with a linger of zero seconds sends RST instead of FIN.
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        request.transport.abort()
    return web.Response()
