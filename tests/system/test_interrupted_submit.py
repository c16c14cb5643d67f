"""A try that ends in the middle of a submit reports what happened to the money, and nobody pays again unasked."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from airflow_provider_siliconflow.sandbox.settings import Settings
from tests.system.audit import Run
from tests.system.cases import INTERRUPTED, INTERRUPTED_CONNECTION, interrupt_prompt
from tests.system.cluster import Cluster, Echo
from tests.system.stack import Stack

pytestmark = [pytest.mark.system, pytest.mark.parametrize("cluster", ["local"], indirect=True)]

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


def test_a_try_that_ends_in_the_middle_of_a_submit(cluster: Cluster, echo: Echo) -> None:
    stack = cluster.stack
    connect(stack)

    def paid(task_id: str) -> bool:
        return any(job["prompt"] == interrupt_prompt(task_id) for job in stack.sandbox("ledger")["jobs"])

    with answers_held(stack):
        run = Run(stack, "interrupts", cluster.archive)
        for task_id in INTERRUPTED:
            run.wait_until(f"the submit of {task_id}", lambda name=task_id: paid(name), seconds=120)  # type: ignore[misc]
            if task_id.endswith("terminated"):
                path = f"dags/{run.dag_id}/dagRuns/{run.run_id}/taskInstances/{task_id}"
                os.kill(stack.api.call("GET", path)["pid"], signal.SIGTERM)
            elif task_id.endswith("cleared"):
                stack.api.clear(run.dag_id, run.run_id, [run.tasks()[task_id]])
        run.wait(seconds=180)
    tasks, jobs = run.tasks(), stack.sandbox("ledger")["jobs"]
    wrong = []
    echo("\n| ends in the middle of a submit | billed | result | retries |\n|---|---|---|---|")
    for task_id in INTERRUPTED:
        outcome = run.audit(interrupt_prompt(task_id), [task_id], tasks, jobs)
        echo(f"| {task_id} | {outcome.billed} | {outcome.result} | {outcome.retries} |")
        if (outcome.billed, outcome.result) != (1, "unknown"):
            wrong.append(run.explain(interrupt_prompt(task_id), [task_id]))
    assert not wrong, "\n".join(wrong)
