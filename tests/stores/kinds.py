"""The kinds of stores that users have: a connection for each, and what is in it, read past our own code."""

from __future__ import annotations

import itertools
import json
import os
import socket
from abc import ABC, abstractmethod
from contextlib import ExitStack
from typing import Any, Literal

from tests.stores.front import Front, Request, Response, Rule

Variant = Literal[
    "right", "missing_bucket", "no_list", "write_only", "no_write", "wrong_credentials", "refused", "silent"
]
BUCKET = "videos"
_numbers = itertools.count()


class Kind(ABC):
    """One kind of store. ``uri`` gives a folder of its own in it, by a connection of its own."""

    #: As the table names it.
    name: str
    scheme: str
    #: Bytes of a video, in thirds, that its client sends in several calls.
    third = 4 << 20

    def __init__(self) -> None:
        self.stack = ExitStack()

    def close(self) -> None:
        self.stack.close()

    def uri(self, variant: Variant = "right", *rules: Rule) -> str:
        """Make a connection and return the URI of a new folder, without a slash at its end."""
        number = next(_numbers)
        conn_id = f"kind{number}"
        os.environ[f"AIRFLOW_CONN_{conn_id.upper()}"] = json.dumps(self.connection(variant, *rules))
        bucket = "nosuchbucket" if variant == "missing_bucket" else BUCKET
        return self.join(conn_id, bucket, f"folder{number}")

    def join(self, conn_id: str, bucket: str, folder: str) -> str:
        return f"{self.scheme}://{conn_id}@{bucket}/{folder}"

    def key(self, uri: str) -> str:
        """Return the key that a URI means."""
        return uri.partition("@")[2].partition("/")[2]

    @abstractmethod
    def connection(self, variant: Variant, *rules: Rule) -> dict[str, Any]:
        """Return a connection as its JSON has it."""

    @abstractmethod
    def names(self, folder: str) -> list[str]:
        """Return the names in a folder, hidden ones as well."""

    def unfinished(self, folder: str) -> list[str]:
        """Return uploads that the store keeps and charges for, and that nobody will finish."""
        return []

    @abstractmethod
    def read(self, uri: str) -> tuple[bytes, str]:
        """Return an object's bytes and content type."""


class HttpKind(Kind):
    """A store that is reached by HTTP, with a front before its emulator."""

    lock: Any = None

    @abstractmethod
    def emulator(self) -> int:
        """Return the emulator's port."""

    @abstractmethod
    def rules(self, variant: Variant) -> list[Rule]:
        """Return what the store refuses in this variant."""

    def change(self, request: Request, answer: Response) -> Response:
        """Change what the emulator answers into what the store would."""
        return answer

    def port(self, variant: Variant, *rules: Rule) -> int:
        if variant == "refused":
            return closed_port()
        if variant == "silent":
            return int(self.stack.enter_context(_Silence()).port)
        front = Front(self.emulator(), *rules, *self.rules(variant), lock=self.lock, change=self.change)
        return int(self.stack.enter_context(front).port)


class _Silence:
    """A port that takes connections and never answers."""

    def __enter__(self) -> _Silence:
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=100)
        self.port = self._socket.getsockname()[1]
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()


def closed_port() -> int:
    """Return a port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def resolve_localhost() -> None:
    """Let ``bucket.host.localhost`` be this machine, as RFC 6761 has it and not every resolver."""
    original = socket.getaddrinfo

    def getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        return original("127.0.0.1" if name and name.endswith(".localhost") else host, *args, **kwargs)

    socket.getaddrinfo = getaddrinfo
