"""A model of a task that submits a video: any try may die at any step, the store and the service may fail."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

from airflow_provider_siliconflow.billing import Billing
from airflow_provider_siliconflow.client.models import SubmittedVideo, VideoRequest
from airflow_provider_siliconflow.client.prices import UNKNOWN_PRICE, Price
from airflow_provider_siliconflow.exceptions import (
    SiliconFlowRateLimitError,
    SubmitOutcomeUnknownError,
    SubmitRecordError,
)
from airflow_provider_siliconflow.hooks.connection import Settings
from airflow_provider_siliconflow.jobs.reattach import ResubmitPolicy
from airflow_provider_siliconflow.jobs.record import KEY, SubmitRecord, SubmitStore
from airflow_provider_siliconflow.jobs.store import TaskStateStore
from airflow_provider_siliconflow.jobs.video_job import VideoJob

CONN_ID = "siliconflow_default"
SETTINGS = Settings(base_url="https://api.siliconflow.cn/v1", api_key="sk-a-key-of-the-tests")
FIELDS = {"model": "a-model", "prompt": "a very secret prompt", "image_size": "1280x720"}

#: What the service does with a POST.
SERVICE = ("accepted", "rejected", "lost, accepted", "lost, rejected")
#: What the store cannot do. "… late": it raises, but has done it.
STORE_FAULTS = ("get", "set intent", "set intent late", "set id", "set id late", "delete", "delete late")


class Killed(BaseException):
    """Stand for SIGKILL."""


class InvariantBrokenError(BaseException):
    """Raised within the code under test, which takes what else is raised there for a failure of the service."""


def hold(invariant: str, *, broken: bool) -> None:
    if broken:
        raise InvariantBrokenError(f"INVARIANT: {invariant}")


@dataclass
class FakeStore:
    """
    Play ``context["task_state_store"]``.

    :param failing: One of STORE_FAULTS, or empty.
    :param step: Called before and after each access; may raise :class:`Killed`.
    """

    failing: str = ""
    step: Callable[[], None] = lambda: None
    kept: dict[str, Any] = field(default_factory=dict)
    log: list[tuple[str, Any]] = field(default_factory=list)

    def get(self, key: str) -> Any:
        self._do("get", "get", lambda: None)
        return json.loads(json.dumps(self.kept.get(key)))

    def set(self, key: str, value: Any) -> None:
        what = "set id" if value["request_id"] else "set intent"
        self._do(what, "set", lambda: self.kept.__setitem__(key, value), value)

    def delete(self, key: str) -> None:
        self._do("delete", "delete", lambda: self.kept.pop(key, None))

    def _do(self, what: str, name: str, work: Callable[[], Any], value: Any = None) -> None:
        self.step()
        if self.failing == what:
            raise OSError("the store is away")
        self.log.append((name, value))
        work()
        if self.failing == f"{what} late":
            raise OSError("the store is away")
        self.step()


@dataclass
class FakeHook:
    """
    Play the hook and the service behind it.

    :param service: One of SERVICE.
    :param number: The number of the next video.
    :param on_post: Called when a POST arrives.
    :param step: Called before a POST leaves and after its answer; may raise :class:`Killed`.
    """

    service: str = "accepted"
    number: int = 1
    on_post: Callable[[], None] = lambda: None
    step: Callable[[], None] = lambda: None
    siliconflow_conn_id: str = CONN_ID
    settings: Settings = SETTINGS
    posts: int = 0
    billed: list[str] = field(default_factory=list)

    def submit_video(self, request: VideoRequest, attempts: int | None = None) -> SubmittedVideo:
        assert attempts == 1, "the hook must not hold the worker"
        self.step()
        self.posts += 1
        self.on_post()
        request_id = f"vid{self.number}"
        if "accepted" in self.service:
            self.billed.append(request_id)
        self.step()
        if "lost" in self.service:
            raise SubmitOutcomeUnknownError("the answer is lost.")
        if self.service == "rejected":
            raise SiliconFlowRateLimitError("slow down", status_code=429).with_billing(Billing.REJECTED)
        return SubmittedVideo(request_id, "trace", SETTINGS.base_url)


def once(store: SubmitStore, hook: FakeHook, max_tries: int = 1, price: Price = UNKNOWN_PRICE) -> SubmitRecord:
    """Do what a try of a task does that submits a video."""
    job = VideoJob(cast("Any", hook), FIELDS, store, ResubmitPolicy(price=price), max_tries)
    if not job.reattach():
        job.prepare()
        job.submit()
    assert job.record
    return job.record


class DyingTask:
    """
    Play one task instance: tries, each with its own death and faults; clears by the user; videos that fail.

    An *intended* video begins with the task, with a clear, and with the first try after a video failed.

    :param seed: Of all that happens to it.
    """

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self.retries = self.max_tries = self._chance.choice([0, 2])
        self.kept: dict[str, Any] = {}
        self.try_number = self.number = 0
        self._intend()

    def _intend(self) -> None:
        self.billed: list[str] = []
        self.is_lost = False
        self.may_be_unknown = False
        self.known: SubmitRecord | None = None

    def live(self, steps: int) -> None:
        """Let a number of things happen to the task."""
        for _ in range(steps):
            happens = self._chance.choices([self.runs, self.is_cleared, self.video_fails], [8, 1, 1])[0]
            happens()

    def runs(self) -> None:
        """Run the next try; not bounded by retries, as those of tasks that a dead scheduler left behind are not."""
        dies_after = self._chance.choice([10**6, self._chance.randrange(8)])
        service = self._chance.choices(SERVICE, [5, 1, 1, 1])[0]
        failing = self._chance.choices(["", *STORE_FAULTS], [10, *[1] * len(STORE_FAULTS)])[0]
        self.try_number += 1
        self.number += 1
        left = iter(range(dies_after))

        def step() -> None:
            if next(left, None) is None:
                raise Killed

        hook = FakeHook(service, self.number, self._on_post, step)
        store = FakeStore(failing, step, self.kept)
        known = self.known
        error: BaseException | None = None
        try:
            self._ends_well(self._submit(hook, store), hook, known)
        except (Killed, SubmitOutcomeUnknownError, SubmitRecordError, SiliconFlowRateLimitError) as raised:
            error = raised
        self.billed += hook.billed
        assert len(self.billed) <= 1, "INVARIANT: one intended video is billed once"
        if error:
            self._ends_badly(error, failing, known)
        self.may_be_unknown |= bool(failing) or isinstance(error, Killed) or "lost" in service
        self.is_lost |= bool(hook.posts) and isinstance(error, SubmitOutcomeUnknownError)

    def _submit(self, hook: FakeHook, store: FakeStore) -> SubmitRecord:
        kept = SubmitStore(lambda: [TaskStateStore(store)])
        record = once(kept, hook, max_tries=self.max_tries)
        if not store.failing:
            self.known = record
        return record

    def _on_post(self) -> None:
        hold("what is paid for is not submitted again", broken=bool(self.billed))
        hold("what may be paid for is not submitted again", broken=self.is_lost)

    def _ends_well(self, record: SubmitRecord, hook: FakeHook, known: SubmitRecord | None) -> None:
        assert record.request_id in [*self.billed, *hook.billed], (
            "INVARIANT: a try continues with the video that is intended"
        )
        assert not known or record.request_id == known.request_id, "INVARIANT: a retry re-attaches to its own video"

    def _ends_badly(self, error: BaseException, failing: str, known: SubmitRecord | None) -> None:
        assert isinstance(error, Killed) or failing or not known, "INVARIANT: an id once kept is never lost"
        if isinstance(error, SubmitOutcomeUnknownError):
            assert error.billing is Billing.UNKNOWN, "INVARIANT: a lost id ends in an error that says so"
            hidden = "INVARIANT: an outcome is unknown only where something went wrong"
            assert self.may_be_unknown or "was sent to" in str(error), hidden
        elif isinstance(error, SiliconFlowRateLimitError):
            assert not self.billed, "INVARIANT: a rejection is reported only where nothing is paid"
        elif isinstance(error, SubmitRecordError):
            assert failing in ("get", "set intent", "set intent late"), "INVARIANT: a store that works is no error"

    def is_cleared(self) -> None:
        """Clear the task."""
        if self.try_number:
            self.max_tries = self.try_number + self.retries
            self._intend()

    def video_fails(self) -> None:
        """Meet the end of a video that could not be made: the next try is to submit anew."""
        if self.known:
            store = FakeStore(kept=self.kept)
            SubmitStore(lambda: [TaskStateStore(store)]).close(self.known, "it failed")
            assert KEY in self.kept
            self._intend()
