"""Tasks that wait in the worker: the same answers as in the triggerer, for a slot held all the while."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_siliconflow.exceptions import SubmitRejectedError
from airflow_provider_siliconflow.jobs import record, video_job
from airflow_provider_siliconflow.sandbox.faults import Fault
from airflow_provider_siliconflow.sandbox.server import Sandbox
from tests.unit.conftest import Clock
from tests.unit.operators.batch.runs import archived, batching, states
from tests.unit.operators.tasks import generating, is_archived, submitting
from tests.unit.worker import TaskRun

pytestmark = pytest.mark.usefixtures("first_poll_at_once")

KINDS = ("SubmitVideoOperator", "GenerateVideoOperator", "GenerateVideoBatchOperator")
LIST_DEFAULTS = f"""
import inspect, json
from airflow_provider_siliconflow.operators import video
from airflow_provider_siliconflow.operators.base import PaidVideoOperator

task = dict(task_id="t", prompt="a", model="m", image_size="1280x720", destination="/x/", requests=["a"])
wanted = dict(SubmitVideoOperator=("prompt", "model", "image_size"))
wanted["GenerateVideoOperator"] = (*wanted["SubmitVideoOperator"], "destination")
wanted["GenerateVideoBatchOperator"] = ("requests", "destination")
told = {{
    name: getattr(video, name)(task_id="t", **{{each: task[each] for each in wanted[name]}}).deferrable
    for name in {KINDS!r}
}}
print(json.dumps(told))
"""


@pytest.mark.parametrize(("config", "deferrable"), [(None, False), ("False", False), ("True", True)])
def test_where_a_task_waits_is_as_the_configuration_says(config: str | None, deferrable: bool) -> None:
    env = dict(os.environ) | ({"AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE": config} if config else {})
    ran = subprocess.run([sys.executable, "-c", LIST_DEFAULTS], env=env, capture_output=True, text=True, check=True)
    assert json.loads(ran.stdout.splitlines()[-1]) == dict.fromkeys(KINDS, deferrable)


def task_of(kind: str, folder: Path, **arguments: Any) -> TaskRun:
    if kind == "submit":
        return submitting(deferrable=False, **arguments)
    if kind == "generate":
        return generating(folder / "clip.mp4", deferrable=False, poke_interval=15, **arguments)
    return batching(folder, ["a cat"], deferrable=False, poke_interval=15, **arguments)


@pytest.mark.parametrize("kind", ["submit", "generate", "batch"])
def test_a_worker_submits_again_until_the_service_accepts(
    sandbox: Sandbox, clock: Clock, tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (record, video_job):
        monkeypatch.setattr(module, "now", lambda: datetime.fromtimestamp(clock.now, UTC).isoformat())
    sandbox.script(Fault("submit", "rate_limited", retry_after=70, times=3))
    run = task_of(kind, tmp_path)
    report = run.work()
    assert report.state == "success"
    assert [each for each in clock.sleeps if each != 15][:3] == [70, 70, 70], "as long as the service says"
    assert (sandbox.ledger().submit_calls, sandbox.ledger().billed) == (4, 1)
    if kind == "generate":
        assert is_archived(tmp_path / "clip.mp4", sandbox)
    if kind == "submit":
        assert run.record["intent_at"] == run.record["submitted_at"], "the times of the submit that was accepted"


@pytest.mark.parametrize("kind", ["submit", "generate"])
def test_rejections_without_an_end_tell_the_same_in_worker_and_triggerer(
    sandbox: Sandbox, clock: Clock, tmp_path: Path, kind: str
) -> None:
    sandbox.script(Fault("submit", "rate_limited", retry_after=100, times=0))
    told = []
    for deferrable in (False, True):
        run = task_of(kind, tmp_path, submit_timeout=350)
        run.task.deferrable = deferrable
        report = run.finish()
        assert report.state == "up_for_retry"
        assert isinstance(report.error, SubmitRejectedError)
        assert run.record is None
        told.append(str(report.error))
    assert told[0].partition("trace id")[0] == told[1].partition("trace id")[0]
    assert "rejected 4 times in 300 s" in told[0]
    assert list(tmp_path.iterdir()) == [], "the destination is free again"


def test_a_list_is_submitted_polled_and_archived_by_one_worker(sandbox: Sandbox, clock: Clock, tmp_path: Path) -> None:
    sandbox.script(Fault("submit", "rate_limited", retry_after=60, times=2, match="b"))
    run = batching(tmp_path, ["a", "b", "c [fail: too dark]"], deferrable=False, poke_interval=15)
    report = run.work()
    assert report.state == "success"
    assert states(run) == ["archived", "archived", "failed"]
    assert set(clock.sleeps) == {15}, "what is pending is polled while a submit waits"
    ledger = sandbox.ledger()
    assert (ledger.billed, ledger.fetched) == (3, 2)
    assert len(archived(tmp_path)) == 2


def test_a_list_that_is_late_is_found_again_by_a_retry(sandbox: Sandbox, clock: Clock, tmp_path: Path) -> None:
    run = batching(tmp_path, ["a", "b"], deferrable=False, poke_interval=15, timeout=20)
    report = run.work()
    assert report.state == "up_for_retry"
    assert states(run) == ["timed_out", "timed_out"]
    assert clock.sleeps == [15, 5], "until the deadline, not beyond"
    sandbox.advance(600)
    assert run.retry().state == "success"
    assert sandbox.ledger().billed == len(archived(tmp_path)) == 2


def test_polls_that_fail_come_less_often(sandbox: Sandbox, clock: Clock, tmp_path: Path) -> None:
    run = batching(tmp_path, ["a"], deferrable=False, poke_interval=1, timeout=600)
    sandbox.script(Fault("status", "overloaded", times=0))
    assert run.work().state == "up_for_retry"
    assert clock.sleeps[:7] == [1, 5, 10, 20, 40, 60, 60]
