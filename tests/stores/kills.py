"""Kill a publisher at a chosen call to its store, and tell what is there."""

from __future__ import annotations

import json
import os
import signal
import threading
from dataclasses import dataclass, field
from typing import Any

from tests.stores.front import Request, Response
from tests.stores.kinds import Kind
from tests.stores.victim import PATIENCE, start


@dataclass
class Gate:
    """
    Kills a publisher at the n-th call that changes something; the store hears no more of it.

    :param point: Which call, from 1; a rule of :class:`tests.stores.front.Front`.
    """

    point: int
    calls: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    known: threading.Event = field(default_factory=threading.Event)
    pid: int = 0
    is_closed: bool = False

    def __call__(self, request: Request) -> Response | None:
        is_write = request.method not in ("GET", "HEAD")
        return Response(400) if self.hold(f"{request.method} {request.path}" if is_write else "") else None

    def hold(self, call: str) -> bool:
        """Note a call that changes something; return whether it is not to be done."""
        with self.lock:
            if call and not self.is_closed:
                self.calls.append(call)
                if len(self.calls) == self.point:
                    self.is_closed = True
                    self.known.wait(PATIENCE)
                    os.kill(self.pid, signal.SIGKILL)
            return self.is_closed

    def publish(self, *args: Any) -> None:
        """Publish in a process of its own until it ends or is killed; what ends otherwise is an error."""
        process = start(*args)
        self.pid = process.pid or 0
        self.known.set()
        process.join(PATIENCE)
        wanted = -signal.SIGKILL if self.is_closed else 0
        assert process.exitcode == wanted, f"the publisher ended with {process.exitcode}, not {wanted}"


class LocalGate(Gate):
    """The same for a local folder: the publisher kills itself right before the n-th call, which Python tells it of."""

    def publish(self, *args: Any) -> None:
        process = start(*args, kill_at=self.point)
        process.join(PATIENCE)
        self.is_closed = process.exitcode == -signal.SIGKILL
        assert self.is_closed or process.exitcode == 0, f"the publisher ended with {process.exitcode}"


def pair(kind: Kind, folder: str) -> tuple[str | None, str | None]:
    """Return whose video and whose manifest are there."""
    names = kind.names(folder)
    video = kind.read(f"{folder}/clip.mp4")[0] if "clip.mp4" in names else None
    manifest = json.loads(kind.read(f"{folder}/clip.mp4.json")[0]) if "clip.mp4.json" in names else {}
    whole: dict[bytes | None, str | None] = {name.encode() * kind.third: name for name in ("old", "new")}
    return (whole | {None: None}).get(video, "half a video"), manifest.get("request_id")


def leftovers(kind: Kind, folder: str) -> list[str]:
    return [name for name in kind.names(folder) if not name.startswith("clip.mp4")] + kind.unfinished(folder)
