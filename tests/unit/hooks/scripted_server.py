"""A server of raw bytes: it says exactly what a test wrote down, however wrong, and keeps what it was sent."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType

from tests.proxies.messages import Request, reply, reset

__all__ = ["KEY", "PATIENCE", "Drip", "Request", "Script", "ScriptedServer", "Step", "reply"]

KEY = "sk-" + "k3y" * 16
#: Seconds until a test that hangs is given up.
PATIENCE = 20.0


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
class ScriptedServer:
    """
    Serve on a free loopback port, one request for each connection.

    :param script: What to do with the first request, the second …; the last step is for all that follow.
    :param tls: Speak TLS.
    """

    script: list[Script] = field(default_factory=lambda: [reply(200, {})])
    requests: list[Request] = field(default_factory=list)
    tls: ssl.SSLContext | None = None

    def __enter__(self) -> ScriptedServer:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._listen, daemon=True)]
        self._threads[0].start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(PATIENCE)

    @property
    def url(self) -> str:
        """Return the base URL of the API."""
        return f"http{'s' if self.tls else ''}://127.0.0.1:{self.port}/v1"

    def posts(self, path: str) -> int:
        """Count the POSTs to a path below the base URL."""
        return sum(request.method == "POST" and request.target == f"/v1{path}" for request in self.requests)

    def _listen(self) -> None:
        while not self._over.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
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
            with self._lock:
                self.requests.append(request)
                step = self.script.pop(0) if len(self.script) > 1 else self.script[0]
            if step == Step.HANG:
                self._over.wait(PATIENCE)
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
                if self._over.wait(drip.pause):
                    return
                connection.sendall(bytes([byte]))
        except OSError:
            pass  # the caller did not wait


def _read(connection: socket.socket) -> Request | None:
    """Return the request, or None if the caller went away first."""
    try:
        stream = connection.makefile("rb")
        first = stream.readline().decode("latin-1").split()
        if len(first) < 2:
            return None
        headers = {}
        while line := stream.readline().decode("latin-1").strip():
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        body = stream.read(int(headers.get("content-length", "0")))
    except OSError:
        return None
    return Request(first[0], first[1], headers, body)
