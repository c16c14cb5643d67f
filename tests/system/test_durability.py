"""Never pay twice, never lose a paid video: a real Airflow whose processes are killed at the worst points."""

from __future__ import annotations

from collections import Counter

import pytest

from airflow_provider_siliconflow.sandbox.settings import Settings
from tests.system.audit import ArchivedFiles, Outcome, Run
from tests.system.cases import CLEARED_STATES, POLICIES, VARIANTS, Case, Variant, cases_of, chain_of, clear_prompt
from tests.system.cluster import Cluster, Echo, kill_triggerers, none_gets_ready, on_both, on_local_first

pytestmark = pytest.mark.system


def all_cases() -> list[tuple[Variant, Case, list[str]]]:
    return [
        (variant, case, chain_of(variant, policy, index))
        for variant in VARIANTS
        for policy in POLICIES
        for index, case in enumerate(cases_of(variant, policy))
    ]


@on_both
def test_a_task_killed_at_any_moment(cluster: Cluster, echo: Echo) -> None:
    stack = cluster.stack
    # Of a video that is ready at once there is neither a deferral nor a resume.
    waiting = [chain[-2:][0] for _, case, chain in all_cases() if case.name in ("while deferred", "on resume")]
    with none_gets_ready(stack):
        run = Run(stack, "kills", cluster.archive)
        run.wait_until("the videos that wait", lambda: run.states(waiting) == {"deferred"}, seconds=600)
        kill_triggerers(stack)
        # The triggers' kwargs, which the database keeps encrypted.
        path = f"dags/kills/dagRuns/{run.run_id}/taskInstances?limit=100"
        kwargs = str(stack.api.call("GET", path))
        assert "VideoReadyTrigger" in kwargs
        assert "X-Amz" not in kwargs
        assert Settings().key not in kwargs
    run.wait(seconds=600)
    tasks, jobs = run.tasks(), stack.sandbox("ledger")["jobs"]
    wrong, sums = [], Counter[str]()
    echo(f"\n| {cluster.name}: the task's process is killed | variant | on unknown | billed | ends | retries |")
    echo("|---|---|---|---|---|---|")
    for variant, case, chain in all_cases():
        outcome = run.audit(case.prompt(variant), chain, tasks, jobs)
        if not case.disabled:
            calls = sum(job["status_calls"] for job in jobs if job["prompt"] == case.prompt(variant))
            sums.update({"intended": 1, "billed": outcome.billed, outcome.result: 1, "status calls": calls})
        # The retries distinguish a kill that was survived from one that never happened; nothing else may cost a try.
        due = Outcome(case.billed, case.result, case.retries)
        echo(
            f"| {case.title} | {variant} | {case.policy} | {outcome.billed} | {outcome.result} | {outcome.retries} |"
            + ("" if outcome == due else f" WRONG: expected {due}")
        )
        if outcome != due:
            wrong.append(run.explain(case.prompt(variant), chain))
    echo(f"{cluster.name}, all with their guards: {dict(sums)}")
    assert not wrong, "\n".join(wrong)
    assert ArchivedFiles(cluster.archive, jobs).strays == []
    assert stack.sandbox("ledger?jobs=no")["key_leaks"] == 0


@on_local_first
def test_a_retry_is_distinguished_from_a_clear(cluster: Cluster, echo: Echo) -> None:
    """A clear pays again, unless ``reuse_on_clear``; a retry never does; neighbours in the map are not affected."""
    stack = cluster.stack
    names = {
        (task, state): f"{task}[{index}]" for task in ("anew", "reuse") for index, state in enumerate(CLEARED_STATES)
    }

    def clear(state: str) -> None:
        for task in ("anew", "reuse"):
            stack.api.clear("clears", run.run_id, [run.tasks()[names[task, state]]])

    def reach(state: str, now: str, try_number: int) -> None:
        def there() -> bool:
            seen = [run.tasks().get(names[task, state]) for task in ("anew", "reuse")]
            return all(task and (task.state, task.try_number) == (now, try_number) for task in seen)

        run.wait_until(f"the tasks to be cleared when {state}, try {try_number}", there, seconds=400)

    with none_gets_ready(stack):
        run = Run(stack, "clears", cluster.archive)
        for state in ("deferred", "running"):
            reach(state, state, try_number=1)
            clear(state)
            reach(state, state, try_number=2)
        reach("failed", "failed", try_number=2)
    reach("success", "success", try_number=1)
    clear("failed")
    clear("success")
    reach("success", "success", try_number=2)
    run.wait(seconds=400)
    tasks, jobs = run.tasks(), stack.sandbox("ledger")["jobs"]
    wrong = []
    echo(f"\n| {cluster.name}: cleared when | reuse_on_clear | billed | ends | retries |")
    echo("|---|---|---|---|---|")
    for (task, state), name in names.items():
        reuse = task == "reuse"
        prompt = clear_prompt(reuse, state)
        outcome = run.audit(prompt, [name], tasks, jobs)
        echo(f"| {state} | {reuse} | {outcome.billed} | {outcome.result} | {outcome.retries} |")
        due = {1} if reuse or state == "not cleared" else {2}
        if state == "running":
            # Airflow treats a clear of a running task as a clear or as a retry, by how its process ended.
            due |= {1}
        if outcome.billed not in due or outcome.result != "archived":
            wrong.append(run.explain(prompt, [name]))
    assert not wrong, "\n".join(wrong)


@on_both
def test_no_secret_is_anywhere_but_in_the_url_that_the_sensor_returns(cluster: Cluster) -> None:
    """Search the whole database and all logs, after the tests above have filled them."""
    secrets = ("X-Amz-Signature", "X-Amz-Security-Token", Settings().key)
    assert cluster.stack.postgres
    table = ""
    for line in cluster.stack.postgres.dump().splitlines():
        if line.startswith("COPY "):
            table = line.split()[1]
        elif any(secret in line for secret in secrets):
            assert table == "public.xcom", f"{table}: {line}"
            assert ".ready\t" in line, line
            assert "\treturn_value\t" in line, line
            assert Settings().key not in line, line
    for path in sorted(cluster.stack.home.rglob("*.log")):
        # The sandbox prints its key at the start; PostgreSQL logs what the tables above hold.
        if path.name not in ("sandbox.log", "postgres.log"):
            text = path.read_text(errors="replace")
            assert not [secret for secret in secrets if secret in text], path
