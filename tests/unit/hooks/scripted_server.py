"""A server of raw bytes: it says exactly what a test wrote down, however wrong, and keeps what it was sent."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace

from tests.proxies.listener import PATIENCE, Listener
from tests.proxies.messages import Request, read_body, read_head, reply, reset

__all__ = ["KEY", "PATIENCE", "Drip", "Request", "Script", "ScriptedServer", "Step", "reply"]

KEY = "sk-" + "k3y" * 16


class Step:
    """Name what the server does instead of answering."""

    RESET = "reset after the request was read"
    RESET_UNREAD = "reset while the request comes in"
    CLOSE = "close without a word"
    HANG = "never answer"


@dataclass(frozen=True)
class Drip:
    """
    Send an answer slowly: its beginning at once, then a byte after each pause, so that no single read takes long.

    :param answer: The answer.
    :param at_once: Bytes of it that are sent at once.
    :param pause: Seconds between two bytes.
    """

    answer: bytes
    at_once: int = 0
    pause: float = 0.1


#: A reply, a step, or what makes a reply from the request.
Script = bytes | str | Drip | Callable[[Request], bytes]


@dataclass
class ScriptedServer(Listener):
    """
    Serve on a free loopback port, one request for each connection.

    :param script: What to do with the first request, the second …; the last step is for all that follow.
    :param tls: Speak TLS.
    """

    script: list[Script] = field(default_factory=lambda: [reply(200, {})])
    requests: list[Request] = field(default_factory=list)
    tls: ssl.SSLContext | None = None

    @property
    def url(self) -> str:
        """Return the base URL of the API."""
        return f"http{'s' if self.tls else ''}://127.0.0.1:{self.port}/v1"

    def posts(self, path: str) -> int:
        """Count the POSTs to a path below the base URL."""
        return sum(request.method == "POST" and request.target == f"/v1{path}" for request in self.requests)

    def serve(self, connection: socket.socket) -> None:
        with connection:
            connection.settimeout(PATIENCE)
            if self.tls:
                try:
                    connection = self.tls.wrap_socket(connection, server_side=True)
                except OSError:
                    return
            if self.script[0] == Step.RESET_UNREAD:
                connection.recv(1, socket.MSG_PEEK)
                self.requests.append(Request("?", "?", {}, b""))
                reset(connection)
                return
            request = _read(connection)
            if request is None:
                return
            with self.lock:
                self.requests.append(request)
                step = self.script.pop(0) if len(self.script) > 1 else self.script[0]
            if step == Step.HANG:
                self.ended.wait(PATIENCE)
            elif step == Step.RESET:
                reset(connection)
            elif isinstance(step, Drip):
                self._drip(connection, step)
            elif not isinstance(step, str):
                with suppress(OSError):  # the caller may have had enough
                    connection.sendall(step if isinstance(step, bytes) else step(request))

    def _drip(self, connection: socket.socket, drip: Drip) -> None:
        try:
            connection.sendall(drip.answer[: drip.at_once])
            for byte in drip.answer[drip.at_once :]:
                if self.ended.wait(drip.pause):
                    return
                connection.sendall(bytes([byte]))
        except OSError:
            pass  # the caller did not wait


def _read(connection: socket.socket) -> Request | None:
    """Return the request, or None if the caller went away first."""
    try:
        stream = connection.makefile("rb", buffering=0)
        head = read_head(stream)
        return head and replace(head, body=read_body(stream, int(head.headers.get("content-length", "0"))))
    except (OSError, ValueError):
        return None
