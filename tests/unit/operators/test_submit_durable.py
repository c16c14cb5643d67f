"""A submit that may die or lose its answer: in Airflow's own worker code, against the sandbox's ledger."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.execution_time import comms

from airflow_provider_siliconflow.exceptions import (
    SubmitConflictError,
    SubmitOutcomeUnknownError,
    SubmitRecordError,
)
from airflow_provider_siliconflow.hooks.siliconflow import SiliconFlowHook
from airflow_provider_siliconflow.operators.submitting import SubmittingOperator
from airflow_provider_siliconflow.sandbox.faults import Fault
from airflow_provider_siliconflow.sandbox.server import Sandbox
from tests.releases import ReadRecord, WriteRecord, written
from tests.unit.operators.tasks import NewTask, failing, is_deleted_by_clear, pay_and_die
from tests.unit.worker import MODEL, DiesBefore, Killed


def test_the_intent_is_kept_before_the_post_and_the_id_before_anything_else(
    sandbox: Sandbox, submitting: NewTask
) -> None:
    seen: list[tuple[str, int]] = []

    def note(message: Any) -> None:
        if record := written(message):
            seen.append(("id" if record["request_id"] else "intent", sandbox.ledger().submit_calls))
        elif isinstance(message, comms.SetXCom):
            seen.append((message.key, sandbox.ledger().submit_calls))

    run = submitting()
    run.before = note
    report = run.finish()

    assert report.state == "success"
    assert seen == [("intent", 0), ("id", 1), ("submission", 1), ("siliconflow_video", 1), ("return_value", 1)]
    (job,) = sandbox.ledger().jobs
    assert job["prompt"] == "a cat"
    assert run.xcoms["return_value"] == run.record["request_id"] == job["request_id"]
    assert run.xcoms["submission"] == {
        **{"request_id": job["request_id"], "model": MODEL, "host": sandbox.base_url},
        **{"trace_id": run.record["trace_id"], "submitted_at": run.record["submitted_at"]},
    }


UNKNOWN = "SubmitOutcomeUnknownError"


#: In each message that writes a record, and in none that writes another Variable.
RECORD = "fingerprint"


@pytest.mark.parametrize(
    ("dies", "then", "billed", "kept"),
    [
        pytest.param(DiesBefore(WriteRecord, RECORD), "success", 1, "id", id="before the intent"),
        pytest.param(DiesBefore(WriteRecord, RECORD, count=2), UNKNOWN, 1, "intent", id="after the answer"),
        pytest.param(DiesBefore(comms.SetXCom, "submission"), "success", 1, "id", id="after the id"),
        pytest.param(DiesBefore(comms.SetXCom, "return_value"), "success", 1, "id", id="after the facts"),
        pytest.param(DiesBefore(comms.SucceedTask), "success", 1, "id", id="after the XCom"),
    ],
)
def test_a_retry_after_a_death_pays_nothing_again(
    sandbox: Sandbox, submitting: NewTask, dies: DiesBefore, then: str, billed: int, kept: str
) -> None:
    run = submitting()
    run.before = replace(dies)
    assert run.finish().state == "killed"
    first = [job["request_id"] for job in sandbox.ledger().jobs]

    report = run.retry()

    assert (type(report.error).__name__ if report.error else report.state) == then
    assert sandbox.ledger().billed == billed
    assert ("id" if run.record["request_id"] else "intent") == kept
    if first and report.state == "success":
        assert run.xcoms["return_value"] == first[0]


def test_a_death_between_intent_and_post_leaves_it_unknown(
    sandbox: Sandbox, submitting: NewTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: Any, **__: Any) -> None:
        raise Killed

    run = submitting()
    with monkeypatch.context() as patch:
        patch.setattr(SiliconFlowHook, "submit_video", die)
        assert run.finish().state == "killed"

    report = run.retry()

    assert report.state == "failed"
    assert isinstance(report.error, SubmitOutcomeUnknownError)
    for fact in (run.record["intent_at"], MODEL, sandbox.base_url, "the price of a video", "may be running and billed"):
        assert fact in str(report.error)
    assert sandbox.ledger().submit_calls == 0


def test_an_image_that_is_gone_hides_no_paid_video(sandbox: Sandbox, submitting: NewTask, tmp_path: Path) -> None:
    image = tmp_path / "cat.png"
    image.write_bytes(b"\x89PNG\r\n\x1a\n and more")
    run = submitting(model="Wan-AI/Wan2.2-I2V-A14B", image=str(image))
    paid = pay_and_die(run)
    image.unlink()

    assert run.retry(DiesBefore(comms.SucceedTask)).state == "killed"

    assert run.xcoms["return_value"] == paid == sandbox.ledger().jobs[0]["request_id"]
    assert sandbox.ledger().billed == 1
    run.before = lambda message: None
    report = run.clear()
    assert report.state == "failed"
    assert "cannot be read" in str(report.error)
    assert is_deleted_by_clear(run) or run.record["request_id"] == paid


@pytest.mark.parametrize(("policy", "state", "billed"), [("fail", "failed", 1), ("resubmit", "success", 2)])
def test_another_request_than_the_one_paid_for(
    sandbox: Sandbox, submitting: NewTask, policy: str, state: str, billed: int
) -> None:
    run = submitting(on_unknown_submit=policy)
    pay_and_die(run)
    run.task.seed = 7

    report = run.retry()

    assert report.state == state
    assert sandbox.ledger().billed == billed
    if policy == "fail":
        assert isinstance(report.error, SubmitConflictError)
        assert f"already paid for video {run.record['request_id']}" in str(report.error)


def test_a_lost_answer_is_never_submitted_again_by_itself(sandbox: Sandbox, submitting: NewTask) -> None:
    sandbox.script(Fault("submit", "reset", after=True))
    run = submitting()

    report = run.finish()

    assert report.state == "failed", "no retry may follow"
    assert isinstance(report.error, SubmitOutcomeUnknownError)
    for fact in (
        MODEL,
        sandbox.base_url,
        "was sent to",
        "Another video costs the price of a video",
        "To pay for another, clear the task",
    ):
        assert fact in str(report.error)
    assert run.retry().state == "failed"
    assert (sandbox.ledger().submit_calls, sandbox.ledger().billed) == (1, 1)
    assert run.clear().state == "success"
    assert sandbox.ledger().billed == 2


def test_a_lost_answer_is_submitted_again_by_a_retry_if_the_user_says_so(sandbox: Sandbox, submitting: NewTask) -> None:
    sandbox.script(Fault("submit", "reset", after=True))
    run = submitting(on_unknown_submit="resubmit")

    report = run.finish()

    assert report.state == "up_for_retry"
    assert "A retry submits it anew and may pay twice" in str(report.error)
    assert "may be running and billed" in str(report.error)
    assert "not submitted again" not in str(report.error)
    assert run.retry().state == "success"
    assert sandbox.ledger().billed == 2


def test_an_intent_that_cannot_be_kept_sends_nothing(sandbox: Sandbox, submitting: NewTask) -> None:
    run = submitting()
    run.before = failing(WriteRecord, about=RECORD)
    report = run.finish()
    assert report.state == "up_for_retry"
    assert isinstance(report.error, SubmitRecordError)
    assert "the API server is away" in str(report.error)
    assert "Nothing was submitted, nothing is billed." in str(report.error)
    assert sandbox.ledger().submit_calls == 0
    assert run.retry().state == "success"


def test_an_id_that_cannot_be_kept_does_not_end_the_try(
    sandbox: Sandbox, submitting: NewTask, caplog: pytest.LogCaptureFixture
) -> None:
    run = submitting()
    run.before = failing(WriteRecord, 2, RECORD)
    assert run.finish().state == "success"
    (job,) = sandbox.ledger().jobs
    assert run.xcoms["return_value"] == job["request_id"]
    assert f"Video {job['request_id']} is paid for, but this try alone knows its request id" in caplog.text


@pytest.mark.parametrize("kept", ["garbage", {"request_id": "vid1"}, [1], None])
def test_a_record_that_cannot_be_read_sends_nothing(sandbox: Sandbox, submitting: NewTask, kept: Any) -> None:
    run = submitting()
    if kept is None:
        run.before = failing(ReadRecord)
    else:
        run.put_on_record(kept)
    report = run.finish()
    assert report.state == "up_for_retry"
    assert isinstance(report.error, SubmitRecordError)
    assert "not the same as no record" in str(report.error)
    assert sandbox.ledger().submit_calls == 0


def test_a_paid_video_stays_on_record_when_another_is_paid_for(sandbox: Sandbox, submitting: NewTask) -> None:
    run = submitting()
    first = pay_and_die(run)
    run.task.prompt, run.task.on_unknown_submit = "another", "resubmit"

    sandbox.script(Fault("submit", "answer", status=402, body='{"message": "no"}'))
    assert run.retry().state == "failed"
    assert run.record["request_id"] == first, "what was rejected replaces no record of a paid video"

    assert run.retry(DiesBefore(comms.SucceedTask)).state == "killed"
    assert run.record["request_id"] != first
    assert run.record["earlier_ids"] == [first]
    assert sandbox.ledger().billed == 2
    run.task.prompt = "a third"
    assert run.retry().state == "success"
    assert len(run.record["earlier_ids"]) == 2


def test_a_task_that_is_stopped_in_the_middle_of_a_submit_logs_what_happens_to_the_money(
    sandbox: Sandbox, submitting: NewTask, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tasks: list[SubmittingOperator] = []
    begin, post = SubmittingOperator.submit, SiliconFlowHook.submit_video

    def begun(self: SubmittingOperator, *args: Any, **kwargs: Any) -> None:
        tasks.append(self)
        begin(self, *args, **kwargs)

    def stopped(self: SiliconFlowHook, *args: Any, **kwargs: Any) -> Any:
        # As Airflow's handler of SIGTERM does.
        tasks[0].on_kill()
        return post(self, *args, **kwargs)

    monkeypatch.setattr(SubmittingOperator, "submit", begun)
    monkeypatch.setattr(SiliconFlowHook, "submit_video", stopped)
    assert submitting().finish().state == "success", "SIGTERM interrupts no answer that comes in time"
    assert "stopped in the middle of a submit. A video may be running and billed" in capsys.readouterr().out
