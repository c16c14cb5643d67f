"""SIGKILLs at seeded moments of a night; whatever dies is started again, as an init system would do."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from tests.system.chaos_plan import Strike, Victim
from tests.system.house import kill_scheduler
from tests.system.stack import Stack


def _children(parents: Sequence[int]) -> list[int]:
    """Return the ids of the children of some processes, zombies left out."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, parent = stat.read_text().rpartition(")")[2].split()[:2]
            if state != "Z" and int(parent) in parents:
                found.append(int(stat.parent.name))
    return sorted(found)


def _tasks(stack: Stack) -> list[int]:
    """Return the task processes: with LocalExecutor, the children of the scheduler's children."""
    return _children(_children([stack.parts["scheduler"].pid]))


def _supervisors(stack: Stack) -> list[int]:
    """Return the processes that each stand by a task of theirs."""
    return [pid for pid in _children([stack.parts["scheduler"].pid]) if _children([pid])]


def _kill_one(pids: Sequence[int], luck: float) -> bool:
    """Kill one of some processes; return whether there was one."""
    if not pids:
        return False
    with suppress(ProcessLookupError):
        os.kill(pids[int(luck * len(pids))], signal.SIGKILL)
        return True
    return False


def _kill_triggerer(stack: Stack, luck: float) -> bool:
    parts = [part for name, part in sorted(stack.parts.items()) if name.startswith("triggerer")]
    part = parts[int(luck * len(parts))]
    part.kill()
    part.start()
    return True


def _kill_scheduler(stack: Stack, _: float) -> bool:
    kill_scheduler(stack)
    return True


def _kill_scheduler_alone(stack: Stack, _: float) -> bool:
    """Kill the scheduler's first process, as the kernel does for want of memory: its tasks live on without it."""
    part = stack.parts["scheduler"]
    os.kill(part.pid, signal.SIGKILL)
    part.wait(10)
    part.start()
    return True


_WAYS_TO_DIE: dict[Victim, Callable[[Stack, float], bool]] = {
    "task": lambda stack, luck: _kill_one(_tasks(stack), luck),
    "supervisor": lambda stack, luck: _kill_one(_supervisors(stack), luck),
    "triggerer": _kill_triggerer,
    "scheduler": _kill_scheduler,
    "scheduler alone": _kill_scheduler_alone,
}


class Reaper:
    """
    Kills what is due.

    :param strikes: The first to fall due first.
    :param videos: How many are intended: progress is measured by submits and downloads.
    """

    def __init__(self, stack: Stack, strikes: Sequence[Strike], videos: int) -> None:
        self._stack = stack
        self._left = list(strikes)
        self._steps = 2 * videos
        self._before = self._taken()
        self._due_at: float | None = None
        #: Kills done, by victim.
        self.done: Counter[str] = Counter()

    def step(self) -> None:
        """Kill what is due now; a victim that is not there is waited for."""
        if not self._left:
            return
        strike = self._left[0]
        if self._due_at is None:
            if self._progress() < strike.progress:
                return
            self._due_at = time.monotonic() + strike.delay
        if time.monotonic() >= self._due_at and _WAYS_TO_DIE[strike.victim](self._stack, strike.luck):
            self.done[strike.victim] += 1
            self._left.pop(0)
            self._due_at = None

    def _progress(self) -> float:
        return (self._taken() - self._before) / self._steps

    def _taken(self) -> int:
        ledger = self._stack.sandbox("ledger?jobs=no")
        return int(ledger["submit_calls"] + ledger["fetched"])
