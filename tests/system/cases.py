"""The table of single kills: what is done to each video, and the outcome that is expected."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from airflow_provider_siliconflow.client.signed_urls import expires_at
from tests.system.audit import Result
from tests.system.faults import KILL_POINTS, disable

RETRIES = 3

OnUnknownSubmit = Literal["fail", "resubmit"]
Variant = Literal["one task", "three tasks"]


@dataclass(frozen=True)
class Case:
    """
    One video and the fault it meets.

    :param name: Where the task's first try is killed: one of the kill points, or words for what else happens.
    :param billed: How often the video must be paid for.
    :param result: The expected outcome.
    :param policy: ``on_unknown_submit``.
    :param disabled: A guard that is disabled in all tries, to see that it is needed.
    :param stale: The archive task waits for a slot until its URL has expired.
    """

    name: str
    billed: int = 1
    result: Result = "archived"
    policy: OnUnknownSubmit = "fail"
    disabled: str = ""
    stale: bool = False

    @property
    def retries(self) -> int:
        """How many tries it takes beyond the first: one for a kill, and all there are where it ends badly."""
        return RETRIES if self.result == "lost" else int(self.name in KILL_POINTS and self.name != "after success")

    @property
    def title(self) -> str:
        """The case in words."""
        return self.name + (f", without the {self.disabled}" if self.disabled else "")

    def prompt(self, variant: Variant) -> str:
        """Return the prompt, by which the ledger knows the case."""
        return f"{self.title} | {variant} | {self.policy}"

    def prepare(self, context: Any, step: str | None = None) -> None:
        """
        Prepare the process of a task; a ``pre_execute`` hook.

        :param step: The task of the three-task variant that this is; None for the one-task variant.
        """
        if self.disabled:
            disable(self.disabled)
        point = KILL_POINTS.get(self.name)
        if point and context["ti"].try_number == 1 and step in (None, point.step):
            point.arm()
        if self.stale and step == "archive":
            _wait_until_expired(context["task"].url)


def _wait_until_expired(url: str) -> None:
    """Wait until a URL has expired."""
    expiry = expires_at(url)
    assert expiry
    while datetime.now(UTC) < expiry:
        time.sleep(0.5)


#: Nobody but the service knows the id until it is stored, so a try killed before that cannot be re-attached to.
BOTH_VARIANTS = [
    Case("before the intent"),
    Case("after the intent", billed=0, result="unknown"),
    Case("after the POST left", result="unknown"),
    Case("after the answer", result="unknown"),
    Case("after the id was stored"),
    Case("after XCom"),
    Case("while deferred"),
    Case("on resume"),
    Case("mid-download"),
    Case("after the video, before its manifest"),
    Case("after publish, before success"),
    Case("after success"),
    Case("after the intent", policy="resubmit"),
    Case("after the POST left", billed=2, policy="resubmit"),
    Case("after the answer", billed=2, policy="resubmit"),
]
#: Each ends badly, or its guard is not needed.
WITHOUT_GUARDS = [
    Case("after the POST left", billed=2, disabled="intent write"),
    Case("after the id was stored", result="unknown", disabled="id write"),
]
THREE_TASKS_ALONE = [
    Case("URL expired while the archive waited", stale=True),
    Case("URL expired while the archive waited", result="lost", stale=True, disabled="fresh URL"),
]
_CASES: dict[Variant, list[Case]] = {
    "one task": BOTH_VARIANTS + WITHOUT_GUARDS,
    "three tasks": BOTH_VARIANTS + THREE_TASKS_ALONE,
}
POLICIES: tuple[OnUnknownSubmit, ...] = ("fail", "resubmit")
VARIANTS: tuple[Variant, ...] = ("one task", "three tasks")


def cases_of(variant: Variant, policy: OnUnknownSubmit) -> list[Case]:
    """Return the cases of a mapped task of the DAG, in the order of its map indexes."""
    return [case for case in _CASES[variant] if case.policy == policy]


def chain_of(variant: Variant, policy: OnUnknownSubmit, index: int) -> list[str]:
    """Return the names of the task instances of a case."""
    if variant == "one task":
        return [f"one_{policy}[{index}]"]
    return [f"three_{policy}.{step}[{index}]" for step in ("submit", "ready", "archive")]


#: States in which a user clears a task; the last one is not cleared while its neighbours are.
CLEARED_STATES = ("success", "failed", "deferred", "running", "not cleared")


def clear_prompt(reuse: bool, state: str) -> str:
    """Return the prompt of a video whose task is cleared."""
    return f"cleared: {state} | reuse_on_clear={reuse}"


@dataclass(frozen=True)
class Scenario:
    """
    Videos without faults of their own, for the time when parts of Airflow fail.

    :param one: How many by one task each.
    :param three: How many by three tasks each.
    :param no_retries: Whether there is one more, by a task that waits in its worker and has no retries.
    """

    one: int
    three: int
    no_retries: bool = False

    def videos(self, dag_id: str) -> dict[str, list[str]]:
        """Return the names of the task instances of each video, by its prompt."""
        chains = {scenario_prompt(dag_id, "one task", index): [f"one[{index}]"] for index in range(self.one)}
        for index in range(self.three):
            chain = [f"three.{step}[{index}]" for step in ("submit", "ready", "archive")]
            chains[scenario_prompt(dag_id, "three tasks", index)] = chain
        if self.no_retries:
            chains[scenario_prompt(dag_id, "no retries", 0)] = ["no_retries"]
        return chains


SCENARIOS = {
    "takeover": Scenario(one=50, three=0),
    "outages": Scenario(one=36, three=8, no_retries=True),
    "workers": Scenario(one=10, three=3),
}


def scenario_prompt(dag_id: str, variant: Variant | Literal["no retries"], index: int) -> str:
    """Return the prompt of a video of a scenario."""
    return f"{dag_id} | {variant} | {index}"


#: Tasks that end in the middle of a submit, each by what its name says.
INTERRUPTED = (
    "submit_marked_failed",
    "generate_marked_failed",
    "batch_marked_failed",
    "generate_timed_out",
    "generate_cleared",
)
#: The connection of these tasks, whose calls may take longer than the service holds its answers.
INTERRUPTED_CONNECTION = "siliconflow_interrupted"


def interrupt_prompt(task_id: str) -> str:
    """Return the prompt of a video whose task ends in the middle of the submit."""
    return f"interrupted: {task_id}"


#: Tasks that race for the slots of a spend limit, and how many it has.
LIMITED, LIMIT = 50, 10


def limited_prompt(number: int) -> str:
    """Return the prompt of a video that a spend limit may stop."""
    return f"limited: {number}"


#: What the function of a decorated task returns; the template in it is not rendered.
DECORATED_PROMPT = "decorated: {{ ds }}"
