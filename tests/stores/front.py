"""An HTTP proxy before an emulator: it keeps a journal, and refuses or holds what its rules say."""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

#: Headers that are for one hop.
_HOP = {"connection", "keep-alive", "transfer-encoding", "te", "upgrade", "proxy-connection", "expect"}


@dataclass
class Request:
    """A request as it came; a rule may change it before it is forwarded."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, list[str]]:
        return parse_qs(urlsplit(self.target).query, keep_blank_values=True)


@dataclass
class Response:
    """What a rule, or the emulator, answers."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


Rule = Callable[[Request], Response | None]
Change = Callable[[Request, Response], Response]


class Front:
    """
    A server on a port of its own before an emulator; a context manager.

    :param port: The emulator's.
    :param rules: Asked in order; the first answer counts.
    :param lock: Held while the emulator answers, so that its conditions are atomic.
    :param change: Changes what the emulator answers.
    """

    def __init__(self, port: int, *rules: Rule, lock: Any = None, change: Change | None = None) -> None:
        self._upstream = port
        self._change = change or (lambda request, answer: answer)
        self.rules: list[Rule] = list(rules)
        self.journal: list[Request] = []
        self._lock = lock or threading.RLock()
        front = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one_request(self) -> None:
                try:
                    super().handle_one_request()
                except OSError:
                    self.close_connection = True

            def log_message(self, *_: Any) -> None:
                pass

            def do(self) -> None:
                front.handle(self)

            def __getattr__(self, name: str) -> Any:
                if name.startswith("do_"):
                    return self.do
                raise AttributeError(name)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_port

    def __enter__(self) -> Front:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def handle(self, handler: BaseHTTPRequestHandler) -> None:
        headers = {name.lower(): value for name, value in handler.headers.items()}
        if headers.get("expect", "").lower() == "100-continue":
            handler.send_response_only(100)
            handler.end_headers()
        request = Request(handler.command, handler.path, headers, _body(handler, headers))
        self.journal.append(request)
        answer = next((made for rule in self.rules if (made := rule(request))), None) or self.forward(request)
        handler.send_response_only(answer.status)
        sent = {name.lower() for name in answer.headers}
        for name, value in answer.headers.items():
            if name.lower() not in _HOP:
                handler.send_header(name, value)
        if "content-length" not in sent:
            handler.send_header("Content-Length", str(len(answer.body)))
        handler.end_headers()
        if request.method != "HEAD":
            handler.wfile.write(answer.body)

    def forward(self, request: Request) -> Response:
        """Let the emulator answer."""
        headers = {name: value for name, value in request.headers.items() if name not in _HOP}
        headers |= {"content-length": str(len(request.body)), "connection": "close"}
        with self._lock:
            upstream = http.client.HTTPConnection("127.0.0.1", self._upstream, timeout=60)
            try:
                upstream.putrequest(request.method, request.target, skip_host=True, skip_accept_encoding=True)
                for name, value in headers.items():
                    upstream.putheader(name, value)
                upstream.endheaders()
                # Beside the answer, for an emulator that refuses reads no body and waits.
                threading.Thread(target=_send, args=(upstream.sock, request.body), daemon=True).start()
                response = upstream.getresponse()
                answer = Response(response.status, response.read(), dict(response.getheaders()))
                return self._change(request, answer)
            finally:
                upstream.close()


def _send(upstream: socket.socket, body: bytes) -> None:
    with suppress(OSError):
        upstream.sendall(body)


def _body(handler: BaseHTTPRequestHandler, headers: dict[str, str]) -> bytes:
    if headers.get("transfer-encoding", "").lower() == "chunked":
        parts = []
        while size := int(handler.rfile.readline().split(b";")[0], 16):
            parts.append(handler.rfile.read(size))
            handler.rfile.readline()
        handler.rfile.readline()
        return b"".join(parts)
    return handler.rfile.read(int(headers.get("content-length", 0)))
