"""SIGKILLs at seeded points of a scenario; what was killed is started again, as an init system would do."""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

import psutil

from tests.system.cluster import kill_scheduler
from tests.system.stack import Stack

Victim = Literal["task", "supervisor", "triggerer", "scheduler", "scheduler alone"]


@dataclass(frozen=True)
class Kill:
    """
    One SIGKILL.

    :param victim: Which part of Airflow.
    :param progress: How far the scenario is when it falls due, from 0 to 1.
    :param delay: Seconds from then to the kill.
    :param pick: Picks the process among several, from 0 to 1.
    """

    victim: Victim
    progress: float
    delay: float
    pick: float


_VICTIMS: tuple[Victim, ...] = (
    *("task", "triggerer", "scheduler", "supervisor"),
    *("task", "scheduler alone", "task", "task"),
)
_VIDEOS_PER_KILL = 6


def kills_of(seed: int, videos: int) -> list[Kill]:
    """Draw the kills of a scenario, the first to fall due first."""
    rng = random.Random(f"kills {seed}")
    count = max(4, videos // _VIDEOS_PER_KILL)
    victims = [_VICTIMS[number % len(_VICTIMS)] for number in range(count)]
    rng.shuffle(victims)
    due = sorted(rng.uniform(0.05, 0.85) for _ in victims)
    return [
        Kill(victim, progress, rng.uniform(0, 4), rng.random()) for victim, progress in zip(victims, due, strict=True)
    ]


def _children(parents: Sequence[int]) -> list[int]:
    """Return the ids of the children of some processes, zombies left out."""
    found = []
    for parent in parents:
        with suppress(psutil.NoSuchProcess):
            found += [child.pid for child in psutil.Process(parent).children() if _lives(child)]
    return sorted(found)


def _lives(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return process.status() != psutil.STATUS_ZOMBIE
    return False


def _kill_one(pids: Sequence[int], pick: float) -> bool:
    """Kill one of some processes; return whether there was one."""
    if not pids:
        return False
    with suppress(ProcessLookupError):
        os.kill(pids[int(pick * len(pids))], signal.SIGKILL)
        return True
    return False


class KillInjector:
    """
    Kills what is due.

    :param kills: The first to fall due first.
    """

    def __init__(self, stack: Stack, kills: Sequence[Kill]) -> None:
        self._stack = stack
        self._left = list(kills)
        self._due_at: float | None = None
        self._orphans: list[int] = []
        #: Kills done, by victim.
        self.done: Counter[str] = Counter()

    def step(self, progress: float) -> None:
        """
        Kill what is due now; a victim that is not there is waited for.

        :param progress: How far the scenario is, from 0 to 1.
        """
        self._sweep()
        if not self._left:
            return
        kill = self._left[0]
        if self._due_at is None:
            if progress < kill.progress:
                return
            self._due_at = time.monotonic() + kill.delay
        if time.monotonic() >= self._due_at and self._kill(kill.victim, kill.pick):
            self.done[kill.victim] += 1
            self._left.pop(0)
            self._due_at = None

    def _kill(self, victim: Victim, pick: float) -> bool:
        """Kill, and return whether the victim was there."""
        match victim:
            case "task":
                return _kill_one(_children(self._workers()), pick)
            case "supervisor":
                return _kill_one([pid for pid in self._workers() if _children([pid])], pick)
            case "triggerer":
                parts = [part for name, part in sorted(self._stack.parts.items()) if name.startswith("triggerer")]
                part = parts[int(pick * len(parts))]
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
        """Kill the scheduler's first process, as the kernel does when memory runs out; its tasks run on."""
        part = self._stack.parts["scheduler"]
        self._orphans += self._workers()
        os.kill(part.pid, signal.SIGKILL)
        part.wait(10)
        part.start()

    def _sweep(self) -> None:
        """
        Kill the workers of a killed scheduler once they have no task any more.

        Each shares the scheduler's connection to the database: while one lives, PostgreSQL keeps the session open with
        its locks, so that no other scheduler can schedule the run.
        """
        for pid in [pid for pid in self._orphans if not _children([pid])]:
            _kill_one([pid], pick=0)
            self._orphans.remove(pid)
