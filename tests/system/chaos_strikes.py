"""SIGKILLs at seeded moments of a night; whatever dies is started again, as an init system would do."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Sequence
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


def _kill_one(pids: Sequence[int], luck: float) -> bool:
    """Kill one of some processes; return whether there was one."""
    if not pids:
        return False
    with suppress(ProcessLookupError):
        os.kill(pids[int(luck * len(pids))], signal.SIGKILL)
        return True
    return False


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
        self._orphans: list[int] = []
        #: Kills done, by victim.
        self.done: Counter[str] = Counter()

    def step(self) -> None:
        """Kill what is due now; a victim that is not there is waited for."""
        self._sweep()
        if not self._left:
            return
        strike = self._left[0]
        if self._due_at is None:
            if self._progress() < strike.progress:
                return
            self._due_at = time.monotonic() + strike.delay
        if time.monotonic() >= self._due_at and self._kill(strike.victim, strike.luck):
            self.done[strike.victim] += 1
            self._left.pop(0)
            self._due_at = None

    def _kill(self, victim: Victim, luck: float) -> bool:
        """Kill, and return whether the victim was there."""
        match victim:
            case "task":
                return _kill_one(_children(self._workers()), luck)
            case "supervisor":
                return _kill_one([pid for pid in self._workers() if _children([pid])], luck)
            case "triggerer":
                parts = [part for name, part in sorted(self._stack.parts.items()) if name.startswith("triggerer")]
                part = parts[int(luck * len(parts))]
                part.kill()
                part.start()
            case "scheduler":
                kill_scheduler(self._stack)
            case "scheduler alone":
                self._kill_scheduler_alone()
        return True

    def _workers(self) -> list[int]:
        """Return the processes of the LocalExecutor; each has the process of the task that it runs as its child."""
        return _children([self._stack.parts["scheduler"].pid])

    def _kill_scheduler_alone(self) -> None:
        """Kill the scheduler's first process, as the kernel does for want of memory: its tasks go on to their end."""
        part = self._stack.parts["scheduler"]
        self._orphans += self._workers()
        os.kill(part.pid, signal.SIGKILL)
        part.wait(10)
        part.start()

    def _sweep(self) -> None:
        """
        Kill what a dead scheduler left behind, once it has no task any more.

        It shares the scheduler's connection to the database: while it lives, PostgreSQL thinks that the scheduler
        does, and keeps its locks, so that no other schedules the run.
        """
        for pid in [pid for pid in self._orphans if not _children([pid])]:
            _kill_one([pid], luck=0)
            self._orphans.remove(pid)

    def _progress(self) -> float:
        return (self._taken() - self._before) / self._steps

    def _taken(self) -> int:
        ledger = self._stack.sandbox("ledger?jobs=no")
        return int(ledger["submit_calls"] + ledger["fetched"])
