"""A list of which videos are late or cannot be archived: no other suffers, and none is lost."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_siliconflow._airflow.names import AirflowFailException
from airflow_provider_siliconflow.exceptions import (
    VideoTimeoutError,
)
from airflow_provider_siliconflow.hooks.siliconflow import SiliconFlowHook
from airflow_provider_siliconflow.jobs import archive as jobs_archive
from airflow_provider_siliconflow.jobs import batch_archive
from airflow_provider_siliconflow.jobs.archive import archive_paid_video
from airflow_provider_siliconflow.sandbox.faults import Fault
from airflow_provider_siliconflow.sandbox.server import Sandbox
from tests.unit.conftest import Clock
from tests.unit.operators.batch.runs import (
    FAILS,
    FINISHED_AFTER,
    all_ids,
    archived,
    batching,
    kwargs_of,
    retried,
    run_to_end,
    states,
    woken,
)


def test_a_late_video_fails_the_task_once_the_others_are_safe(sandbox: Sandbox, patient: Clock, tmp_path: Path) -> None:
    run = batching(tmp_path, ["a", "b"], timeout=60)
    assert run.work().state == "deferred"
    assert kwargs_of(run)["wake_at"] == kwargs_of(run)["deadline"] == patient.now + 60
    late = sandbox.ledger().jobs[1]["request_id"]
    sandbox.script(Fault("status", "answer", body='{"status": "InProgress"}', status=200, times=0, match=late))
    patient.sleep(FINISHED_AFTER)

    # Whatever the trigger saw, all are polled once time is up.
    report = woken(run, [])

    assert isinstance(report.error, VideoTimeoutError)
    assert report.state == "up_for_retry"
    assert states(run) == ["archived", "timed_out"]
    assert "A retry of this task re-attaches to it, which costs nothing" in str(report.error)
    assert archived(tmp_path) == {sandbox.ledger().jobs[0]["request_id"]}
    sandbox.clear_faults()
    assert retried(run, sandbox).state == "success"
    assert archived(tmp_path) == all_ids(sandbox)
    assert sandbox.ledger().billed == 2


def test_videos_that_are_ready_at_once_need_no_trigger(sandbox: Sandbox, tmp_path: Path) -> None:
    run = batching(tmp_path, ["a", "b"])
    run.before = lambda message: sandbox.advance(FINISHED_AFTER) if sandbox.ledger().accepted == 2 else None
    assert run.work().state == "success"
    assert archived(tmp_path) == all_ids(sandbox)


def test_an_event_ahead_of_the_service_waits_again(sandbox: Sandbox, tmp_path: Path) -> None:
    run = batching(tmp_path, ["a", "b"])
    assert run.work().state == "deferred"
    assert woken(run, [*all_ids(sandbox), "a-stranger"]).state == "deferred"
    assert set(kwargs_of(run)["videos"]) == all_ids(sandbox)


def test_the_next_trigger_knows_when_each_video_was_last_polled(sandbox: Sandbox, tmp_path: Path) -> None:
    run = batching(tmp_path, ["a", "b"])
    assert run.work().state == "deferred"
    before = time.time()
    ended, other = sorted(all_ids(sandbox))
    woken(run, [ended], last_polled={ended: 2.0, other: 1.0})
    last_polled = {request_id: times[1] for request_id, times in kwargs_of(run)["videos"].items()}
    assert last_polled[other] == 1.0, "by the trigger before"
    assert last_polled[ended] >= before, "by the task itself"


@pytest.mark.parametrize("fault", ["garbage", "cut"])
def test_a_video_that_cannot_be_archived_harms_no_other_and_is_retried(
    sandbox: Sandbox, tmp_path: Path, fault: str
) -> None:
    run = batching(tmp_path, ["a", "b", "c"])
    assert run.work().state == "deferred"
    bad = sandbox.ledger().jobs[1]["request_id"]
    sandbox.script(Fault("download", fault, times=0, match=bad, at_byte=100))
    sandbox.advance(FINISHED_AFTER)

    report = run.work()

    assert report.state == "up_for_retry"
    assert not isinstance(report.error, VideoTimeoutError)
    assert states(run) == ["archived", "not_archived", "archived"]
    assert archived(tmp_path) == all_ids(sandbox) - {bad}
    assert "Signature" not in json.dumps(run.xcoms)
    sandbox.clear_faults()
    assert retried(run, sandbox).state == "success"
    assert archived(tmp_path) == all_ids(sandbox)
    assert sandbox.ledger().billed == 3


def test_a_mistake_while_archiving_breaks_off_no_other(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = archive_paid_video

    async def mistaken(hook: Any, target: Any, url: str | None, video: Any) -> dict[str, Any]:
        if video.prompt == "a":
            raise RuntimeError("a mistake with https://bucket.example/clip.mp4?Signature=abcdef123")
        return await archive(hook, target, url, video)

    monkeypatch.setattr(jobs_archive, "archive_paid_video", mistaken)
    run = batching(tmp_path, ["a", "b", "c"])
    assert run_to_end(run, sandbox).state == "up_for_retry"
    assert states(run) == ["not_archived", "archived", "archived"]
    assert run.xcoms["manifest"]["videos"][0]["reason"].startswith("a mistake")
    assert "abcdef123" not in str(run.xcoms)


def test_a_rejected_key_is_waited_out_and_loses_no_paid_video(sandbox: Sandbox, patient: Clock, tmp_path: Path) -> None:
    run = batching(tmp_path, ["a", "b"], timeout=60)
    assert run.work().state == "deferred"
    sandbox.change_key("cn", "sk-another")
    assert woken(run, sorted(all_ids(sandbox))).state == "deferred"
    patient.sleep(FINISHED_AFTER)
    report = woken(run)
    assert report.state == "up_for_retry"
    assert not isinstance(report.error, AirflowFailException)
    assert states(run) == ["timed_out", "timed_out"]
    sandbox.change_key("cn", sandbox.key)
    assert retried(run, sandbox).state == "success"
    assert archived(tmp_path) == all_ids(sandbox)


def test_a_request_id_that_the_service_rejects_for_a_grace_period_is_retried(
    sandbox: Sandbox, patient: Clock, tmp_path: Path
) -> None:
    run = batching(tmp_path, ["a", "b"])
    assert run.work().state == "deferred"
    lost = sandbox.ledger().jobs[0]["request_id"]
    sandbox.script(Fault("status", "answer", status=404, body='"not found"', times=0, match=lost))
    sandbox.advance(FINISHED_AFTER)
    assert woken(run, sorted(all_ids(sandbox))).state == "deferred", "one rejected poll is none"
    report = woken(run, ended={lost: "rejected"})
    assert report.state == "up_for_retry"
    assert not isinstance(report.error, AirflowFailException)
    assert states(run) == ["not_archived", "archived"]
    sandbox.clear_faults()
    assert retried(run, sandbox).state == "success"
    assert sandbox.ledger().billed == 2


def test_a_video_that_is_safe_already_needs_no_service_any_more(sandbox: Sandbox, tmp_path: Path) -> None:
    run = batching(tmp_path, ["a", FAILS], fail_on_partial_error=True)
    assert run_to_end(run, sandbox).state == "up_for_retry"
    sandbox.script(Fault("status", "answer", status=404, body='"not found"', times=0, match=archived(tmp_path).pop()))
    run.task.requests = ["a"]
    assert retried(run, sandbox).state == "success"
    assert states(run) == ["archived"]


def test_a_trigger_that_fails_is_deferred_to_again_and_at_last_the_worker_waits(
    sandbox: Sandbox, tmp_path: Path, patient: Clock
) -> None:
    run = batching(tmp_path, ["a"], retries=0, poke_interval=None)
    assert run.work().state == "deferred"
    assert woken(run, message="ValueError: oops").state == "deferred"
    assert run.fail_deferral("gone").state == "deferred"
    assert woken(run, message="ValueError: oops").state == "success"
    assert patient.sleeps
    assert sandbox.ledger().billed == 1


def test_a_worker_that_waits_ends_at_the_deadline(sandbox: Sandbox, tmp_path: Path, patient: Clock) -> None:
    run = batching(tmp_path, ["a"], retries=1, timeout=40, poke_interval=None)
    run.work()
    for _ in range(2):
        assert run.fail_deferral("gone").state == "deferred"
    report = run.fail_deferral("gone")
    assert report.state == "up_for_retry"
    (job,) = sandbox.ledger().jobs
    assert job["request_id"] in str(report.error)
    assert sum(patient.sleeps) <= 41
    sandbox.advance(FINISHED_AFTER)
    assert retried(run, sandbox).state == "success"
    assert sandbox.ledger().billed == 1


def test_a_trigger_that_fails_loses_no_video_that_is_ready(sandbox: Sandbox, tmp_path: Path) -> None:
    run = batching(tmp_path, ["a", "b"], retries=0)
    assert run.work().state == "deferred"
    sandbox.advance(FINISHED_AFTER)
    assert run.fail_deferral("no such class").state == "success"
    assert archived(tmp_path) == all_ids(sandbox)


def test_the_soonest_to_expire_comes_first_and_few_at_a_time(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    at_once: list[int] = []
    running = 0
    expires_at: dict[str, datetime] = {}

    async def archive(hook: Any, destination: str, url: str | None, video: Any, *more: Any) -> dict[str, Any]:
        nonlocal running
        order.append(video.request_id)
        running += 1
        at_once.append(running)
        await asyncio.sleep(0)
        running -= 1
        return {"path": video.request_id}

    monkeypatch.setattr(jobs_archive, "archive_paid_video", archive)
    prompts = [f"video {number}" for number in range(12)]
    run = batching(tmp_path, prompts)
    assert run.work().state == "deferred"
    sandbox.advance(FINISHED_AFTER)
    ids = [job["request_id"] for job in sandbox.ledger().jobs]
    start = datetime(2026, 8, 1, tzinfo=UTC)
    expires_at |= {request_id: start - timedelta(seconds=number) for number, request_id in enumerate(ids[:-1])}
    expires = property(lambda status: expires_at.get(status.request_id))
    monkeypatch.setattr("airflow_provider_siliconflow.client.models.VideoStatus.expires_at", expires)
    assert run.work().state == "success"
    # The one whose expiry is not known comes last.
    assert order == [*ids[-2::-1], ids[-1]]
    assert max(at_once) == batch_archive.ARCHIVES_AT_ONCE


def test_few_polls_at_a_time(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock, running, at_once = threading.Lock(), 0, 0
    poll: Callable[..., Any] = SiliconFlowHook.poll

    def counted(self: SiliconFlowHook, request_id: str) -> Any:
        nonlocal running, at_once
        with lock:
            running += 1
            at_once = max(at_once, running)
        found = poll(self, request_id)
        with lock:
            running -= 1
        return found

    monkeypatch.setattr(SiliconFlowHook, "poll", counted)
    run = batching(tmp_path, [f"video {number}" for number in range(20)])
    assert run_to_end(run, sandbox).state == "success"
    assert 1 <= at_once <= batch_archive.POLLS_AT_ONCE
