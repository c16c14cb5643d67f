"""Never pay twice, never lose a paid video: parts of Airflow are killed, and the service is out of reach."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from tests.system.audit import ArchivedFiles, Run
from tests.system.cases import SCENARIOS, scenario_prompt
from tests.system.cluster import (
    Cluster,
    Echo,
    hang,
    kill_a_worker,
    kill_scheduler,
    none_gets_ready,
    on_celery,
    on_local,
    on_local_first,
    refuse_connections,
    restart_database,
    supervised,
)
from tests.system.stack import Stack

pytestmark = pytest.mark.system

OUTAGES: dict[str, Callable[[Stack], None]] = {
    "the database restarts": restart_database,
    "the service refuses connections": refuse_connections,
    "the service hangs": hang,
}


def triggerers_of(run: Run) -> set[int]:
    """Return the ids of the triggerers that hold the run's triggers; 0 stands for none."""
    answer = run.stack.api.call("GET", f"dags/{run.dag_id}/dagRuns/{run.run_id}/taskInstances?limit=100")
    triggers = [task["trigger"] for task in answer["task_instances"] if task["trigger"]]
    return {trigger["triggerer_id"] or 0 for trigger in triggers}


def living_triggerers(stack: Stack) -> int:
    jobs = stack.api.call("GET", "jobs?job_type=TriggererJob&is_alive=true")
    # Not total_entries, which counts the dead as well.
    return len(jobs["jobs"])


def audit_all(cluster: Cluster, run: Run, echo: Echo) -> int:
    """
    Audit every video of a scenario: paid for once, and archived, or reported as unknown.

    :return: The retries it took.
    """
    tasks, jobs = run.tasks(), cluster.stack.sandbox("ledger")["jobs"]
    videos = SCENARIOS[run.dag_id].videos(run.dag_id)
    outcomes = {prompt: run.audit(prompt, chain, tasks, jobs) for prompt, chain in videos.items()}
    retries = sum(outcome.retries for outcome in outcomes.values())
    ends = [outcome.result for outcome in outcomes.values()]
    echo("| run | environment | intended | billed | archived | unknown | lost | retries | status calls per video |")
    echo("|---|---|---|---|---|---|---|---|---|")
    calls = sum(job["status_calls"] for job in jobs if job["prompt"] in videos) / len(videos)
    echo(
        f"| {run.dag_id} | {cluster.name} | {len(videos)} | {sum(outcome.billed for outcome in outcomes.values())} |"
        f" {ends.count('archived')} | {ends.count('unknown')} | {ends.count('lost')} | {retries} | {calls:.1f} |"
    )
    wrong = [
        run.explain(prompt, videos[prompt])
        for prompt, outcome in outcomes.items()
        if outcome.billed > 1 or outcome.result == "lost"
    ]
    assert not wrong, "\n".join(wrong)
    assert ArchivedFiles(cluster.archive, jobs).strays == []
    return retries


@on_local
def test_a_triggerer_is_killed_while_fifty_videos_wait(cluster: Cluster, echo: Echo) -> None:
    """A triggerer knows nothing of the executor, so one executor is enough."""
    stack = cluster.stack
    first, second = stack.parts["triggerer-1"], stack.parts["triggerer-2"]
    with none_gets_ready(stack):
        stack.expect_dead.add(second.name)
        second.kill()
        run = Run(stack, "takeover", cluster.archive)
        names = [f"one[{index}]" for index in range(SCENARIOS["takeover"].one)]
        run.wait_until("fifty waiting videos", lambda: run.states(names) == {"deferred"}, seconds=600)
        held_by = triggerers_of(run)
        second.start()
        run.wait_until("two triggerers", lambda: living_triggerers(stack) == 2, seconds=120)
        stack.expect_dead = {first.name}
        began = time.monotonic()
        first.kill()
    run.wait_until("the second triggerer to take over", lambda: not triggerers_of(run) & (held_by | {0}), seconds=120)
    taken = time.monotonic() - began
    run.wait_until("the last to be woken", lambda: "deferred" not in run.states(names), seconds=600)
    woken = time.monotonic() - began
    first.start()
    stack.expect_dead = set()
    run.wait(seconds=600)
    echo(f"\n{cluster.name}: fifty videos wait, their triggerer is killed: all taken over after {taken:.1f} s,")
    echo(f"the last one woken after {woken:.1f} s, all archived after {time.monotonic() - began:.1f} s.")
    assert audit_all(cluster, run, echo) == 0, "A triggerer's kill costs no task a try."


def in_every_stage(run: Run) -> bool:
    states = {task.state for task in run.tasks().values()}
    return {"running", "deferred"} <= states and bool(states & {None, "scheduled", "queued"})


def succeeded(run: Run) -> int:
    return sum(task.state == "success" for task in run.tasks().values())


def interrupt_midway(run: Run, cause: Callable[[Stack], None]) -> None:
    """Kill when some more tasks have succeeded and there are some in every stage."""
    run.wait_until("Airflow's API", lambda: bool(run.tasks()), seconds=120)
    enough = succeeded(run) + 4
    run.wait_until("some more tasks to succeed", lambda: succeeded(run) >= enough, seconds=400)
    run.wait_until("videos in every stage", lambda: in_every_stage(run), seconds=300)
    cause(run.stack)


@on_local_first
def test_the_scheduler_the_database_and_the_service_go_down(cluster: Cluster, echo: Echo) -> None:
    """Each goes down while videos are in every stage."""
    stack = cluster.stack

    def has_paid(prompt: str) -> bool:
        return any(job["prompt"] == prompt for job in stack.sandbox("ledger")["jobs"])

    with supervised(stack):
        with none_gets_ready(stack):
            run = Run(stack, "outages", cluster.archive)
            run.wait_until("videos in every stage", lambda: in_every_stage(run), seconds=300)
            alone = scenario_prompt("outages", "no retries", 0)
            run.wait_until("the task without retries to have paid", lambda: has_paid(alone), seconds=300)
            kill_scheduler(stack)
        for name, cause in OUTAGES.items():
            interrupt_midway(run, cause)
            echo(f"{cluster.name}: {name} while videos were in every stage")
        run.wait(seconds=600)
    audit_all(cluster, run, echo)
    no_retries = run.tasks()["no_retries"]
    # With LocalExecutor a try is killed with the scheduler, and is repeated although there are no retries.
    tries = {"local": 2, "celery": 1}[cluster.name]
    assert (no_retries.state, no_retries.try_number) == ("success", tries)


@on_celery
def test_a_celery_worker_and_the_scheduler_are_killed(cluster: Cluster, echo: Echo) -> None:
    """A worker's tasks are killed with it, which their missing heartbeats show; a scheduler's run on without it."""
    run = Run(cluster.stack, "workers", cluster.archive)
    interrupt_midway(run, kill_a_worker)
    run.wait_until("another task to succeed", lambda: succeeded(run) >= 5, seconds=400)
    kill_scheduler(cluster.stack)
    run.wait(seconds=400)
    audit_all(cluster, run, echo)
