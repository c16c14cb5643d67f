"""A submit that may die, be refused or lose its answer: in Airflow's own worker code, against the sandbox's ledger."""

from __future__ import annotations

import json
import logging
import socket
from typing import Any

import pytest
from airflow.sdk.execution_time import comms
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_siliconflow.exceptions import (
    InvalidVideoRequestError,
    SiliconFlowError,
    SubmitConflictError,
    SubmitOutcomeUnknownError,
    SubmitRecordError,
)
from airflow_provider_siliconflow.hooks.siliconflow import SiliconFlowHook
from airflow_provider_siliconflow.operators.submit import _integer, wait_after
from airflow_provider_siliconflow.operators.video import SubmitVideoOperator
from airflow_provider_siliconflow.sandbox.faults import Fault
from airflow_provider_siliconflow.sandbox.server import Sandbox
from tests.unit.conftest import Clock
from tests.unit.worker import MODEL, DiesBefore, Killed, TaskRun, in_dag


def submitting(**arguments: Any) -> TaskRun:
    request = {"prompt": "a {{ params.what }}", "model": MODEL, "image_size": "1280x720", "retries": 3}
    return TaskRun(in_dag(SubmitVideoOperator, **request | arguments))


# --- what is written, and when --------------------------------------------------------------------------------------


def test_the_intent_is_kept_before_the_post_and_the_id_before_anything_else(still: Sandbox) -> None:
    seen: list[tuple[str, int]] = []

    def note(message: Any) -> None:
        kind = type(message).__name__
        if kind in ("SetTaskStateStore", "SetXCom"):
            what = message.key if kind == "SetXCom" else "id" if message.value["request_id"] else "intent"
            seen.append((what, still.ledger().submit_calls))

    run = submitting()
    run.before = note
    report = run.finish()

    assert report.state == "success"
    assert seen == [("intent", 0), ("id", 1), ("submission", 1), ("return_value", 1)]
    (job,) = still.ledger().jobs
    assert job["prompt"] == "a cat"
    assert run.xcoms["return_value"] == run.record["request_id"] == job["request_id"]
    assert run.xcoms["submission"] == {
        **{"request_id": job["request_id"], "model": MODEL, "host": still.base_url},
        **{"trace_id": run.record["trace_id"], "submitted_at": run.record["submitted_at"]},
    }


UNKNOWN = "SubmitOutcomeUnknownError"


@pytest.mark.parametrize(
    ("dies", "then", "billed", "kept"),
    [
        pytest.param(DiesBefore(comms.SetTaskStateStore), "success", 1, "id", id="before the intent"),
        pytest.param(DiesBefore(comms.SetTaskStateStore, count=2), UNKNOWN, 1, "intent", id="after the answer"),
        pytest.param(DiesBefore(comms.SetXCom, "submission"), "success", 1, "id", id="after the id"),
        pytest.param(DiesBefore(comms.SetXCom, "return_value"), "success", 1, "id", id="after the facts"),
        pytest.param(DiesBefore(comms.SucceedTask), "success", 1, "id", id="after the XCom"),
    ],
)
def test_a_retry_after_a_death_pays_nothing_again(
    still: Sandbox, dies: DiesBefore, then: str, billed: int, kept: str
) -> None:
    run = submitting()
    run.before = dies
    assert run.finish().state == "killed"
    first = [job["request_id"] for job in still.ledger().jobs]

    report = run.retry()

    assert (type(report.error).__name__ if report.error else report.state) == then
    assert still.ledger().billed == billed
    assert ("id" if run.record["request_id"] else "intent") == kept
    if first and report.state == "success":
        assert run.xcoms["return_value"] == first[0]


