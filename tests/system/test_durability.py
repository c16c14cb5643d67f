"""Never pay twice, never lose a paid video: a real Airflow whose processes are killed at the worst moments."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.system.cases import POLICIES, WAYS, Case, Way, cases_of, chain_of
from tests.system.faults import MOMENTS
from tests.system.judge import Run, stray_files
from tests.system.stack import Stack, StackSettings, running

pytestmark = pytest.mark.system

DAGS = Path(__file__).parent / "dags"
#: So that what is dead is missed within seconds; Airflow's own values are half a minute and more.
QUICK = {
    "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "15",
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "10",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "30",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "5",
    "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "1",
    "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "5",
}
#: Videos take 1 to 9 s; links die within their life of 20 s as often as not; a body comes in several reads.
SANDBOX = ("--speed", "60", "--tiny", "--link-seconds", "20", "--body-bytes", "3000000")
ENVIRONMENTS = {
    "local": StackSettings(DAGS, executor="LocalExecutor", database="postgres", triggerers=2),
    "celery": StackSettings(DAGS, executor="CeleryExecutor", database="postgres", workers=2, triggerers=2),
}

Tell = Callable[[str], None]


@dataclass(frozen=True)
class House:
    """A running stack, and where its videos go."""

    name: str
    stack: Stack
    archive: Path


@pytest.fixture(scope="module", params=ENVIRONMENTS)
def house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    archive = tmp_path_factory.mktemp("archive")
    settings = replace(
        ENVIRONMENTS[request.param],
        env=QUICK | {"DURABILITY_ARCHIVE": archive.as_uri()},
        sandbox=(*SANDBOX, "--ledger-file", str(archive / "ledger.jsonl")),
    )
    with running(settings) as stack:
        yield House(request.param, stack, archive)


@pytest.fixture
def tell(capsys: pytest.CaptureFixture[str]) -> Tell:
    def say(line: str) -> None:
        with capsys.disabled():
            print(line, flush=True)

    return say


def kill_triggerers(stack: Stack) -> None:
    """Kill all triggerers, and start them again."""
    parts = [part for name, part in stack.parts.items() if name.startswith("triggerer")]
    stack.expect_dead |= {part.name for part in parts}
    for part in parts:
        part.kill()
    for part in parts:
        part.start()
    stack.expect_dead -= {part.name for part in parts}


@contextmanager
def none_gets_ready(stack: Stack) -> Iterator[None]:
    """Let the service tell of every video that it is being made."""
    said = {"route": "status", "kind": "answer", "status": 200, "body": '{"status": "InProgress"}', "times": 0}
    stack.sandbox("faults", "POST", said)
    try:
        yield
    finally:
        stack.sandbox("faults", "DELETE")


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
        stack.wait_until("the videos that wait", lambda: run.states(waiting) == {"deferred"}, seconds=300)
        kill_triggerers(stack)
    run.wait(seconds=600)
    tasks, jobs = run.tasks(), stack.sandbox("ledger")["jobs"]
    wrong = []
    tell(f"\n| {house.name}: the task's process dies | way | on unknown | billed | ends | tries |")
    tell("|---|---|---|---|---|---|")
    for way, case, chain in all_cases():
        verdict = run.judge(case.prompt(way), chain, tasks, jobs)
        # Without this, a moment that never came would look like one that was survived.
        died = verdict.tries > len(chain) or case.name not in MOMENTS
        good = (verdict.billed, verdict.ending, died) == (case.billed, case.ending, True)
        tell(
            f"| {case.title} | {way} | {case.policy} | {verdict.billed} | {verdict.ending} | {verdict.tries} |"
            + ("" if good else f" WRONG: {case.billed} {case.ending} was due")
        )
        if not good:
            wrong.append(run.explain(case.prompt(way), chain))
    assert not wrong, "\n".join(wrong)
    assert stray_files(house.archive, jobs) == []
    assert stack.sandbox("ledger?jobs=no")["key_leaks"] == 0
