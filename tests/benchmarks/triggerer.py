"""
Benchmark 4: thousands of deferred tasks on one real triggerer.

``python -m tests.benchmarks.triggerer [--videos 2000] [--seconds 120]``. Every part of Airflow runs, with LocalExecutor
and PostgreSQL. The videos are submitted first; a mapped sensor then defers once for each, which takes most of the time
(a task process costs about a CPU second). While all wait and no other task runs, the triggerer is measured; then all
videos get ready at once, and all tasks must resume and succeed. ``[triggerer] capacity`` is raised above 1,000.
Airflow says that a loop was blocked if it came back later than 0.2 s (``blocked_main_thread_warning_threshold``); a
full garbage collection of all that Airflow has imported takes longer, so the heap is frozen as the README advises.
``--stock`` leaves it as it is.
"""

from __future__ import annotations

import argparse
import itertools
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import requests

from airflow_provider_siliconflow.sandbox.settings import Settings
from tests.benchmarks import proc
from tests.benchmarks.report import head, table
from tests.system.cluster import none_gets_ready
from tests.system.processes import ROOT, session_members
from tests.system.stack import Stack, StackFailedError, StackSettings, running

DAG_ID = "waiting"
#: Turns of a wait (0.2 s) from one reading of Airflow's state to the next.
_TURNS = 50
_REQUEST = {"model": "Wan-AI/Wan2.2-T2V-A14B", "prompt": "a fox", "image_size": "1280x720"}


@dataclass
class Waiting:
    """
    Hold what the triggerer took while all videos waited.

    :param cpu: Part of one core.
    :param calls: Status calls a second.
    :param memory: Bytes of each process, before the first video and with all.
    :param blocked: How often Airflow warned.
    :param collections: Seconds of each full garbage collection of the runner.
    """

    cpu: float
    calls: float
    memory: list[tuple[int, int]]
    blocked: int
    collections: list[float]


