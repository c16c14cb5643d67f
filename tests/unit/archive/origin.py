"""A storage on a raw socket: it sees requests byte for byte and answers as unkindly as it is told."""

from __future__ import annotations

import asyncio
import hashlib
import socket
import ssl
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Literal

from tests.unit.archive.boxes import mp4

#: A whole video, as to its boxes, whose every part differs.
BODY = mp4(b"".join(hashlib.sha256(bytes([n % 256, n // 256])).digest() for n in range(8000)))
SHA256 = hashlib.sha256(BODY).hexdigest()
ETAG = '"v1"'
SECRET = "s3cr3t%2Bsignature"


@dataclass(frozen=True)
class Request:
    method: str
    target: str
    headers: dict[str, str]


@dataclass(frozen=True)
class Reply:
    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    #: Bytes of the body that are sent before the end comes.
    send: int | None = None
    end: Literal["close", "reset", "stall"] = "close"
    length: bool = True


Handler = Callable[[Request], Reply]


def whole(body: bytes = BODY, /, **headers: str) -> Reply:
    return Reply(200, body, {"Content-Type": "video/mp4", "ETag": ETAG} | _named(headers))


def part(start: int, body: bytes = BODY, **headers: str) -> Reply:
    shown = {"ETag": ETAG, "Content-Range": f"bytes {start}-{len(body) - 1}/{len(body)}"}
    return Reply(206, body[start:], shown | _named(headers))


def cut(at: int, end: Literal["close", "reset", "stall"] = "close", **headers: str) -> Reply:
    return replace(whole(BODY, **headers), send=at, end=end)


def rejection(status: int = 403, message: str = "Request has expired.") -> Reply:
    body = f"<?xml version='1.0'?><Error><Code>AccessDenied</Code><Message>{message}</Message></Error>"
    return Reply(status, body.encode(), {"Content-Type": "application/xml"})


def honest(request: Request) -> Reply:
    """Answer as a good storage does, ``Range`` and ``If-Range`` included."""
    wanted = request.headers.get("range")
    if wanted and request.headers.get("if-range", ETAG) == ETAG:
        return part(int(wanted.removeprefix("bytes=").rstrip("-")))
    return whole()


class Origin:
    """
    Serve scripted replies, then honest ones.

    :param replies: What to answer first, in order.
    """

    def __init__(self, replies: Iterable[Reply] = (), tls: ssl.SSLContext | None = None) -> None:
        self.script = list(replies)
        self.otherwise: Handler = honest
        self.requests: list[Request] = []
        #: Sent before each answer.
        self.interim = b""
        #: Seconds between two bytes of a body; 0 to send it in one go.
        self.trickle = 0.0
        self._tls = tls

    async def __aenter__(self) -> Origin:
        self._over = asyncio.Event()
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._server.close()

    @property
    def base_url(self) -> str:
        """Return what an API on this host would have as base URL."""
        return f"http{'s' if self._tls else ''}://127.0.0.1:{self.port}/v1"

    def url(self, path: str = "/v%2Fclip.mp4", *, expires: int = 4_000_000_000) -> str:
        scheme = "https" if self._tls else "http"
        return f"{scheme}://127.0.0.1:{self.port}{path}?Expires={expires}&Signature={SECRET}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            method, target, _ = head[0].split(" ")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
            request = Request(method, target, headers)
            self.requests.append(request)
            await self._reply(self.script.pop(0) if self.script else self.otherwise(request), writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _reply(self, reply: Reply, writer: asyncio.StreamWriter) -> None:
        headers = {"Connection": "close"} | reply.headers
        if reply.length:
            headers["Content-Length"] = str(len(reply.body))
        lines = [f"HTTP/1.1 {reply.status} X", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
        body = reply.body[: reply.send]
        sent = int(bool(self.trickle))
        writer.write(self.interim + "\r\n".join(lines).encode("latin-1") + body[: sent or None])
        await writer.drain()
        while self.trickle and sent < len(body):
            await asyncio.sleep(self.trickle)
            writer.write(body[sent : sent + 1])
            sent += 1
            await writer.drain()
        if reply.end == "stall":
            await self._over.wait()
        if reply.end == "reset":
            raw = writer.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()


def chunked(body: bytes, *, complete: bool = True) -> Reply:
    coded = b"%x\r\n%s\r\n" % (len(body), body) + (b"0\r\n\r\n" if complete else b"")
    return Reply(200, coded, {"Transfer-Encoding": "chunked", "Content-Type": "video/mp4"}, length=False)


def _named(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}
