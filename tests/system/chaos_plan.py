"""A night of chance as data: its videos, what goes wrong at the service, and who dies; all drawn from one seed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from tests.system.cases import Policy, chain_of

Way = Literal["one task", "three tasks", "batch"]
Victim = Literal["task", "supervisor", "triggerer", "scheduler", "scheduler alone"]

#: How many of a hundred videos go which way, under which ``on_unknown_submit``.
_SHARES: dict[tuple[Way, Policy], int] = {
    ("one task", "fail"): 35,
    ("one task", "resubmit"): 5,
    ("three tasks", "fail"): 15,
    ("three tasks", "resubmit"): 5,
    ("batch", "fail"): 40,
}
#: Videos in one task of the batch operator.
_BATCH = 8
#: Share of videos that end ``Failed`` however often they are asked for.
_DOOMED = 0.03


@dataclass(frozen=True)
class Video:
    """
    One intended video.

    :param prompt: Its prompt, which no other has: the ledger knows it by that.
    :param way: Which operators make it.
    :param policy: Their ``on_unknown_submit``.
    :param chain: The names of its task instances, the one that archives last.
    :param row: Its place in the list of a batch.
    """

    prompt: str
    way: Way
    policy: Policy
    chain: tuple[str, ...]
    row: int = 0


@dataclass(frozen=True)
class Night:
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
    def prompts(self) -> dict[tuple[Way, Policy], list[str]]:
        """The prompts, by way and policy."""
        luck = random.Random(f"{self.name} {self.seed}")
        prompts: dict[tuple[Way, Policy], list[str]] = {group: [] for group in _SHARES}
        ways = luck.choices(list(_SHARES), list(_SHARES.values()), k=self.count)
        for number, (way, policy) in enumerate(ways):
            doom = " [fail: chance]" if self.chance and luck.random() < _DOOMED else ""
            prompts[way, policy].append(f"{self.name} {self.seed} | {number} | {way} | {policy}{doom}")
        return prompts

    @property
    def batches(self) -> list[list[str]]:
        """The lists of the batch operator's tasks."""
        prompts = self.prompts["batch", "fail"]
        return [prompts[start : start + _BATCH] for start in range(0, len(prompts), _BATCH)]

    @cached_property
    def videos(self) -> list[Video]:
        """All videos."""
        return list(self._singles()) + [
            Video(prompt, "batch", "fail", (f"batch[{index}]",), row)
            for index, prompts in enumerate(self.batches)
            for row, prompt in enumerate(prompts)
        ]

    def _singles(self) -> Iterator[Video]:
        for (way, policy), prompts in self.prompts.items():
            if way != "batch":
                for index, prompt in enumerate(prompts):
                    yield Video(prompt, way, policy, tuple(chain_of(way, policy, index)))


def nights_of(seed: int, videos: int, calm: int) -> list[Night]:
    """
    Return the nights of a test.

    :param videos: How many in the night of chance.
    :param calm: How many in the night before, in which nothing goes wrong; 0 for no such night.
    """
    nights = [Night("calm", seed, calm, chance=False), Night("chance", seed, videos, chance=True)]
    return [night for night in nights if night.count]


#: Answers after which nobody can know whether a submit was accepted …
_DOUBTFUL = (
    *("gateway_timeout", "server_error", "unknown_error", "unknown_error_200", "bad_gateway"),
    *("not_json", "list", "empty", "no_id"),
)
#: … by which it surely was not …
_REFUSED = (
    *("unauthorized", "forbidden", "empty_balance", "payment_required", "paid_balance_needed"),
    *("not_found", "legal", "too_large", "bad_parameter", "unknown_model"),
)
#: … and with which a look at a video is over.
_FINAL = ("unauthorized", "forbidden", "payment_required", "not_found", "bad_parameter")
_BUSY: tuple[dict[str, Any], ...] = (
    {"kind": "rate_limited"},
    {"kind": "rate_limited", "retry_after": 2},
    {"kind": "overloaded"},
    {"kind": "busy", "retry_after": 2},
)
#: Seconds that the service is late by: within the time-out of a call, and beyond it.
_SLOW, _TOO_SLOW = 1, 7
CALL_TIMEOUT = 5


def faults() -> list[dict[str, Any]]:
    """
    Return what goes wrong at the service, each at its own chance, as the sandbox takes it.

    Left out is what no caller can see through: a refusal of what was accepted, and another video's whole bytes.
    """
    return [{"route": route, **fault} for route, some in _FAULTS.items() for fault in some]


def _each(chance: float, *kinds: str, **more: Any) -> list[dict[str, Any]]:
    return [{"kind": kind, "chance": chance, **more} for kind in kinds]


_FAULTS: dict[str, list[dict[str, Any]]] = {
    "submit": [
        *({**fault, "chance": 0.025} for fault in _BUSY),
        *_each(0.01, "answer", status=503, body="a proxy's own 503, which tells nothing"),
        *_each(0.01, "reset"),
        *_each(0.02, "reset", after=True),
        *_each(0.004, *_DOUBTFUL),
        *_each(0.006, *_DOUBTFUL, after=True),
        *_each(0.002, *_REFUSED),
        *_each(0.02, "slow", seconds=_SLOW),
        *_each(0.01, "slow", seconds=_TOO_SLOW),
    ],
    "status": [
        *({**fault, "chance": 0.01} for fault in _BUSY),
        *_each(0.01, *_DOUBTFUL, "reset", "no_status", "unknown_word", "no_video", "empty_url"),
        *_each(0.002, *_FINAL),
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
class Strike:
    """
    One SIGKILL.

    :param victim: Which part of Airflow.
    :param progress: How far the night is when it falls due, from 0 to 1.
    :param delay: Seconds from then to the kill.
    :param luck: Picks the process among several, from 0 to 1.
    """

    victim: Victim
    progress: float
    delay: float
    luck: float


_VICTIMS: tuple[Victim, ...] = (
    *("task", "triggerer", "scheduler", "supervisor"),
    *("task", "scheduler alone", "task", "task"),
)
_VIDEOS_A_STRIKE = 6


def strikes_of(seed: int, videos: int) -> list[Strike]:
    """Draw the kills of a night, the first to fall due first."""
    chance = random.Random(f"strikes {seed}")
    count = max(4, videos // _VIDEOS_A_STRIKE)
    victims = [_VICTIMS[number % len(_VICTIMS)] for number in range(count)]
    chance.shuffle(victims)
    due = sorted(chance.uniform(0.05, 0.85) for _ in victims)
    return [
        Strike(victim, progress, chance.uniform(0, 4), chance.random())
        for victim, progress in zip(victims, due, strict=True)
    ]
