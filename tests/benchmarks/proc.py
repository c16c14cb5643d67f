"""What Linux tells of the CPU time and the memory of processes."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
#: Fields of /proc/<pid>/stat behind the name: user and system time, of the process and of children that have ended.
_OWN, _ENDED = slice(11, 13), slice(13, 15)


def _ticks(pid: int, fields: slice) -> float:
    with suppress(OSError):
        values = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return sum(int(value) for value in values[fields]) / _TICKS
    return 0.0


def cpu(pids: Iterable[int]) -> float:
    """Return the CPU seconds so far of some processes."""
    return sum(_ticks(pid, _OWN) for pid in pids)


def cpu_of_children(pid: int) -> float:
    """Return the CPU seconds of a process's children that have ended, theirs included."""
    return _ticks(pid, _ENDED)


def memory(pid: int) -> int:
    """Return the bytes of memory of a process; what it shares with others counts in parts."""
    with suppress(OSError):
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)
    return 0