def test_a_death_between_intent_and_post_is_an_unknown_outcome(still: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(*_: Any, **__: Any) -> None:
        raise Killed

    run = submitting()
    with monkeypatch.context() as patch:
        patch.setattr(SiliconFlowHook, "submit_video", die)
        assert run.finish().state == "killed"

    report = run.retry()

    assert report.state == "failed"
    assert isinstance(report.error, SubmitOutcomeUnknownError)
    for fact in (run.record["intent_at"], MODEL, still.base_url, "the price of a video", "may be running and billed"):
        assert fact in str(report.error)
    assert still.ledger().submit_calls == 0


# --- retry or clear -------------------------------------------------------------------------------------------------


def test_a_clear_submits_anew_and_says_that_it_pays_again(still: Sandbox, caplog: pytest.LogCaptureFixture) -> None:
    run = submitting()
    run.finish()
    first = run.xcoms["return_value"]

    assert run.clear().state == "success"

    assert still.ledger().billed == 2
    assert run.xcoms["return_value"] != first
    assert f"submits anew and pays the price of a video again. On record was video {first}" in caplog.text


def test_a_clear_takes_up_the_video_if_it_is_told_to(still: Sandbox) -> None:
    run = submitting(reuse_on_clear=True)
    run.finish()
    first = run.xcoms["return_value"]

    assert run.clear().state == run.clear().state == "success"

    assert still.ledger().billed == 1
    assert run.xcoms["return_value"] == first


@pytest.mark.parametrize("retries", [0, 1])
def test_a_task_that_a_dead_scheduler_left_behind_is_no_cleared_one(still: Sandbox, retries: int) -> None:
    """The next scheduler resets such a task whatever its retries: its tries grow beyond them, nobody paid again."""
    run = submitting(retries=retries)
    run.before = DiesBefore(comms.SucceedTask)
    run.finish()
    for _ in range(3):
        assert run.retry().state == "success"
    assert still.ledger().billed == 1


def test_a_task_without_retries_that_is_cleared_while_it_runs_submits_anew(still: Sandbox) -> None:
    run = submitting(retries=0)
    run.before = DiesBefore(comms.SucceedTask)
    run.finish()
    run.clear_number += 1  # All that Airflow changes then, besides the try.
    assert run.retry().state == "success"
    assert still.ledger().billed == 2


@pytest.mark.parametrize(("policy", "state", "billed"), [("fail", "failed", 1), ("resubmit", "success", 2)])
def test_another_request_than_the_one_paid_for(still: Sandbox, policy: str, state: str, billed: int) -> None:
    run = submitting(on_unknown_submit=policy)
    run.before = DiesBefore(comms.SucceedTask)
    run.finish()
    run.task.seed = 7

    report = run.retry()

    assert report.state == state
    assert still.ledger().billed == billed
    if policy == "fail":
        assert isinstance(report.error, SubmitConflictError)
        assert f"already paid for video {run.record['request_id']}" in str(report.error)


# --- a lost answer --------------------------------------------------------------------------------------------------


def test_a_lost_answer_is_never_submitted_again_by_itself(still: Sandbox) -> None:
    still.script(Fault("submit", "reset", after=True))
    run = submitting()

    report = run.finish()

    assert report.state == "failed", "no retry may follow"
    assert isinstance(report.error, SubmitOutcomeUnknownError)
    for fact in (
        MODEL,
        still.base_url,
        "sent between",
        "would cost the price of a video",
        "clear the task if you want",
    ):
        assert fact in str(report.error)
    assert run.retry().state == "failed"
    assert (still.ledger().submit_calls, still.ledger().billed) == (1, 1)
    assert run.clear().state == "success"
    assert still.ledger().billed == 2


def test_a_lost_answer_is_submitted_again_by_a_retry_if_the_user_says_so(still: Sandbox) -> None:
    still.script(Fault("submit", "reset", after=True))
    run = submitting(on_unknown_submit="resubmit")

    report = run.finish()

    assert report.state == "up_for_retry"
    assert "A retry submits anew: on_unknown_submit='resubmit'" in str(report.error)
    assert "may be running and billed all the same" in str(report.error)
    assert "not submitted again" not in str(report.error)
    assert run.retry().state == "success"
    assert still.ledger().billed == 2


# --- the store fails ------------------------------------------------------------------------------------------------


def failing(kind: type, number: int = 1) -> Any:
    left = iter(range(number))

    def fail(message: Any) -> None:
        if isinstance(message, kind) and next(left, None) == number - 1:
            raise RuntimeError("the API server is away")

    return fail


def test_an_intent_that_cannot_be_kept_sends_nothing(still: Sandbox) -> None:
    run = submitting()
    run.before = failing(comms.SetTaskStateStore)
    report = run.finish()
    assert report.state == "up_for_retry"
    assert isinstance(report.error, SubmitRecordError)
    assert "the API server is away" in str(report.error)
    assert "Nothing was submitted by this try" in str(report.error)
    assert still.ledger().submit_calls == 0
    assert run.retry().state == "success"


def test_an_id_that_cannot_be_kept_does_not_end_the_try(still: Sandbox, caplog: pytest.LogCaptureFixture) -> None:
    run = submitting()
    run.before = failing(comms.SetTaskStateStore, 2)
    assert run.finish().state == "success"
    (job,) = still.ledger().jobs
    assert run.xcoms["return_value"] == job["request_id"]
    assert f"Video {job['request_id']} is paid for, but this try alone knows its id" in caplog.text


@pytest.mark.parametrize("kept", ["garbage", {"request_id": "vid1"}, [1], None])
def test_a_record_that_cannot_be_read_sends_nothing(still: Sandbox, kept: Any) -> None:
    run = submitting()
    if kept is None:
        run.before = failing(comms.GetTaskStateStore)
    else:
        run.store["siliconflow.submit"] = kept
    report = run.finish()
    assert report.state == "up_for_retry"
    assert isinstance(report.error, SubmitRecordError)
    assert "not the same as no record" in str(report.error)
    assert still.ledger().submit_calls == 0


def test_an_airflow_without_a_store_says_once_what_protection_is_missing(
    still: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    run = submitting()
    run.has_store = False
    assert run.finish().state == "success"
    (warning,) = (entry for entry in caplog.records if entry.levelno >= logging.WARNING)
    assert "no task state store" in warning.getMessage()
    assert still.ledger().billed == 1


# --- refused for now ------------------------------------------------------------------------------------------------

LIMIT = Fault("submit", "rate_limited", retry_after=42)


@pytest.mark.parametrize(
    ("fault", "least", "most"),
    [
        pytest.param(LIMIT, 42, 42, id="429 with Retry-After"),
        pytest.param(Fault("submit", "rate_limited", retry_after=1), 10, 10, id="429 with a Retry-After too short"),
        pytest.param(Fault("submit", "rate_limited"), 10, 15, id="429"),
        pytest.param(Fault("submit", "overloaded"), 10, 15, id="503 overloaded"),
        pytest.param(Fault("submit", "busy", retry_after=70), 70, 70, id="503 busy with Retry-After"),
    ],
)
def test_a_refusal_defers_until_it_is_worth_another_try(
    still: Sandbox, clock: Clock, fault: Fault, least: float, most: float, capsys: pytest.CaptureFixture[str]
) -> None:
    still.script(fault)
    run = submitting()
    began = clock.now

    report = run.work()

    assert report.state == "deferred"
    assert clock.naps == [], "nobody sleeps in a worker"
    assert still.ledger().submit_calls == 1, "the hook does not try again by itself"
    assert report.message.classpath.endswith("triggers.submit.SubmitLaterTrigger")
    told = report.message.trigger_kwargs
    wait = round(told["until"] - began, 3)
    assert least <= wait <= most
    assert (told["since"], told["refusals"]) == (began, 1)
    assert 1 < report.message.trigger_timeout.total_seconds() - wait < 301, "Airflow's own time-out comes later"
    assert run.record is None, "nothing is paid for, and the record says so"
    assert "Nothing was submitted, nothing is billed. Tries again in" in capsys.readouterr().out

    report = run.work()

    assert report.state == "success"
    assert run.try_number == 1, "no retry is burnt"
    assert clock.now == pytest.approx(told["until"])
    assert (still.ledger().submit_calls, still.ledger().billed) == (2, 1)


def test_a_host_that_refuses_connections_defers_too(
    still: Sandbox, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        host = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
    connection = {"conn_type": "siliconflow", "password": still.key, "host": host}
    with monkeypatch.context() as patch:
        patch.setenv("AIRFLOW_CONN_SILICONFLOW_DEFAULT", json.dumps(connection))
        run = submitting()
        assert run.work().state == "deferred"
        assert run.record is None
    assert run.work().state == "success"
    assert still.ledger().billed == 1


def test_a_503_of_a_proxy_between_is_no_refusal(still: Sandbox) -> None:
    still.script(Fault("submit", "answer", status=503, body="<html>", content_type="text/html"))
    report = submitting().finish()
    assert report.state == "failed"
    assert isinstance(report.error, SubmitOutcomeUnknownError)


def test_facts_are_kept_from_one_refusal_to_the_next(still: Sandbox, clock: Clock) -> None:
    still.script(Fault("submit", "rate_limited", times=4))
    run = submitting()
    began = clock.now
    for refusals in (1, 2, 3, 4):
        told = run.work().message.trigger_kwargs
        assert (told["since"], told["refusals"]) == (began, refusals)
    assert run.work().state == "success"
    assert (still.ledger().submit_calls, still.ledger().billed) == (5, 1)


def test_refusals_without_an_end_end_at_the_timeout(still: Sandbox, clock: Clock) -> None:
    still.script(Fault("submit", "rate_limited", times=0))
    run = submitting(submit_timeout=600)
    began = clock.now

    report = run.finish()

    assert report.state == "up_for_retry"
    assert type(report.error) is SiliconFlowError
    said = str(report.error)
    calls = still.ledger().submit_calls
    assert f"refused {calls} times in {clock.now - began:.0f} s (submit_timeout is 600 s)" in said
    assert "HTTP 429" in said
    assert said.endswith("Nothing was submitted, nothing is billed.")
    assert clock.now <= began + 600
    assert run.record is None
    assert still.ledger().billed == 0


def test_a_wait_beyond_the_timeout_is_not_begun(still: Sandbox, clock: Clock) -> None:
    still.script(Fault("submit", "rate_limited", retry_after=601))
    report = submitting(submit_timeout=600).finish()
    assert report.state == "up_for_retry"
    assert "refused 1 times in 0 s" in str(report.error)
    assert clock.naps == []


def test_a_final_refusal_fails_at_once(still: Sandbox) -> None:
    still.script(Fault("submit", "empty_balance"))
    run = submitting()
    report = run.finish()
    assert report.state == "failed"
    assert "Nothing was submitted, nothing is billed" in str(report.error)
    assert run.record is None


def test_a_triggerer_that_gives_up_costs_nothing(still: Sandbox, clock: Clock) -> None:
    still.script(LIMIT)
    run = submitting()
    run.work()
    assert run.fail_deferral().state == "up_for_retry"
    assert run.retry().state == "success"
    assert still.ledger().billed == 1


@settings(deadline=None, derandomize=True, database=None)
@given(st.integers(1, 5000), st.none() | st.floats(0, 1e6))
def test_a_wait_is_long_enough_for_airflow_and_bounded(refusals: int, asked: float | None) -> None:
    wait = wait_after(refusals, asked)
    assert wait >= 10
    if asked is None:
        assert wait <= 1.5 * min(10 * 2 ** (refusals - 1), 300)
    else:
        assert wait == max(asked, 10)


# --- killed, and other small things ---------------------------------------------------------------------------------


def test_on_kill_says_nothing_where_nothing_was_submitted(still: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    still.script(Fault("submit", "empty_balance"))
    report = submitting().finish()
    capsys.readouterr()
    report.task.on_kill()
    assert capsys.readouterr().out == ""


def test_on_kill_tells_the_truth(still: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    run = submitting()
    report = run.finish()
    capsys.readouterr()
    report.task.on_kill()
    said = capsys.readouterr().out
    assert f"This cancels nothing: video {run.record['request_id']} goes on at SiliconFlow and is billed" in said
    assert "A retry takes it up by its record, if one was kept" in said
    assert still.ledger().submit_calls == 1


@pytest.mark.parametrize(
    ("seed", "read"), [(7, 7), (" 7 ", 7), ("-1", -1), ("", None), ("None", None), (" ", None), (None, None)]
)
def test_a_seed_may_come_as_text(seed: int | str | None, read: int | None) -> None:
    assert _integer(seed) == read


@pytest.mark.parametrize("seed", ["seven", "1.5", "1e3"])
def test_a_seed_that_is_no_number_is_refused_before_anything_is_sent(still: Sandbox, seed: str) -> None:
    report = submitting(seed=seed).finish()
    assert report.state == "failed"
    assert isinstance(report.error, InvalidVideoRequestError)
    assert f"seed {seed!r} is not an integer" in str(report.error)
    assert still.ledger().submit_calls == 0
