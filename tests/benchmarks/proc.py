"""The CPU time and the memory of processes; of one that is gone, none."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

import psutil


def cpu(pids: Iterable[int]) -> float:
    """Return the CPU seconds so far of some processes."""
    seconds = 0.0
    for pid in pids:
        with suppress(psutil.NoSuchProcess):
            times = psutil.Process(pid).cpu_times()
            seconds += times.user + times.system
    return seconds


def cpu_of_children(pid: int) -> float:
    """Return the CPU seconds of a process's children that have ended, theirs included."""
    with suppress(psutil.NoSuchProcess):
        times = psutil.Process(pid).cpu_times()
        return float(times.children_user + times.children_system)
    return 0.0


def memory(pid: int) -> int:
    """Return the bytes of memory of a process; what it shares with others counts in parts."""
    with suppress(psutil.Error):
        return int(psutil.Process(pid).memory_full_info().pss)
    return 0
