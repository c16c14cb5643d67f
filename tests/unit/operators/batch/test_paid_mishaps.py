"""Paid videos of a list, and everything around them that goes wrong afterwards."""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_siliconflow._airflow.names import AirflowFailException
from airflow_provider_siliconflow.billing import Billing
from airflow_provider_siliconflow.sandbox.faults import Fault
from airflow_provider_siliconflow.sandbox.server import Sandbox
from tests.unit.operators.batch.runs import (
    FINISHED_AFTER,
    all_ids,
    archived,
    batching,
    retried,
    run_to_end,
    states,
    woken,
)
from tests.unit.worker import MODEL, Report

CONN = "AIRFLOW_CONN_SILICONFLOW_DEFAULT"
BROKEN = {"missing": None, "no key": '{"conn_type": "siliconflow"}', "no JSON": "{"}
I2V = "Wan-AI/Wan2.2-I2V-A14B"


def break_connection(monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    if BROKEN[how] is None:
        monkeypatch.delenv(CONN)
    else:
        monkeypatch.setenv(CONN, str(BROKEN[how]))


def tells_the_paid_videos(report: Report, sandbox: Sandbox) -> None:
    assert report.state == "up_for_retry", report.error
    assert not isinstance(report.error, AirflowFailException)
    for request_id in all_ids(sandbox):
        assert request_id in str(report.error)
    for lie in ("Nothing was submitted", "nothing is billed", "was rejected", "cost nothing"):
        assert lie not in str(report.error)


@pytest.mark.parametrize("has_store", [True, False])
@pytest.mark.parametrize("wake", ["event", "failed", "timed out"])
@pytest.mark.parametrize("how", BROKEN)
def test_a_connection_that_is_broken_as_the_task_resumes(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_store: bool, wake: str, how: str
) -> None:
    run = batching(tmp_path, ["a", "b"])
    run.has_store = has_store
    assert run.work().state == "deferred"
    sandbox.advance(FINISHED_AFTER)
    before = os.environ[CONN]
    break_connection(monkeypatch, how)
    if wake == "event":
        report = woken(run, sorted(all_ids(sandbox)))
    else:
        report = run.fail_deferral("ValueError" if wake == "failed" else "Trigger timeout")
    if report.state != "deferred":
        tells_the_paid_videos(report, sandbox)
    monkeypatch.setenv(CONN, before)
    if report.state == "deferred":
        assert run_to_end(run, sandbox).state == "success"
        assert archived(tmp_path) == all_ids(sandbox)
        assert sandbox.ledger().billed == 2


@pytest.mark.parametrize("how", BROKEN)
def test_a_connection_that_is_broken_for_a_while_rejects_no_request(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    sandbox.script(Fault("submit", "rate_limited", times=0, match="b"))
    run = batching(tmp_path, ["a", "b"])
    assert run.work().state == "deferred"
    sandbox.clear_faults()
    before = os.environ[CONN]
    break_connection(monkeypatch, how)
    report = woken(run)
    assert report.state in ("deferred", "up_for_retry")
    monkeypatch.setenv(CONN, before)
    sandbox.advance(FINISHED_AFTER)
    report = run_to_end(run, sandbox) if report.state == "deferred" else retried(run, sandbox)
    if report.state == "up_for_retry":
        report = retried(run, sandbox)
    assert report.state == "success"
    assert states(run) == ["archived"] * 2
    assert sandbox.ledger().billed == 2


CHANGES: list[dict[str, Any]] = [
    {"timeout": "1800"},
    {"poke_interval": -1},
    {"if_exists": "Fail"},
    {"submit_timeout": float("nan")},
    {"destination": None},
    {"destination": "s3://"},
    {"destination": 5},
    {"destination": "foo://x/y"},
    {"requests": 5},
    {"model": "another"},
    {"model": 7.5},
    {"image_size": "\ud800"},
]


@pytest.mark.parametrize("has_store", [True, False])
@pytest.mark.parametrize("wake", ["event", "failed", "timed out"])
@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_an_argument_that_is_another_one_as_the_task_resumes(
    sandbox: Sandbox, tmp_path: Path, has_store: bool, wake: str, change: dict[str, Any]
) -> None:
    run = batching(tmp_path, ["a", "b"])
    run.has_store = has_store
    assert run.work().state == "deferred"
    sandbox.advance(FINISHED_AFTER)
    vars(run.task).update(change)
    if wake == "event":
        report = woken(run, sorted(all_ids(sandbox)))
    else:
        report = run.fail_deferral("ValueError" if wake == "failed" else "Trigger timeout")
    if report.state == "success":
        assert archived(tmp_path) == all_ids(sandbox)
    else:
        tells_the_paid_videos(report, sandbox)
        assert "a retry submits another" not in str(report.error)


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_an_argument_that_is_another_one_in_the_next_try(
    sandbox: Sandbox, tmp_path: Path, change: dict[str, Any]
) -> None:
    run = batching(tmp_path, ["a", "b"])
    assert run.work().state == "deferred"
    sandbox.advance(FINISHED_AFTER)
    vars(run.task).update(change)
    report = retried(run, sandbox)
    assert sandbox.ledger().billed == 2
    if archived(tmp_path) != all_ids(sandbox):
        tells_the_paid_videos(report, sandbox)


@pytest.mark.parametrize("change", CHANGES[:4], ids=str)
def test_nothing_is_called_paid_that_is_not(sandbox: Sandbox, tmp_path: Path, change: dict[str, Any]) -> None:
    sandbox.script(Fault("submit", "rate_limited", times=0))
    run = batching(tmp_path, ["a", "b"])
    assert run.work().state == "deferred"
    vars(run.task).update(change)
    report = woken(run)
    assert getattr(report.error, "billing", None) in (None, Billing.NOT_SUBMITTED), report.error
    assert "keeps running" not in str(report.error)


def image() -> str:
    return "data:image/png;base64," + base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(6000)).decode()


@pytest.mark.parametrize("now", [["another"], 5, None])
def test_a_paid_video_whose_long_image_is_gone_is_found_after_a_failed_deferral(
    sandbox: Sandbox, tmp_path: Path, now: Any
) -> None:
    run = batching(tmp_path, [{"prompt": "it moves", "model": I2V, "image": image()}, "a"])
    assert run.work().state == "deferred"
    assert sandbox.ledger().billed == 2
    sandbox.advance(FINISHED_AFTER)
    run.task.requests = now
    report = run.fail_deferral("ValueError")
    if report.state == "deferred":
        report = run_to_end(run, sandbox)
    assert archived(tmp_path) == all_ids(sandbox)
    assert report.state == "success"


@pytest.mark.parametrize("destination", ["None", "", "  ", None])
def test_a_folder_that_renders_to_nothing_is_refused(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, destination: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    run = batching(tmp_path, ["a"])
    run.task.destination = destination
    report = run.work()
    assert sandbox.ledger().billed == 0, list(tmp_path.rglob("*"))
    assert report.state == "failed"


def test_no_batch_with_paid_videos_says_that_nothing_is_billed(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow_provider_siliconflow.exceptions import ImageUnavailableError
    from airflow_provider_siliconflow.jobs import video_job
    from airflow_provider_siliconflow.jobs.request import build

    def down(fields: Any, folders: Any) -> Any:
        if fields["prompt"] == "b":
            raise ImageUnavailableError("the store is down.")
        return build(fields, folders)

    monkeypatch.setattr(video_job, "build", down)
    run = batching(tmp_path, ["a", "b"])
    report = run_to_end(run, sandbox)
    assert report.state == "up_for_retry"
    assert "nothing is billed" not in str(report.error)
    assert getattr(report.error, "billing", None) is not Billing.NOT_SUBMITTED


def test_a_list_that_changed_once_is_not_paid_for_by_the_second_retry(sandbox: Sandbox, tmp_path: Path) -> None:
    run = batching(tmp_path, ["a"], timeout=0)
    assert run.work().state in ("deferred", "up_for_retry")
    run.task.requests = ["b"]
    for _ in range(3):
        run.next_try()
        report = run.work()
        for _ in range(5):
            if report.state != "deferred":
                break
            report = run.work()
        assert sandbox.ledger().billed == 1


@pytest.mark.parametrize("absent", [None, "", "None", " "])
def test_a_field_of_a_request_that_renders_to_nothing_takes_the_default(
    sandbox: Sandbox, tmp_path: Path, absent: Any
) -> None:
    run = batching(tmp_path, [{"prompt": "a", "model": absent, "image_size": absent}])
    assert run_to_end(run, sandbox).state == "success"
    assert sandbox.ledger().jobs[0]["model"] == MODEL
