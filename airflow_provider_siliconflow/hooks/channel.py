"""A connected socket under one deadline for everything, and a limit of bytes read."""

from __future__ import annotations

import io
import ipaddress
import queue
import socket
import ssl
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from urllib3.util.ssltransport import SSLTransport

if TYPE_CHECKING:
    from collections.abc import Iterator


class Deadline:
    """
    A moment on the monotonic clock until which a call must be over.

    :param seconds: Seconds from now.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._at = time.monotonic() + seconds

    def left(self) -> float:
        """
        Return the seconds left.

        :return: More than 0.
        :raises TimeoutError: if there are none.
        """
        left = self._at - time.monotonic()
        if left <= 0:
            raise self.error()
        return left

    def error(self) -> TimeoutError:
        """
        Return the error of a call that was not over in time.

        :return: With the seconds that it had.
        """
        return TimeoutError(f"no whole response within {self._seconds:g} s")


class Channel:
    """
    A connected socket in the form that ``http.client`` uses.

    A socket's own timeout is for one operation; here it is set anew before each, to what is left of the deadline.
    Python's TLS bounds one operation as a whole, however many packets it takes. A signal's handler
    (``execution_timeout``) runs and raises in the midst of any of them.

    :param sock: The socket, plain or TLS.
    :param deadline: When everything must be over.
    :param max_bytes: Bytes read at most.
    """

    def __init__(self, sock: Any, deadline: Deadline, max_bytes: int) -> None:
        self._sock = sock
        self._deadline = deadline
        self._max_bytes = max_bytes
        self._count = 0
        #: Whether the other side has closed.
        self.ended = False

    def secured(self, context: ssl.SSLContext, host: str) -> Channel:
        """
        Shake hands in TLS.

        :param context: How to check the certificate.
        :param host: Whose certificate it must be.
        :return: The channel to use from now on; this one still has to be shut.
        """
        if isinstance(self._sock, ssl.SSLSocket):
            # TLS to the service inside TLS to the proxy, for which Python has no socket.
            inner = SSLTransport(self, context, server_hostname=host)  # type: ignore[arg-type]
            return Channel(inner, self._deadline, self._max_bytes)
        with self._timed():
            self._sock = context.wrap_socket(self._sock, server_hostname=host)
        return self

    def sendall(self, data: bytes) -> None:
        """
        Send bytes, as a socket does.

        :param data: All of which are sent.
        """
        view = memoryview(data)
        while view:
            with self._timed():
                view = view[self._sock.send(view[: 1 << 16]) :]

    def recv(self, size: int) -> bytes:
        """
        Return the next bytes, as a socket does.

        :param size: How many at most.
        :return: Some of them; none at the end.
        """
        buffer = bytearray(size)
        return bytes(buffer[: self.recv_into(buffer)])

    def recv_into(self, buffer: Any) -> int:
        """
        Read the next bytes into a buffer, as a socket does.

        :param buffer: Where to.
        :return: How many; 0 at the end.
        :raises OSError: if more bytes came than are allowed.
        """
        with self._timed():
            count: int = self._sock.recv_into(buffer)
        self.ended = self.ended or not count
        self._count += count
        if self._count > self._max_bytes:
            raise OSError(f"more than {self._max_bytes} bytes came")
        return count

    @contextmanager
    def _timed(self) -> Iterator[None]:
        self._sock.settimeout(self._deadline.left())
        try:
            yield
        except TimeoutError:
            raise self._deadline.error() from None

    def settimeout(self, seconds: float | None) -> None:
        """
        Do nothing: each operation has its timeout already.

        :param seconds: Left out.
        """

    def makefile(self, mode: str) -> io.BufferedReader:
        """
        Return a file to read from, as a socket does.

        :param mode: Binary, whatever it is.
        :return: A buffered file.
        """
        return io.BufferedReader(_Stream(self))

    def close(self) -> None:
        """Do nothing: ``http.client`` would close a connection whose response is still to be read."""

    def shut(self) -> None:
        """Close the connection."""
        self._sock.close()


class _Stream(io.RawIOBase):
    """
    What a channel reads, as a file.

    :param channel: The channel.
    """

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._channel.recv_into(buffer)


def dial(host: str, port: int, deadline: Deadline) -> socket.socket:
    """
    Connect to a host, trying its addresses in turn.

    :param host: Name or address.
    :param port: Port.
    :param deadline: When to give up.
    :return: The connected socket.
    :raises OSError: if no address can be connected to; the last one's error.
    """
    failure = OSError(f"{host} has no address")
    addresses = _addresses(host, port, deadline)
    for index, (family, kind, protocol, _, address) in enumerate(addresses):
        sock = socket.socket(family, kind, protocol)
        try:
            # An equal share for each address that is left, so that one that does not respond leaves time for the next.
            sock.settimeout(deadline.left() / (len(addresses) - index))
            sock.connect(address)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return sock
        except OSError as error:
            failure = error
            sock.close()
        except BaseException:
            sock.close()
            raise
    raise failure


def _addresses(host: str, port: int, deadline: Deadline) -> list[Any]:
    """Resolve a name; in a thread, for neither a deadline nor a signal ends a look-up that the resolver waits for."""
    try:
        ipaddress.ip_address(host)
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except ValueError:
        pass
    found: queue.SimpleQueue[list[Any] | Exception] = queue.SimpleQueue()

    def resolve() -> None:
        try:
            found.put(list(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)))
        except Exception as error:
            found.put(error)

    threading.Thread(target=resolve, name=f"resolve {host}", daemon=True).start()
    try:
        result = found.get(timeout=deadline.left())
    except queue.Empty:
        raise TimeoutError(f"the name {host} was not resolved in time") from None
    if isinstance(result, Exception):
        raise result
    return result
