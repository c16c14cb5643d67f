"""Of tasks with one destination, one pays; the claim is there as long as its video may come, and no longer."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.execution_time import comms

from airflow_provider_siliconflow.exceptions import DestinationError, DestinationRefusedError
from airflow_provider_siliconflow.operators.video import GenerateVideoOperator
from airflow_provider_siliconflow.sandbox.faults import Fault
from airflow_provider_siliconflow.sandbox.server import Sandbox
from tests.unit.archive.files import names
from tests.unit.operators.tasks import FAILS, FINISHED_AFTER, REQUEST, is_archived
from tests.unit.worker import DiesBefore, TaskRun, in_dag

pytestmark = pytest.mark.usefixtures("first_poll_at_once")


def generating(clip: Path, map_index: int = -1, **arguments: Any) -> TaskRun:
    given = {"destination": str(clip), "poke_interval": 0.01, "retries": 2}
    return TaskRun(in_dag(GenerateVideoOperator, **REQUEST | given | arguments), map_index=map_index)


def test_the_second_of_two_mapped_tasks_pays_nothing(sandbox: Sandbox, clip: Path) -> None:
    first, second = generating(clip, 0), generating(clip, 1)
    assert first.work().state == "deferred"

    report = second.finish()

    assert report.state == "failed"
    assert isinstance(report.error, DestinationRefusedError)
    assert re.search(r"DAG a_dag, run run, task video, map index 0 since .*ti\.map_index", str(report.error))
    assert sandbox.ledger().billed == 1
    sandbox.advance(FINISHED_AFTER)
    assert first.finish().state == "success"
    assert is_archived(clip, sandbox)


@pytest.mark.parametrize(("if_exists", "billed"), [("skip", 1), ("overwrite", 2)])
def test_a_task_that_may_wait_is_retried(sandbox: Sandbox, clip: Path, if_exists: str, billed: int) -> None:
    first, second = generating(clip, 0, if_exists=if_exists), generating(clip, 1, if_exists=if_exists)
    assert first.work().state == "deferred"
    report = second.finish()
    assert report.state == "up_for_retry"
    assert isinstance(report.error, DestinationError)
    assert sandbox.ledger().billed == 1
    sandbox.advance(FINISHED_AFTER)
    assert first.finish().state == "success"

    second.next_try()
    if second.work().state == "deferred":
        sandbox.advance(FINISHED_AFTER)
        assert second.finish().state == "success"

    assert sandbox.ledger().billed == billed
    assert is_archived(clip, sandbox, billed - 1)


def test_a_killed_task_keeps_its_destination_for_its_retry(sandbox: Sandbox, clip: Path) -> None:
    first, second = generating(clip, 0), generating(clip, 1)
    first.before = DiesBefore(comms.SetXCom)
    assert first.work().state == "killed"
    assert second.finish().state == "failed"
    assert sandbox.ledger().billed == 1
    sandbox.advance(FINISHED_AFTER)
    assert first.retry().state == "success"
    assert is_archived(clip, sandbox)


@pytest.mark.parametrize("status", [400, 401, 402, 403])
def test_a_rejected_submit_leaves_the_destination_free(sandbox: Sandbox, clip: Path, status: int) -> None:
    sandbox.script(Fault("submit", "answer", status=status, body='{"message": "no"}'))
    assert generating(clip, 0).finish().state == "failed"
    assert names(clip.parent) == []


def test_an_invalid_request_leaves_the_destination_free(sandbox: Sandbox, clip: Path) -> None:
    assert generating(clip, 0, image_size="1x1").finish().state == "failed"
    assert names(clip.parent) == []


def test_a_failed_video_leaves_the_destination_free(sandbox: Sandbox, clip: Path) -> None:
    run = generating(clip, 0, prompt=FAILS, retries=0)
    assert run.work().state == "deferred"
    sandbox.advance(FINISHED_AFTER)
    assert run.finish().state == "failed"
    assert names(clip.parent) == []


def test_a_cleared_task_has_its_destination_again(sandbox: Sandbox, clip: Path) -> None:
    run = generating(clip, 0)
    assert run.work().state == "deferred"
    run.reset_by_clear()
    assert run.work().state == "deferred"
    sandbox.advance(FINISHED_AFTER)
    assert run.finish().state == "success"
    assert is_archived(clip, sandbox, 1)


@pytest.mark.parametrize("probe", [True, False])
def test_the_check_of_a_store_can_be_turned_off(sandbox: Sandbox, clip: Path, probe: bool, monkeypatch: Any) -> None:
    asked = []

    def prepare(*_: Any, probe: bool, **__: Any) -> None:
        asked.append(probe)
        raise DestinationError("as if it could not be written to")

    monkeypatch.setattr("airflow_provider_siliconflow.archive.prepare.prepare_destination", prepare)
    assert generating(clip, probe_destination=probe).finish().state == "up_for_retry"
    assert asked == [probe]
    assert sandbox.ledger().billed == 0
    assert generating(clip, probe_destination="False").finish().state == "failed"
