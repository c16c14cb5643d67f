"""A chaos scenario as data: its videos, the faults of the service, and the kills; all drawn from one seed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from tests.system.cases import Policy, chain_of

Variant = Literal["one task", "three tasks", "batch"]
Victim = Literal["task", "supervisor", "triggerer", "scheduler", "scheduler alone"]

#: How many of a hundred videos are made by which variant, under which ``on_unknown_submit``.
_SHARES: dict[tuple[Variant, Policy], int] = {
    ("one task", "fail"): 35,
    ("one task", "resubmit"): 5,
    ("three tasks", "fail"): 15,
    ("three tasks", "resubmit"): 5,
    ("batch", "fail"): 40,
}
#: Videos in one task of the batch operator.
_BATCH = 8
#: Share of videos that end ``Failed`` however often they are asked for.
_FAILING = 0.03


@dataclass(frozen=True)
class Video:
    """
    One intended video.

    :param prompt: Its prompt, which no other has: the ledger knows it by that.
    :param variant: Which operators make it.
    :param policy: Their ``on_unknown_submit``.
    :param chain: The names of its task instances, the one that archives last.
    :param index: Its index in the list of a batch.
    """

    prompt: str
    variant: Variant
    policy: Policy
    chain: tuple[str, ...]
    index: int = 0


@dataclass(frozen=True)
class Scenario:
    """
    The videos of one run.

    :param name: Name of the run's DAG.
    :param seed: Of all chance.
    :param count: How many videos.
    :param chance: Whether anything goes wrong.
    """

    name: str
    seed: int
    count: int
    chance: bool

    @cached_property
    def prompts(self) -> dict[tuple[Variant, Policy], list[str]]:
        """Return the prompts, by variant and policy."""
        rng = random.Random(f"{self.name} {self.seed}")
        prompts: dict[tuple[Variant, Policy], list[str]] = {group: [] for group in _SHARES}
        variants = rng.choices(list(_SHARES), list(_SHARES.values()), k=self.count)
        for number, (variant, policy) in enumerate(variants):
            failing = " [fail: chance]" if self.chance and rng.random() < _FAILING else ""
            prompts[variant, policy].append(f"{self.name} {self.seed} | {number} | {variant} | {policy}{failing}")
        return prompts

    @property
    def batches(self) -> list[list[str]]:
        """Return the lists of the batch operator's tasks."""
        prompts = self.prompts["batch", "fail"]
        return [prompts[start : start + _BATCH] for start in range(0, len(prompts), _BATCH)]

    @cached_property
    def videos(self) -> list[Video]:
        """Return all videos."""
        return list(self._singles()) + [
            Video(prompt, "batch", "fail", (f"batch[{index}]",), item)
            for index, prompts in enumerate(self.batches)
            for item, prompt in enumerate(prompts)
        ]

    def _singles(self) -> Iterator[Video]:
        for (variant, policy), prompts in self.prompts.items():
            if variant != "batch":
                for index, prompt in enumerate(prompts):
                    yield Video(prompt, variant, policy, tuple(chain_of(variant, policy, index)))


def scenarios_of(seed: int, videos: int, calm: int) -> list[Scenario]:
    """
    Return the scenarios of a test.

    :param videos: How many in the chaos scenario.
    :param calm: How many in a scenario before it, without faults; 0 for no such scenario.
    """
    scenarios = [Scenario("calm", seed, calm, chance=False), Scenario("chance", seed, videos, chance=True)]
    return [scenario for scenario in scenarios if scenario.count]


#: Answers after which nobody can know whether a submit was accepted …
_AMBIGUOUS = (
    *("gateway_timeout", "server_error", "unknown_error", "unknown_error_200", "bad_gateway"),
    *("not_json", "list", "empty", "no_id"),
)
#: … by which it was certainly not …
_REJECTED = (
    *("unauthorized", "forbidden", "empty_balance", "payment_required", "paid_balance_needed"),
    *("not_found", "legal", "too_large", "bad_parameter", "unknown_model"),
)
#: … and that are permanent for a poll.
_PERMANENT = ("unauthorized", "forbidden", "payment_required", "not_found", "bad_parameter")
_BUSY: tuple[dict[str, Any], ...] = (
    {"kind": "rate_limited"},
    {"kind": "rate_limited", "retry_after": 2},
    {"kind": "overloaded"},
    {"kind": "busy", "retry_after": 2},
)
#: Seconds by which the service is late: within the time-out of a call, and beyond it.
_SLOW, _TOO_SLOW = 1, 7
CALL_TIMEOUT = 5


def faults() -> list[dict[str, Any]]:
    """
    Return the faults of the service, each at its own chance, as the sandbox takes them.

    Left out is what no caller can detect: a rejection of what was accepted, and another video's whole bytes.
    """
    return [{"route": route, **fault} for route, some in _FAULTS.items() for fault in some]


def _each(chance: float, *kinds: str, **more: Any) -> list[dict[str, Any]]:
    return [{"kind": kind, "chance": chance, **more} for kind in kinds]


_FAULTS: dict[str, list[dict[str, Any]]] = {
    "submit": [
        *({**fault, "chance": 0.025} for fault in _BUSY),
        *_each(0.01, "answer", status=503, body="a proxy's own 503, which proves nothing"),
        *_each(0.01, "reset"),
        *_each(0.02, "reset", after=True),
        *_each(0.004, *_AMBIGUOUS),
        *_each(0.006, *_AMBIGUOUS, after=True),
        *_each(0.002, *_REJECTED),
        *_each(0.02, "slow", seconds=_SLOW),
        *_each(0.01, "slow", seconds=_TOO_SLOW),
    ],
    "status": [
        *({**fault, "chance": 0.01} for fault in _BUSY),
        *_each(0.01, *_AMBIGUOUS, "reset", "no_status", "unknown_word", "no_video", "empty_url"),
        *_each(0.002, *_PERMANENT),
        *_each(0.02, "slow", seconds=_SLOW),
        *_each(0.01, "slow", seconds=_TOO_SLOW),
    ],
    "download": [
        *_each(0.03, "reset", "storage_down", "expired"),
        *_each(0.03, "cut", "reset", at_byte=100_000),
        *_each(0.01, "missing", "server_error", "bad_gateway", "no_length", "garbage"),
        *_each(0.02, "slow", "stall", seconds=2, at_byte=100_000),
        *_each(0.01, "drip", rate=100_000),
        *_each(0.02, "redirect"),
    ],
}


@dataclass(frozen=True)
class Kill:
    """
    One SIGKILL.

    :param victim: Which part of Airflow.
    :param progress: How far the scenario is when it falls due, from 0 to 1.
    :param delay: Seconds from then to the kill.
    :param pick: Picks the process among several, from 0 to 1.
    """

    victim: Victim
    progress: float
    delay: float
    pick: float


_VICTIMS: tuple[Victim, ...] = (
    *("task", "triggerer", "scheduler", "supervisor"),
    *("task", "scheduler alone", "task", "task"),
)
_VIDEOS_PER_KILL = 6


def kills_of(seed: int, videos: int) -> list[Kill]:
    """Draw the kills of a scenario, the first to fall due first."""
    rng = random.Random(f"kills {seed}")
    count = max(4, videos // _VIDEOS_PER_KILL)
    victims = [_VICTIMS[number % len(_VICTIMS)] for number in range(count)]
    rng.shuffle(victims)
    due = sorted(rng.uniform(0.05, 0.85) for _ in victims)
    return [
        Kill(victim, progress, rng.uniform(0, 4), rng.random()) for victim, progress in zip(victims, due, strict=True)
    ]
