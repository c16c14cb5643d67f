"""A running stack for the durability suites, and the outages they cause in it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.system.stack import Stack

on_local = pytest.mark.parametrize("cluster", ["local"], indirect=True)
on_celery = pytest.mark.parametrize("cluster", ["celery"], indirect=True)
on_both = pytest.mark.parametrize("cluster", ["local", "celery"], indirect=True)
#: Nothing in it knows the executor, so once is enough for most days.
on_local_first = pytest.mark.parametrize(
    "cluster", ["local", pytest.param("celery", marks=pytest.mark.repeated)], indirect=True
)
#: So that a killed process is noticed within seconds; Airflow's own values are half a minute and more.
QUICK = {
    "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "15",
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "10",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "30",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "5",
    "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "1",
    "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "5",
}
#: Seconds for which the service is out of reach.
OUTAGE = 30.0

Echo = Callable[[str], None]


@dataclass(frozen=True)
class Cluster:
    """A running stack, and where its videos go."""

    name: str
    stack: Stack
    archive: Path


def kill_triggerers(stack: Stack, while_down: Callable[[], object] = lambda: None) -> None:
    """
    Kill all triggerers, and start them again.

    :param while_down: Called while none runs.
    """
    parts = [part for name, part in stack.parts.items() if name.startswith("triggerer")]
    stack.expect_dead |= {part.name for part in parts}
    for part in parts:
        part.kill()
    while_down()
    for part in parts:
        part.start()
    stack.expect_dead -= {part.name for part in parts}


def kill_scheduler(stack: Stack) -> None:
    """Kill the scheduler, with LocalExecutor all running tasks along with it, and start it again."""
    stack.parts["scheduler"].kill()
    stack.parts["scheduler"].start()


def kill_a_worker(stack: Stack) -> None:
    """Kill a Celery worker with all its tasks, and start it again."""
    stack.parts["worker-1"].kill()
    stack.parts["worker-1"].start()


def restart_database(stack: Stack) -> None:
    """Stop the database without notice to its clients, and start it again."""
    part = stack.parts["postgres"]
    part.kill(signal.SIGQUIT)
    part.wait(30)
    part.start()


def refuse_connections(stack: Stack) -> None:
    """Refuse all connections to the service for a while; it keeps its state."""
    part = stack.parts["sandbox"]
    part.kill(signal.SIGTERM)
    part.wait(30)
    time.sleep(OUTAGE)
    part.start()


def hang(stack: Stack) -> None:
    """Let the service accept connections for a while without answering; it answers afterwards."""
    os.kill(stack.parts["sandbox"].pid, signal.SIGSTOP)
    time.sleep(OUTAGE)
    os.kill(stack.parts["sandbox"].pid, signal.SIGCONT)


@contextmanager
def supervised(stack: Stack) -> Iterator[None]:
    """Restart parts that end by themselves, and tolerate errors of Airflow's API."""
    stack.supervised = True
    try:
        yield
    finally:
        stack.supervised = False


@contextmanager
def none_gets_ready(stack: Stack) -> Iterator[None]:
    """Let the service answer for every video that it is in progress."""
    answer = {"route": "status", "kind": "answer", "status": 200, "body": '{"status": "InProgress"}', "times": 0}
    stack.sandbox("faults", "POST", answer)
    try:
        yield
    finally:
        stack.sandbox("faults", "DELETE")
