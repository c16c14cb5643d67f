"""A listener on a loopback port, with a thread for each connection."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import TracebackType

#: Seconds until a connection that hangs is given up.
PATIENCE = 20.0


class Listener:
    """
    A server of raw connections; subclasses say what each one gets.

    :param port: Port to listen on; 0 for a free one.
    """

    port: int = 0

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self.port = self._listener.getsockname()[1]
        self.lock = threading.Lock()
        #: Set when the server ends.
        self.ended = threading.Event()
        self._threads = [threading.Thread(target=self._listen, daemon=True)]
        self._threads[0].start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.ended.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(PATIENCE)

    def serve(self, connection: socket.socket) -> None:
        """Serve a connection, and close it; nothing is raised because the caller went away."""
        raise NotImplementedError

    def _listen(self) -> None:
        while not self.ended.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self.serve, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()
