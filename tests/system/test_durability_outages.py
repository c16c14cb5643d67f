"""Never pay twice, never lose a paid video: the parts of Airflow die, and the service is out of reach."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from tests.system.cases import NIGHTS, night_prompt
from tests.system.house import (
    House,
    Tell,
    hang,
    kill_a_worker,
    kill_scheduler,
    none_gets_ready,
    refuse_connections,
    restart_database,
    supervised,
)
from tests.system.judge import Run, stray_files
from tests.system.stack import Stack

pytestmark = pytest.mark.system
on_both = pytest.mark.parametrize("house", ["local", "celery"], indirect=True)
on_celery = pytest.mark.parametrize("house", ["celery"], indirect=True)

STRIKES: dict[str, Callable[[Stack], None]] = {
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


def judge_all(house: House, run: Run, tell: Tell) -> int:
    """
    Judge every video of a night: paid for once, and archived, or the task has told of the doubt.

    :return: The retries it took.
    """
    tasks, jobs = run.tasks(), house.stack.sandbox("ledger")["jobs"]
    videos = NIGHTS[run.dag_id].videos(run.dag_id)
    verdicts = {prompt: run.judge(prompt, chain, tasks, jobs) for prompt, chain in videos.items()}
    retries = sum(verdict.retries for verdict in verdicts.values())
    ends = [verdict.ending for verdict in verdicts.values()]
    tell(
        "| run | environment | intended | billed | archived | told of the doubt | lost | retries | status calls each |"
    )
    tell("|---|---|---|---|---|---|---|---|---|")
    calls = sum(job["status_calls"] for job in jobs if job["prompt"] in videos) / len(videos)
    tell(
        f"| {run.dag_id} | {house.name} | {len(videos)} | {sum(verdict.billed for verdict in verdicts.values())} |"
        f" {ends.count('archived')} | {ends.count('told')} | {ends.count('lost')} | {retries} | {calls:.1f} |"
    )
    wrong = [
        run.explain(prompt, videos[prompt])
        for prompt, verdict in verdicts.items()
        if verdict.billed > 1 or verdict.ending == "lost"
    ]
    assert not wrong, "\n".join(wrong)
    assert stray_files(house.archive, jobs) == []
    return retries


@on_both
def test_a_triggerer_dies_while_fifty_videos_wait(house: House, tell: Tell) -> None:
    stack = house.stack
    first, second = stack.parts["triggerer-1"], stack.parts["triggerer-2"]
    with none_gets_ready(stack):
        stack.expect_dead.add(second.name)
        second.kill()
        run = Run(stack, "takeover", house.archive)
        names = [f"one[{index}]" for index in range(NIGHTS["takeover"].one)]
        run.wait_until("fifty waiting videos", lambda: run.states(names) == {"deferred"}, seconds=300)
        held_by = triggerers_of(run)
        second.start()
        run.wait_until("two triggerers", lambda: living_triggerers(stack) == 2, seconds=60)
        stack.expect_dead = {first.name}
        began = time.monotonic()
        first.kill()
    run.wait_until("the second triggerer to take over", lambda: not triggerers_of(run) & (held_by | {0}), seconds=60)
    taken = time.monotonic() - began
    run.wait_until("the last to be woken", lambda: "deferred" not in run.states(names), seconds=300)
    woken = time.monotonic() - began
    first.start()
    stack.expect_dead = set()
    run.wait(seconds=300)
    tell(f"\n{house.name}: fifty videos wait, their triggerer is killed: all taken over after {taken:.1f} s,")
    tell(f"the last one woken after {woken:.1f} s, all archived after {time.monotonic() - began:.1f} s.")
    assert judge_all(house, run, tell) == 0, "A triggerer's death costs no task a try."


def in_every_stage(run: Run) -> bool:
    states = {task.state for task in run.tasks().values()}
    return {"running", "deferred"} <= states and bool(states & {None, "scheduled", "queued"})


def done(run: Run) -> int:
    return sum(task.state == "success" for task in run.tasks().values())


def strike_midway(run: Run, strike: Callable[[Stack], None]) -> None:
    """Strike when some more tasks have succeeded and there are some in every stage."""
    run.wait_until("Airflow's API", lambda: bool(run.tasks()), seconds=60)
    enough = done(run) + 4
    run.wait_until("some more tasks to succeed", lambda: done(run) >= enough, seconds=180)
    run.wait_until("videos in every stage", lambda: in_every_stage(run), seconds=120)
    strike(run.stack)


@on_both
def test_the_scheduler_the_database_and_the_service_go_down(house: House, tell: Tell) -> None:
    """Each goes down while videos are in every stage."""
    stack = house.stack

    def has_paid(prompt: str) -> bool:
        return any(job["prompt"] == prompt for job in stack.sandbox("ledger")["jobs"])

    with supervised(stack):
        with none_gets_ready(stack):
            run = Run(stack, "outages", house.archive)
            run.wait_until("videos in every stage", lambda: in_every_stage(run), seconds=120)
            alone = night_prompt("outages", "no retries", 0)
            run.wait_until("the task without retries to have paid", lambda: has_paid(alone), seconds=120)
            kill_scheduler(stack)
        for name, strike in STRIKES.items():
            strike_midway(run, strike)
            tell(f"{house.name}: {name} while videos were in every stage")
        run.wait(seconds=600)
    judge_all(house, run, tell)
    no_retries = run.tasks()["no_retries"]
    # With LocalExecutor a try dies with the scheduler, and is made again although there are no retries.
    tries = {"local": 2, "celery": 1}[house.name]
    assert (no_retries.state, no_retries.try_number) == ("success", tries)


@on_celery
def test_a_celery_worker_and_the_scheduler_die(house: House, tell: Tell) -> None:
    """A worker's tasks die with it and are missed by their heartbeats; a scheduler's go on without it."""
    run = Run(house.stack, "workers", house.archive)
    strike_midway(run, kill_a_worker)
    run.wait_until("another task to succeed", lambda: done(run) >= 5, seconds=180)
    kill_scheduler(house.stack)
    run.wait(seconds=400)
    judge_all(house, run, tell)
