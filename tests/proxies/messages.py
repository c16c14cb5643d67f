"""HTTP messages as bytes: read from a socket, put together for one."""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from socket import SocketIO
from typing import Any
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Request:
    """Hold a request as it arrived; header names in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def path(self) -> str:
        """Return the target without scheme and host, which a forward proxy gets to see."""
        if not self.target.startswith("http"):
            return self.target
        parts = urlsplit(self.target)
        return parts.path + (f"?{parts.query}" if parts.query else "")


def reply(status: int, body: object = b"", headers: Mapping[str, str] | None = None) -> bytes:
    """Put a whole HTTP answer together; anything but bytes is sent as JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
    lines = {"Content-Length": str(len(content)), "Connection": "close", **(headers or {})}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"HTTP/1.1 {status} Some Words\r\n{head}\r\n".encode("latin-1") + content


def reset(connection: socket.socket) -> None:
    """Make closing the connection send a RST."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def read_head(stream: SocketIO) -> Request | None:
    """Return the request without its body, or None if the caller went away first. Byte by byte: none too many."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = stream.read(1)
        if not byte:
            return None
        head += byte
    first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    method, target, _ = first.split(" ", 2)
    pairs = (line.partition(":") for line in lines)
    return Request(method, target, {name.lower(): value.strip() for name, _, value in pairs}, b"")


def read_body(stream: SocketIO, length: int) -> bytes:
    body = bytearray()
    while len(body) < length:
        part = stream.read(min(length - len(body), 1 << 16))
        if not part:
            break
        body += part
    return bytes(body)
