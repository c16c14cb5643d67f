"""A try that ends in the middle of a submit reports what happened to the money, and nobody pays again unasked."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import pytest

from airflow_provider_siliconflow.sandbox.settings import Settings
from tests.system.audit import Run
from tests.system.cases import INTERRUPTED, INTERRUPTED_CONNECTION, interrupt_prompt
from tests.system.cluster import Cluster, Echo, on_local
from tests.system.stack import Stack

pytestmark = [pytest.mark.system, on_local]

#: Seconds for which the service holds the answer of a submit that it has accepted.
HOLD = 120


@contextmanager
def answers_held(stack: Stack) -> Iterator[None]:
    """Let the service accept these submits and hold its answers."""
    fault = {"route": "submit", "kind": "slow", "after": True, "seconds": HOLD, "times": 0, "match": "interrupted: "}
    stack.sandbox("faults", "POST", fault)
    try:
        yield
    finally:
        stack.sandbox("faults", "DELETE")


def connect(stack: Stack) -> None:
    """Create a connection whose calls may take longer than the service holds its answers."""
    stack.api.call(
        "POST",
        "connections",
        connection_id=INTERRUPTED_CONNECTION,
        conn_type="siliconflow",
        host=f"{stack.sandbox_url}/v1",
        password=Settings().key,
        extra=json.dumps({"timeout": 2 * HOLD}),
    )


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def interrupt(run: Run, task_id: str) -> list[int]:
    """Interrupt a task by what its name says, and return the process that Airflow has to end now."""
    path = f"dags/{run.dag_id}/dagRuns/{run.run_id}/taskInstances/{task_id}"
    if task_id.endswith("timed_out"):
        return []
    pid: int = run.stack.api.call("GET", path)["pid"]
    if task_id.endswith("marked_failed"):
        # Airflow sends SIGTERM, and SIGKILL some seconds later.
        run.stack.api.call("PATCH", path, new_state="failed")
    else:
        run.stack.api.clear(run.dag_id, run.run_id, [run.tasks()[task_id]])
    return [pid]


def test_a_try_that_ends_in_the_middle_of_a_submit(cluster: Cluster, echo: Echo) -> None:
    stack = cluster.stack
    connect(stack)

    def has_paid(task_id: str) -> bool:
        return any(job["prompt"] == interrupt_prompt(task_id) for job in stack.sandbox("ledger")["jobs"])

    with answers_held(stack):
        run = Run(stack, "interrupts", cluster.archive)
        pids: list[int] = []
        for task_id in INTERRUPTED:
            run.wait_until(f"the submit of {task_id}", partial(has_paid, task_id), seconds=120)
            pids += interrupt(run, task_id)
        run.wait_until("the processes to end", lambda: not any(map(is_running, pids)), seconds=60)
    run.wait(seconds=300)
    tasks, jobs = run.tasks(), stack.sandbox("ledger")["jobs"]
    wrong = []
    echo("\n| interrupted in the middle of a submit | billed | result | retries |\n|---|---|---|---|")
    for task_id in INTERRUPTED:
        outcome = run.audit(interrupt_prompt(task_id), [task_id], tasks, jobs)
        echo(f"| {task_id} | {outcome.billed} | {outcome.result} | {outcome.retries} |")
        if (outcome.billed, outcome.result) != (1, "unknown"):
            wrong.append(run.explain(interrupt_prompt(task_id), [task_id]))
    assert not wrong, "\n".join(wrong)