class Triggerer:
    """The triggerer of a stack: its processes, and what it logged."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._part = stack.parts["triggerer-1"]

    def pids(self) -> list[int]:
        """Return its processes, the supervisor first."""
        return sorted(session_members([self._part.pid]))

    def blocked(self) -> int:
        """Return how often Airflow said so far that its event loop was blocked."""
        return (self._stack.home / "triggerer-1.log").read_text(errors="replace").count("async thread was blocked")

    def collections(self) -> list[float]:
        """Return the seconds that each full garbage collection of the runner took so far."""
        runner = self._stack.home / f"collections-{self.pids()[-1]}"
        return [float(line) for line in runner.read_text().split()] if runner.exists() else []

    def watch(self, before: dict[int, int], seconds: float) -> Waiting:
        """Measure it while nothing else happens."""
        pids, blocked, calls = self.pids(), self.blocked(), _status_calls(self._stack)
        collected = len(self.collections())
        began, spent = time.monotonic(), proc.cpu(pids)
        time.sleep(seconds)
        gone = time.monotonic() - began
        return Waiting(
            cpu=(proc.cpu(pids) - spent) / gone,
            calls=(_status_calls(self._stack) - calls) / gone,
            memory=[(before.get(pid, 0), proc.memory(pid)) for pid in pids],
            blocked=self.blocked() - blocked,
            collections=self.collections()[collected:],
        )


def _status_calls(stack: Stack) -> int:
    return int(stack.sandbox("ledger?jobs=no")["status_calls"])


def _submit(stack: Stack, videos: int) -> list[str]:
    with requests.Session() as http:
        http.trust_env = False
        http.headers["Authorization"] = f"Bearer {Settings().key}"
        url = f"{stack.sandbox_url}/v1/video/submit"
        return [http.post(url, json=_REQUEST, timeout=30).json()["requestId"] for _ in range(videos)]


def measure(stack: Stack, videos: int, seconds: float, minutes: float) -> list[tuple[str, str | float | int]]:
    """
    Run the benchmark in a running stack.

    :return: What was measured, in rows.
    :raises StackFailedError: if not every task succeeds.
    """
    triggerer = Triggerer(stack)
    stack.wait_until("the DAG", lambda: stack.api.knows_dag(DAG_ID), seconds=90)
    request_ids = _submit(stack, videos)
    idle = {pid: proc.memory(pid) for pid in triggerer.pids()}
    with none_gets_ready(stack):
        run_id = stack.api.trigger(DAG_ID, {"request_ids": request_ids})
        began = time.monotonic()

        def count(state: str) -> int:
            return stack.api.count(DAG_ID, run_id, state)

        stack.wait_until("all to be deferred", _seldom(lambda: count("deferred") == videos), seconds=60 * minutes)
        deferred = time.monotonic() - began
        stack.wait_until("a poll of each", lambda: _status_calls(stack) >= 2 * videos, seconds=600)
        waiting = triggerer.watch(idle, seconds)
    table(("what", "figure"), _while_all_wait(waiting, videos, deferred))
    began = time.monotonic()
    stack.wait_until("all to be woken", _seldom(lambda: count("deferred") == 0), seconds=60 * minutes)
    woken = time.monotonic() - began
    over = _seldom(lambda: stack.api.run_state(DAG_ID, run_id) != "running")
    stack.wait_until("the end", over, seconds=60 * minutes)
    ended = time.monotonic() - began
    if (succeeded := count("success")) != videos + 1:
        raise StackFailedError(f"{succeeded} of {videos + 1} tasks succeeded")
    return [
        ("'blocked' warnings in all", triggerer.blocked()),
        ("full garbage collections in all", len(collections := triggerer.collections())),
        ("… the longest, seconds", max(collections, default=0.0)),
        ("all videos ready: seconds until the last task was woken", woken),
        ("… until the last had succeeded", ended),
        ("resumed and succeeded", videos),
        ("status calls for each video in all", _status_calls(stack) / videos),
    ]


def _seldom(condition: Callable[[], bool]) -> Callable[[], bool]:
    """Ask only now and then, for each question costs the API server as much as a task does."""
    turns = itertools.count()
    return lambda: next(turns) % _TURNS == 0 and condition()


def _while_all_wait(waiting: Waiting, videos: int, deferred: float) -> list[tuple[str, str | float | int]]:
    return [
        ("deferred tasks", videos),
        ("seconds until all were deferred", deferred),
        ("triggerer while all wait: % of a core", 100 * waiting.cpu),
        ("… status calls a second", waiting.calls),
        ("… CPU ms for each call, Airflow's own work included", 1000 * waiting.cpu / max(waiting.calls, 1e-9)),
        *_memory(waiting.memory, videos),
        ("… full garbage collections", len(waiting.collections)),
        ("… the longest, seconds", max(waiting.collections, default=0.0)),
        ("… 'blocked' warnings", waiting.blocked),
    ]


def _memory(processes: Sequence[tuple[int, int]], videos: int) -> list[tuple[str, str | float | int]]:
    rows: list[tuple[str, str | float | int]] = []
    for number, (idle, full) in enumerate(processes):
        name = "supervisor" if number == 0 else "runner"
        rows.append((f"… {name}: MB", full / 1e6))
        rows.append((f"… {name}: kB more for each video", (full - idle) / videos / 1e3))
    return rows


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--videos", type=int, default=2000)
    parser.add_argument("--seconds", type=float, default=120.0, help="for which the triggerer is measured")
    parser.add_argument("--minutes", type=float, default=60.0, help="patience with each step")
    parser.add_argument("--parallelism", type=int, default=8, help="task processes at the same time")
    parser.add_argument("--stock", action="store_true", help="Airflow as it is installed, without a frozen heap")
    chosen = parser.parse_args()
    head("Deferred tasks on a real triggerer", "apache-airflow", "aiohttp")
    settings = StackSettings(
        dags=Path(__file__).parent / "triggerer_dags",
        database="postgres",
        parallelism=chosen.parallelism,
        env={
            "AIRFLOW__CORE__MAX_MAP_LENGTH": str(chosen.videos),
            "AIRFLOW__CORE__MAX_ACTIVE_TASKS_PER_DAG": str(2 * chosen.videos),
            "AIRFLOW__TRIGGERER__CAPACITY": str(2 * chosen.videos),
            "PYTHONPATH": os.pathsep.join((str(ROOT), str(Path(__file__).parent / "triggerer_config"))),
            **({"STOCK": "yes"} if chosen.stock else {}),
        },
        sandbox=("--speed", "100", "--tiny"),
    )
    with running(settings) as stack:
        rows = measure(stack, chosen.videos, chosen.seconds, chosen.minutes)
    table(("what", "figure"), rows)


if __name__ == "__main__":
    main()
