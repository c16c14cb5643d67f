"""Never pay twice, never lose a paid video: a real Airflow whose processes are killed at the worst moments."""

from __future__ import annotations

from collections import Counter

import pytest

from airflow_provider_siliconflow.sandbox.settings import Settings
from tests.system.cases import CLEARED, POLICIES, WAYS, Case, Way, cases_of, chain_of, clear_prompt
from tests.system.house import House, Tell, kill_triggerers, none_gets_ready
from tests.system.judge import Run, Verdict, stray_files

pytestmark = [pytest.mark.system, pytest.mark.parametrize("house", ["local", "celery"], indirect=True)]


def all_cases() -> list[tuple[Way, Case, list[str]]]:
    return [
        (way, case, chain_of(way, policy, index))
        for way in WAYS
        for policy in POLICIES
        for index, case in enumerate(cases_of(way, policy))
    ]


def test_a_task_killed_at_any_moment(house: House, tell: Tell) -> None:
    stack = house.stack
    waiting = [chain[-2:][0] for _, case, chain in all_cases() if case.name == "while deferred"]
    with none_gets_ready(stack):
        run = Run(stack, "kills", house.archive)
        run.wait_until("the videos that wait", lambda: run.states(waiting) == {"deferred"}, seconds=300)
        kill_triggerers(stack)
        # What the triggers know, which the database keeps encrypted.
        path = f"dags/kills/dagRuns/{run.run_id}/taskInstances?limit=100"
        known = str(stack.api.call("GET", path))
        assert "VideoReadyTrigger" in known
        assert "X-Amz" not in known
        assert Settings().key not in known
    run.wait(seconds=600)
    tasks, jobs = run.tasks(), stack.sandbox("ledger")["jobs"]
    wrong, sums = [], Counter[str]()
    tell(f"\n| {house.name}: the task's process dies | way | on unknown | billed | ends | retries |")
    tell("|---|---|---|---|---|---|")
    for way, case, chain in all_cases():
        verdict = run.judge(case.prompt(way), chain, tasks, jobs)
        if not case.lacks:
            calls = sum(job["status_calls"] for job in jobs if job["prompt"] == case.prompt(way))
            sums.update({"intended": 1, "billed": verdict.billed, verdict.ending: 1, "status calls": calls})
        # The retries tell a moment that was survived from one that never came, and that nothing else cost a try.
        due = Verdict(case.billed, case.ending, case.retries)
        tell(
            f"| {case.title} | {way} | {case.policy} | {verdict.billed} | {verdict.ending} | {verdict.retries} |"
            + ("" if verdict == due else f" WRONG: {due} was due")
        )
        if verdict != due:
            wrong.append(run.explain(case.prompt(way), chain))
    tell(f"{house.name}, all with their guards: {dict(sums)}")
    assert not wrong, "\n".join(wrong)
    assert stray_files(house.archive, jobs) == []
    assert stack.sandbox("ledger?jobs=no")["key_leaks"] == 0


def test_a_retry_is_told_from_a_clear(house: House, tell: Tell) -> None:
    """A clear pays again, unless ``reuse_on_clear``; a retry never does; neighbours in the map are left alone."""
    stack = house.stack
    names = {(task, state): f"{task}[{index}]" for task in ("anew", "reuse") for index, state in enumerate(CLEARED)}

    def clear(state: str) -> None:
        chosen = [run.tasks()[names[task, state]] for task in ("anew", "reuse")]
        stack.api.clear("clears", run.run_id, chosen)

    def reach(state: str, now: str, try_number: int) -> None:
        def there() -> bool:
            seen = [run.tasks().get(names[task, state]) for task in ("anew", "reuse")]
            return all(task and (task.state, task.try_number) == (now, try_number) for task in seen)

        run.wait_until(f"the tasks to be cleared when {state}, try {try_number}", there, seconds=180)

    with none_gets_ready(stack):
        run = Run(stack, "clears", house.archive)
        for state in ("deferred", "running"):
            reach(state, state, try_number=1)
            clear(state)
            reach(state, state, try_number=2)
        reach("failed", "failed", try_number=2)
    reach("success", "success", try_number=1)
    clear("failed")
    clear("success")
    reach("success", "success", try_number=2)
    run.wait(seconds=180)
    tasks, jobs = run.tasks(), stack.sandbox("ledger")["jobs"]
    wrong = []
    tell(f"\n| {house.name}: cleared when | reuse_on_clear | billed | ends | retries |")
    tell("|---|---|---|---|---|")
    for (task, state), name in names.items():
        reuse = task == "reuse"
        prompt = clear_prompt(reuse, state)
        verdict = run.judge(prompt, [name], tasks, jobs)
        tell(f"| {state} | {reuse} | {verdict.billed} | {verdict.ending} | {verdict.retries} |")
        due = {1} if reuse or state == "not cleared" else {2}
        if state == "running":
            # Airflow hands a task that was cleared as it ran on as a clear or as a retry, by how its process ended.
            due |= {1}
        if verdict.billed not in due or verdict.ending != "archived":
            wrong.append(run.explain(prompt, [name]))
    assert not wrong, "\n".join(wrong)


def test_no_secret_is_anywhere_but_in_the_link_that_is_handed_on(house: House) -> None:
    """Look through the whole database and all logs, after the tests above have filled them."""
    secrets = ("X-Amz-Signature", "X-Amz-Security-Token", Settings().key)
    assert house.stack.postgres
    table = ""
    for line in house.stack.postgres.dump().splitlines():
        if line.startswith("COPY "):
            table = line.split()[1]
        elif any(secret in line for secret in secrets):
            assert table == "public.xcom", f"{table}: {line}"
            assert ".ready\t" in line, line
            assert "\treturn_value\t" in line, line
            assert Settings().key not in line, line
    for path in sorted(house.stack.home.rglob("*.log")):
        # The sandbox tells its key at the start; what PostgreSQL tells is what the table above holds.
        if path.name not in ("sandbox.log", "postgres.log"):
            text = path.read_text(errors="replace")
            assert not [secret for secret in secrets if secret in text], path
