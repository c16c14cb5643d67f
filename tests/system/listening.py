"""Which sockets processes listen on."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from contextlib import suppress

import psutil


def open_to_others(pids: Iterable[int]) -> list[str]:
    """Return ``process: address:port`` for each TCP socket of these processes that another machine could reach."""
    found = []
    for pid in pids:
        with suppress(psutil.NoSuchProcess):
            found += [
                f"{pid}: {socket.laddr.ip}:{socket.laddr.port}"
                for socket in psutil.Process(pid).net_connections("tcp")
                if socket.status == psutil.CONN_LISTEN and not ipaddress.ip_address(socket.laddr.ip).is_loopback
            ]
    return found
