"""Which sockets processes listen on, from Linux's tables of sockets."""

from __future__ import annotations

import ipaddress
import os
import socket
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

_LISTEN = "0A"


def _listening() -> Iterator[tuple[str, ipaddress.IPv4Address | ipaddress.IPv6Address, int]]:
    """Yield inode, address and port of each listening TCP socket of this machine."""
    for table, family in (("tcp", socket.AF_INET), ("tcp6", socket.AF_INET6)):
        with suppress(FileNotFoundError):
            for line in Path("/proc/net", table).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == _LISTEN:
                    address, port = fields[1].split(":")
                    yield fields[9], _address(address, family), int(port, 16)


def _address(text: str, family: socket.AddressFamily) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Read an address as the kernel prints it: words of 32 bits in this machine's byte order."""
    words = (int(text[at : at + 8], 16).to_bytes(4, sys.byteorder) for at in range(0, len(text), 8))
    return ipaddress.ip_address(socket.inet_ntop(family, b"".join(words)))


def open_to_others(pids: Iterable[int]) -> list[str]:
    """Return ``process: address:port`` for each socket of these processes that another machine could reach."""
    owners = {}
    for pid in pids:
        with suppress(OSError):
            for entry in os.scandir(f"/proc/{pid}/fd"):
                with suppress(OSError):
                    owners[os.readlink(entry.path)] = pid
    return [
        f"{owners[f'socket:[{inode}]']}: {address}:{port}"
        for inode, address, port in _listening()
        if f"socket:[{inode}]" in owners and not address.is_loopback
    ]
