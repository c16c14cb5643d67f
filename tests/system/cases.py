"""The table of single deaths: what is done to each video, and what must come of it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from airflow_provider_siliconflow.client.signed_urls import expires_at
from tests.system.faults import MOMENTS, take_away
from tests.system.judge import Ending

RETRIES = 3

Policy = Literal["fail", "resubmit"]
Way = Literal["one task", "three tasks"]


@dataclass(frozen=True)
class Case:
    """
    One video and its bad luck.

    :param name: Where the task's first try dies: one of the moments, or words for what else happens.
    :param billed: How often the video must be paid for.
    :param ending: What must become of it.
    :param policy: ``on_unknown_submit``.
    :param lacks: A guard that is taken away in all tries, to see that it is needed.
    :param late: The archive waits for a slot until its link is dead.
    """

    name: str
    billed: int = 1
    ending: Ending = "archived"
    policy: Policy = "fail"
    lacks: str = ""
    late: bool = False

    @property
    def retries(self) -> int:
        """How many tries it takes beyond the first: one for a death, and all that there are where it ends badly."""
        return RETRIES if self.ending == "lost" else int(self.name in MOMENTS)

    @property
    def title(self) -> str:
        """The case in words."""
        return self.name + (f", without the {self.lacks}" if self.lacks else "")

    def prompt(self, way: Way) -> str:
        """The prompt, by which the ledger knows the case."""
        return f"{self.title} | {way} | {self.policy}"

    def prepare(self, context: Any, step: str | None = None) -> None:
        """
        Prepare the process of a task; a ``pre_execute`` hook.

        :param step: The task of the three-task way that this is; None is the one-task way.
        """
        if self.lacks:
            take_away(self.lacks)
        moment = MOMENTS.get(self.name)
        if moment and context["ti"].try_number == 1 and step in (None, moment.step):
            moment.arm()
        if self.late and step == "archive":
            _outlive(context["task"].url)


def _outlive(url: str) -> None:
    """Wait until a link is dead."""
    dies = expires_at(url)
    assert dies
    while datetime.now(UTC) < dies:
        time.sleep(0.5)


#: Nobody but the service knows the id until it is stored, so what dies before that cannot be taken up.
BOTH_WAYS = [
    Case("before the intent"),
    Case("after the intent", billed=0, ending="told"),
    Case("after the POST left", ending="told"),
    Case("after the answer", ending="told"),
    Case("after the id was stored"),
    Case("after XCom"),
    Case("while deferred"),
    Case("on resume"),
    Case("mid-download"),
    Case("after the manifest, before the video"),
    Case("after publish, before success"),
    Case("after the intent", policy="resubmit"),
    Case("after the POST left", billed=2, policy="resubmit"),
    Case("after the answer", billed=2, policy="resubmit"),
]
#: Each ends badly, or its guard is not needed.
WITHOUT_GUARDS = [
    Case("after the POST left", billed=2, lacks="intent write"),
    Case("after the id was stored", ending="told", lacks="id write"),
]
THREE_TASKS_ALONE = [
    Case("link died while the archive waited", late=True),
    Case("link died while the archive waited", ending="lost", late=True, lacks="fresh link"),
]
_CASES: dict[Way, list[Case]] = {
    "one task": BOTH_WAYS + WITHOUT_GUARDS,
    "three tasks": BOTH_WAYS + THREE_TASKS_ALONE,
}
POLICIES: tuple[Policy, ...] = ("fail", "resubmit")
WAYS: tuple[Way, ...] = ("one task", "three tasks")


def cases_of(way: Way, policy: Policy) -> list[Case]:
    """Return the cases that a mapped task of the DAG stands for, in the order of its map indexes."""
    return [case for case in _CASES[way] if case.policy == policy]


def chain_of(way: Way, policy: Policy, index: int) -> list[str]:
    """Return the names of the task instances of a case."""
    if way == "one task":
        return [f"one_{policy}[{index}]"]
    return [f"three_{policy}.{step}[{index}]" for step in ("submit", "ready", "archive")]


#: States in which a user clears a task; the last one's is left alone while its neighbours' are cleared.
CLEARED = ("success", "failed", "deferred", "running", "not cleared")


def clear_prompt(reuse: bool, state: str) -> str:
    """Return the prompt of a video whose task is cleared."""
    return f"cleared: {state} | reuse_on_clear={reuse}"


@dataclass(frozen=True)
class Night:
    """
    Videos that nothing is wrong with, for the time when the parts of Airflow are.

    :param one: How many are made in one task each.
    :param three: How many in three.
    :param no_retries: Whether there is one more, made by a task that waits in its worker and has no retries.
    """

    one: int
    three: int
    no_retries: bool = False

    def videos(self, dag_id: str) -> dict[str, list[str]]:
        """Return the names of the task instances of each video, by its prompt."""
        chains = {night_prompt(dag_id, "one task", index): [f"one[{index}]"] for index in range(self.one)}
        for index in range(self.three):
            chain = [f"three.{step}[{index}]" for step in ("submit", "ready", "archive")]
            chains[night_prompt(dag_id, "three tasks", index)] = chain
        if self.no_retries:
            chains[night_prompt(dag_id, "no retries", 0)] = ["no_retries"]
        return chains


NIGHTS = {
    "takeover": Night(one=50, three=0),
    "outages": Night(one=36, three=8, no_retries=True),
    "workers": Night(one=10, three=3),
}


def night_prompt(dag_id: str, way: Way | Literal["no retries"], index: int) -> str:
    """Return the prompt of a video of a night."""
    return f"{dag_id} | {way} | {index}"
