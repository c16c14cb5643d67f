"""A video that is paid for, and everything around it that goes wrong afterwards: it is never given up in silence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.execution_time import comms

from airflow_provider_siliconflow._airflow.names import AirflowFailException
from airflow_provider_siliconflow.billing import Billing
from airflow_provider_siliconflow.jobs.video_job import VideoJob
from airflow_provider_siliconflow.sandbox.server import Sandbox
from tests.releases import AirflowTaskTimeout, written
from tests.unit.operators.tasks import FINISHED_AFTER, generating, is_archived, run_to_end, submitting
from tests.unit.worker import Report, TaskRun

pytestmark = pytest.mark.usefixtures("first_poll_at_once")

CONN = "AIRFLOW_CONN_SILICONFLOW_DEFAULT"
BROKEN = {"missing": None, "no key": '{"conn_type": "siliconflow"}', "no JSON": "{", "not an object": "[1]"}


def break_connection(monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    if BROKEN[how] is None:
        monkeypatch.delenv(CONN)
    else:
        monkeypatch.setenv(CONN, str(BROKEN[how]))


def tells_the_paid_video(report: Report, paid: str) -> None:
    assert report.state == "up_for_retry", report.error
    assert not isinstance(report.error, AirflowFailException)
    assert getattr(report.error, "billing", None) is Billing.RUNNING, repr(report.error)
    assert paid in str(report.error)
    for lie in ("Nothing was submitted", "nothing is billed", "was rejected"):
        assert lie not in str(report.error)


def writes_id(message: Any) -> bool:
    return bool((written(message) or {}).get("request_id"))


@pytest.mark.parametrize("has_store", [True, False])
@pytest.mark.parametrize("wake", ["event", "failed deferral"])
@pytest.mark.parametrize("how", BROKEN)
def test_a_connection_that_is_broken_as_the_task_resumes(
    sandbox: Sandbox, clip: Path, monkeypatch: pytest.MonkeyPatch, has_store: bool, wake: str, how: str
) -> None:
    run = generating(clip)
    run.has_store = has_store
    report = resumed(run, sandbox, wake, lambda: break_connection(monkeypatch, how))
    tells_the_paid_video(report, sandbox.ledger().jobs[0]["request_id"])


def resumed(run: TaskRun, sandbox: Sandbox, wake: str, change: Any) -> Report:
    assert run.work().state == "deferred"
    sandbox.advance(FINISHED_AFTER)
    assert run.deferral
    kwargs: Any = run.deferral.trigger_kwargs
    change()
    if wake == "event":
        return run.resume({"status": "timed_out", "request_id": kwargs["request_id"], "deadline": 1.0})
    return run.fail_deferral()


CHANGES: list[dict[str, Any]] = [
    {"timeout": "1800"},
    {"poke_interval": -1},
    {"if_exists": "Fail"},
    {"prompt": "half \ud83d"},
    {"seed": "x"},
    {"prompt": None},
    {"model": "another"},
    {"reuse_on_clear": "False"},
    {"destination": None},
    {"destination": "s3://"},
    {"destination": 5},
    {"destination": "foo://x/y"},
]


@pytest.mark.parametrize("has_store", [True, False])
@pytest.mark.parametrize("wake", ["event", "failed deferral"])
@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_an_argument_that_is_another_one_as_the_task_resumes(
    sandbox: Sandbox, clip: Path, has_store: bool, wake: str, change: dict[str, Any]
) -> None:
    run = generating(clip)
    run.has_store = has_store
    report = resumed(run, sandbox, wake, lambda: vars(run.task).update(change))
    if report.state == "success":
        assert is_archived(clip, sandbox)
        return
    tells_the_paid_video(report, sandbox.ledger().jobs[0]["request_id"])
    assert "a retry submits another" not in str(report.error)


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_an_argument_that_is_another_one_in_the_next_try(sandbox: Sandbox, clip: Path, change: dict[str, Any]) -> None:
    run = generating(clip)
    run.work()
    paid = sandbox.ledger().jobs[0]["request_id"]
    sandbox.advance(FINISHED_AFTER)
    vars(run.task).update(change)
    report = run.retry()
    assert sandbox.ledger().billed == 1
    assert report.state == "success" or paid in str(report.error)


def test_a_record_outlives_the_xcom_that_names_it(sandbox: Sandbox, clip: Path) -> None:
    run = generating(clip)
    assert run.work().state == "deferred"
    sandbox.advance(FINISHED_AFTER)
    run.xcoms.clear()
    report = run.fail_deferral()
    assert report.state == "success", report.error
    assert sandbox.ledger().billed == 1


@pytest.mark.parametrize("odd", [{"request_id": 5}, {"request_id": "another"}, [1], "x", {}])
def test_the_record_outweighs_an_xcom_that_was_edited(sandbox: Sandbox, clip: Path, odd: Any) -> None:
    run = generating(clip)
    assert run.work().state == "deferred"
    sandbox.advance(FINISHED_AFTER)
    run.xcoms["submission"] = odd
    report = run.work()
    assert report.state == "success", report.error
    assert is_archived(clip, sandbox)


@pytest.mark.parametrize("kind", [KeyError, RuntimeError, ValueError])
def test_a_mistake_while_archiving_is_told_with_the_money(
    sandbox: Sandbox, clip: Path, monkeypatch: pytest.MonkeyPatch, kind: type[Exception]
) -> None:
    async def fail(*_: object) -> None:
        raise kind("oops")

    monkeypatch.setattr(VideoJob, "archive", fail)
    report = run_to_end(generating(clip), sandbox)
    tells_the_paid_video(report, sandbox.ledger().jobs[0]["request_id"])
    assert "oops" in str(report.error)


@pytest.mark.parametrize("make", [generating, lambda clip, **more: submitting(**more)])
def test_an_xcom_that_cannot_be_pushed_loses_no_id(sandbox: Sandbox, clip: Path, make: Any) -> None:
    failures = [RuntimeError("the API server is away")]

    def fail(message: Any) -> None:
        if isinstance(message, comms.SetXCom) and message.key == "submission":
            raise RuntimeError("the API server is away")
        if writes_id(message) and failures:
            raise failures.pop()

    run = make(clip, retries=1)
    run.before = fail
    report = run.work()
    run.before = lambda message: None
    assert report.state in ("deferred", "success"), report.error
    assert run.record["request_id"] == sandbox.ledger().jobs[0]["request_id"]


def test_a_time_out_as_the_id_is_written_keeps_the_id(sandbox: Sandbox, clip: Path) -> None:
    alarms = [AirflowTaskTimeout("execution_timeout")]

    def alarm(message: Any) -> None:
        if writes_id(message) and alarms:
            raise alarms.pop()

    run = generating(clip)
    run.before = alarm
    assert run.work().state == "up_for_retry"
    sandbox.advance(FINISHED_AFTER)
    report = run.retry()
    assert report.state == "success", report.error
    assert sandbox.ledger().billed == 1


@pytest.mark.parametrize("kept", [[], "x", {}, {"version": 2}, 5, {"request_id": None}, {"fingerprint": 1}])
def test_a_record_that_was_damaged_is_no_absent_record(sandbox: Sandbox, clip: Path, kept: Any) -> None:
    run = generating(clip)
    run.put_on_record(kept)
    report = run.work()
    assert report.state == "up_for_retry", report.error
    assert sandbox.ledger().billed == 0
    assert not json.dumps(str(report.error)).count("nothing is billed")
