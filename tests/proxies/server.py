"""The listener: reads a request whole, asks the service, and loses the answer."""

from __future__ import annotations

import http.client
import json
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from tests.proxies.listener import PATIENCE, Listener
from tests.proxies.losses import Exchange, Lose, Loss, lose_nothing
from tests.proxies.messages import Request, read_body, read_head, reply, reset

#: Headers that are for one connection only and are not passed on.
_HOP_BY_HOP = {"connection", "keep-alive", "proxy-connection", "proxy-authorization", "transfer-encoding", "te"}
#: Makes the answer of the service, as bytes of HTTP, from a request.
Answerer = Callable[[Request], bytes]


@dataclass
class LossyProxy(Listener):
    """
    Serve on a loopback port, one request for each connection.

    :param answer: Makes the service's answer; None to ask the service that the request names.
    :param lose: Chooses what is lost.
    :param certificate: Certificate and key with which the service behind a tunnel is played.
    :param tls: Speak TLS from the first byte on: a TLS service without a proxy, or a proxy that is asked over TLS.
    :param port: Port to listen on; 0 for a free one.
    :param journal: File to which each exchange is appended as a line of JSON, before anything is lost.
    """

    answer: Answerer | None = None
    lose: Lose = lose_nothing
    certificate: tuple[Path, Path] | None = None
    tls: bool = False
    port: int = 0
    journal: Path | None = None
    exchanges: list[Exchange] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)

    def __enter__(self) -> LossyProxy:
        self._context: ssl.SSLContext | None = None
        if self.certificate:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.load_cert_chain(*self.certificate)
        super().__enter__()
        return self

    @property
    def url(self) -> str:
        """Return the address, as a proxy's or as a service's."""
        return f"http{'s' if self.tls else ''}://127.0.0.1:{self.port}"

    def posts(self, path: str) -> int:
        """Count the POSTs to a path that were read whole: those that a service would bill."""
        return sum(seen.whole and seen.method == "POST" and seen.path == path for seen in self.exchanges)

    def serve(self, connection: socket.socket) -> None:
        connection.settimeout(PATIENCE)
        try:
            if self.tls:
                connection = self._secured(connection)
            head = read_head(connection.makefile("rb", buffering=0))
            if head is None:
                return
            route = "forward" if head.target.startswith("http") else "direct"
            if head.method == "CONNECT":
                connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                connection = self._secured(connection)
                head, route = read_head(connection.makefile("rb", buffering=0)), "tunnel"
            if head is not None:
                self._exchange(connection, head, route)
        except (OSError, http.client.HTTPException):
            pass  # the caller, or the service, went away
        finally:
            connection.close()

    def _secured(self, connection: socket.socket) -> socket.socket:
        assert self._context, "a tunnel and TLS need a certificate"
        if isinstance(connection, ssl.SSLSocket):
            # TLS inside TLS, which Python wraps no socket for: the outer one ends at a socket pair.
            outer, (near, connection) = connection, socket.socketpair()
            connection.settimeout(PATIENCE)
            threading.Thread(target=_pump, args=(outer, near), daemon=True).start()
        return self._context.wrap_socket(connection, server_side=True)

    def _exchange(self, connection: socket.socket, head: Request, route: str) -> None:
        exchange = Exchange(route, head.method, head.path)
        loss = self.lose(exchange)
        exchange.loss = loss.name
        cut = loss in (Loss.CUT_UPLOAD_FIN, Loss.CUT_UPLOAD_RST)
        length = int(head.headers.get("content-length", "0"))
        body = read_body(connection.makefile("rb", buffering=0), length // 2 if cut else length)
        request = Request(head.method, head.target, head.headers, body)
        exchange.whole = not cut and len(body) == length
        with self.lock:
            self.exchanges.append(exchange)
            self.requests.append(request)
        answer = b""
        if exchange.whole:
            began = time.monotonic()
            answer = self.answer(request) if self.answer else _ask(request, exchange)
            exchange.seconds = time.monotonic() - began
            exchange.status = int(answer[9:12]) if answer[9:12].isdigit() else None
            exchange.answer = answer.partition(b"\r\n\r\n")[2][:200].decode(errors="replace")
        self._note(exchange)
        self._send(connection, loss, answer)

    def _send(self, connection: socket.socket, loss: Loss, answer: bytes) -> None:
        head, _, body = answer.partition(b"\r\n\r\n")
        if loss is Loss.NONE:
            connection.sendall(answer)
        elif loss is Loss.BAD_GATEWAY:
            connection.sendall(reply(502, b"<html><h1>502 Bad Gateway</h1></html>"))
        elif loss is Loss.HALF_HEADER:
            connection.sendall(head[: len(head) // 2])
        elif loss in (Loss.HALF_BODY, Loss.RST_BODY):
            connection.sendall(head + b"\r\n\r\n" + body[: len(body) // 2])
        elif loss is Loss.HANG:
            self.ended.wait(PATIENCE)
        elif loss is Loss.CUT_UPLOAD_FIN:
            connection.shutdown(socket.SHUT_WR)  # for closing with bytes unread sends a RST
        if loss in (Loss.RST, Loss.RST_BODY, Loss.CUT_UPLOAD_RST):
            reset(connection)
        elif loss in (Loss.NONE, Loss.TLS_CLOSE) and isinstance(connection, ssl.SSLSocket):
            connection.unwrap()

    def _note(self, exchange: Exchange) -> None:
        if self.journal:
            with self.lock, self.journal.open("a") as journal:
                journal.write(json.dumps(asdict(exchange)) + "\n")


def _pump(outer: ssl.SSLSocket, near: socket.socket) -> None:
    """Pass bytes on in both directions until either side closes."""
    with outer, near:
        try:
            while True:
                ready = [outer] if outer.pending() else select.select([outer, near], [], [], PATIENCE)[0]
                for source in ready:
                    part = source.recv(1 << 16)
                    if not part:
                        return
                    (near if source is outer else outer).sendall(part)
        except OSError:
            pass


def _ask(request: Request, exchange: Exchange) -> bytes:
    """Return the answer of the service that the request names."""
    address = urlsplit(request.target).netloc if exchange.route == "forward" else request.headers["host"]
    service = http.client.HTTPConnection(address, timeout=PATIENCE)
    try:
        headers = {name: value for name, value in request.headers.items() if name not in _HOP_BY_HOP}
        service.request(request.method, request.path, request.body or None, headers | {"connection": "close"})
        response = service.getresponse()
        body = response.read()
        if exchange.route == "tunnel" and response.headers.get_content_type() == "application/json":
            # The service names itself in its URLs by the scheme that it is asked by.
            body = body.replace(f"http://{address}".encode(), f"https://{address}".encode())
        lines = [pair for pair in response.getheaders() if pair[0].lower() not in {*_HOP_BY_HOP, "content-length"}]
        length = response.headers.get("content-length") if request.method == "HEAD" else None
        lines += [("Content-Length", length or str(len(body))), ("Connection", "close")]
        head = "".join(f"{name}: {value}\r\n" for name, value in lines)
        return f"HTTP/1.1 {response.status} {response.reason}\r\n{head}\r\n".encode("latin-1") + body
    finally:
        service.close()
