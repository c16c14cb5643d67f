"""The least HTTP server that keeps everybody waiting, so that the client is what is measured."""

from __future__ import annotations

import asyncio
import json

_STATUS = json.dumps({"status": "InProgress", "reason": "", "results": {"videos": [], "timings": {"inference": 0}}})
_BATCH = json.dumps(
    {
        "id": "b", "type": "message_batch", "processing_status": "in_progress", "archived_at": None,
        "cancel_initiated_at": None, "created_at": "2026-01-01T00:00:00Z", "ended_at": None,
        "expires_at": "2036-01-01T00:00:00Z", "results_url": None,
        "request_counts": {"processing": 1, "succeeded": 0, "errored": 0, "canceled": 0, "expired": 0},
    }
)  # fmt: skip


def _answer(status: str, body: str) -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()


_ANSWERS = {
    b"/v1/video/status": _answer("200 OK", _STATUS),
    b"/v1/messages/batches": _answer("200 OK", _BATCH),
    b"/wait": _answer("404 Not Found", "{}"),
}


class _Connection(asyncio.Protocol):
    calls = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._read = b""

    def data_received(self, data: bytes) -> None:
        self._read += data
        while (end := self._read.find(b"\r\n\r\n")) >= 0:
            head = self._read[:end].lower()
            at = head.find(b"content-length:")
            length = int(head[at + 15 :].split(b"\r\n")[0]) if at >= 0 else 0
            if len(self._read) < end + 4 + length:
                return
            path = self._read.split(b" ", 2)[1]
            self._read = self._read[end + 4 + length :]
            self._transport.write(self._to(path))

    @staticmethod
    def _to(path: bytes) -> bytes:
        if path == b"/count":
            return _answer("200 OK", str(_Connection.calls))
        _Connection.calls += 1
        return next((answer for known, answer in _ANSWERS.items() if path.startswith(known)), _answer("400 No", "{}"))


async def _serve() -> None:
    server = await asyncio.get_running_loop().create_server(_Connection, "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve())
