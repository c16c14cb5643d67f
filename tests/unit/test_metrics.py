"""The metrics of a task: each counted once, under the task's tags, by Airflow's own client."""

from __future__ import annotations

import re
from collections import Counter
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.execution_time import comms

from airflow_provider_siliconflow import metrics
from airflow_provider_siliconflow._airflow import stats
from airflow_provider_siliconflow.operators.video import ArchiveVideoOperator
from airflow_provider_siliconflow.sandbox.faults import Fault
from airflow_provider_siliconflow.sandbox.server import Sandbox
from airflow_provider_siliconflow.sensors.video import VideoReadySensor
from tests.conftest import ROOT
from tests.unit.conftest import Clock
from tests.unit.operators.batch.runs import batching
from tests.unit.operators.batch.runs import run_to_end as run_batch
from tests.unit.operators.tasks import FAILS, FINISHED_AFTER, generating, run_to_end, submitting
from tests.unit.worker import DiesBefore, TaskRun, in_dag

TAGS = {"dag_id": "a_dag", "task_id": "video"}
NAMES = {value for name, value in vars(metrics).items() if name.isupper() and isinstance(value, str)}


class Client:
    """Stand for Airflow's client of a metrics server."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.times: dict[str, timedelta] = {}
        self.tags: list[Any] = []

    def incr(self, name: str, count: int, tags: Any) -> None:
        self.counts[name] += count
        self.tags.append(tags)

    def timing(self, name: str, duration: timedelta, tags: Any) -> None:
        self.times[name] = duration
        self.tags.append(tags)


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch, first_poll_at_once: None) -> Client:
    client = Client()
    monkeypatch.setattr(stats, "_stats", lambda: client)
    return client


def test_a_video_made_by_one_deferred_task(sandbox: Sandbox, clip: Path, client: Client) -> None:
    assert run_to_end(generating(clip), sandbox).state == "success"
    for name in (metrics.SUBMITTED, metrics.READY, metrics.ARCHIVED):
        assert client.counts[name] == 1
    # By the first process, by the trigger and by the process that it woke.
    assert client.counts[metrics.POLLS] == sandbox.ledger().status_calls >= 3
    assert client.counts[metrics.ARCHIVED_BYTES] == clip.stat().st_size
    assert client.times[metrics.WAITED] >= timedelta(0)
    assert all(tags == TAGS for tags in client.tags)


def test_a_retry_counts_no_video_twice(sandbox: Sandbox, clip: Path, client: Client) -> None:
    run = generating(clip)
    run.before = DiesBefore(comms.SucceedTask)
    assert run_to_end(run, sandbox).state == "killed"
    assert run.retry().state == "success"
    assert client.counts[metrics.SUBMITTED] == client.counts[metrics.ARCHIVED] == 1


def test_each_task_of_a_video_counts_its_part(sandbox: Sandbox, clip: Path, client: Client) -> None:
    assert submitting().finish().state == "success"
    (job,) = sandbox.ledger().jobs
    request_id = job["request_id"]
    sandbox.advance(FINISHED_AFTER)
    sensor = TaskRun(in_dag(VideoReadySensor, request_id=request_id, deferrable=False))
    assert sensor.finish().state == "success"
    archive = TaskRun(in_dag(ArchiveVideoOperator, request_id=request_id, destination=str(clip)))
    assert archive.finish().state == "success"
    for name in (metrics.SUBMITTED, metrics.READY, metrics.ARCHIVED):
        assert client.counts[name] == 1
    assert all(tags == TAGS for tags in client.tags)


def test_a_batch_counts_each_of_its_videos(sandbox: Sandbox, tmp_path: Path, client: Client) -> None:
    run = batching(tmp_path, ["a cat", "a dog", FAILS])
    assert run_batch(run, sandbox).state == "success"
    wanted = {metrics.SUBMITTED: 3, metrics.READY: 2, metrics.FAILED: 1, metrics.ARCHIVED: 2}
    assert {name: client.counts[name] for name in wanted} == wanted
    assert client.counts[metrics.POLLS] == sandbox.ledger().status_calls
    assert all(tags == TAGS for tags in client.tags)


def test_what_was_tried_again_is_counted(sandbox: Sandbox, clip: Path, client: Client, clock: Clock) -> None:
    # A poll of a worker is two calls here before it counts as failed.
    sandbox.script(Fault("submit", "rate_limited", times=2), Fault("status", "bad_gateway", times=2))
    assert generating(clip, deferrable=False, poke_interval=60).finish().state == "success"
    assert client.counts[metrics.SUBMIT_RETRIES] == 2
    assert client.counts[metrics.POLL_ERRORS] == 1
    assert client.counts[metrics.SUBMITTED] == 1


def test_a_metrics_server_that_fails_costs_nothing(
    sandbox: Sandbox, clip: Path, monkeypatch: pytest.MonkeyPatch, first_poll_at_once: None
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise OSError("no route")

    monkeypatch.setattr(stats, "_stats", lambda: SimpleNamespace(incr=fail, timing=fail))
    assert run_to_end(generating(clip), sandbox).state == "success"


def test_outside_of_a_task_there_are_no_tags() -> None:
    assert stats.task_tags() == {}


def test_this_release_has_the_client() -> None:
    stats.incr("siliconflow.test", 1)
    assert callable(stats._stats().incr)  # noqa: SLF001


def test_the_page_tells_every_name() -> None:
    page = (ROOT / "docs" / "metrics.md").read_text()
    assert set(re.findall(r"`(siliconflow\.\w+)`", page)) == NAMES
