"""A list that the service takes no more of, for now or for good."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_provider_siliconflow.sandbox.faults import Fault
from airflow_provider_siliconflow.sandbox.server import Sandbox
from tests.unit.conftest import Clock
from tests.unit.operators.batch.runs import (
    FINISHED_AFTER,
    all_ids,
    archived,
    batching,
    kwargs_of,
    retried,
    run_to_end,
    state_of,
    states,
    woken,
)


def test_a_limit_in_mid_list_defers_and_loses_nothing(sandbox: Sandbox, patient: Clock, tmp_path: Path) -> None:
    sandbox.script(Fault("submit", "rate_limited", times=0, match="b"))
    began = patient.now
    run = batching(tmp_path, ["a", "b", "c"])

    assert run.work().state == "deferred"

    assert 45 <= patient.now - began <= 47
    kwargs = kwargs_of(run)
    assert 10 <= kwargs["wake_at"] - patient.now <= 15
    assert set(kwargs["videos"]) == all_ids(sandbox)
    assert [job["prompt"] for job in sandbox.ledger().jobs] == ["a"]
    sandbox.clear_faults()
    assert woken(run).state == "deferred"
    assert [job["prompt"] for job in sandbox.ledger().jobs] == ["a", "b", "c"]
    sandbox.advance(FINISHED_AFTER)
    assert woken(run, sorted(all_ids(sandbox))).state == "success"
    assert archived(tmp_path) == all_ids(sandbox)
    assert sandbox.ledger().billed == 3


def test_a_limit_before_the_first_submit_waits_for_no_video(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.script(Fault("submit", "rate_limited"))
    run = batching(tmp_path, ["a", "b"])
    assert run.work().state == "deferred"
    assert kwargs_of(run)["videos"] == {}
    assert woken(run).state == "deferred"
    assert sandbox.ledger().billed == 2


def test_a_worker_waits_a_little_as_long_as_the_service_says(sandbox: Sandbox, patient: Clock, tmp_path: Path) -> None:
    sandbox.script(Fault("submit", "rate_limited", retry_after=7), Fault("submit", "rate_limited"))
    assert batching(tmp_path, ["a"]).work().state == "deferred"
    assert patient.sleeps == [7, 1]
    assert sandbox.ledger().billed == 1


def test_what_the_service_asks_for_beyond_that_is_waited_for_in_the_triggerer(
    sandbox: Sandbox, patient: Clock, tmp_path: Path
) -> None:
    sandbox.script(Fault("submit", "rate_limited", retry_after=120))
    run = batching(tmp_path, ["a"])
    assert run.work().state == "deferred"
    assert patient.sleeps == []
    assert kwargs_of(run)["wake_at"] == pytest.approx(patient.now + 120)


def test_rejected_for_too_long_is_told_and_the_others_are_archived(
    sandbox: Sandbox, patient: Clock, tmp_path: Path
) -> None:
    sandbox.script(Fault("submit", "rate_limited", times=0, match="b"))
    run = batching(tmp_path, ["a", "b", "c"], submit_timeout=300)
    report = run.work()
    for _ in range(20):
        if not state_of(run)["rejections"]:
            break
        patient.sleep(max(0.0, report.message.trigger_kwargs["wake_at"] - patient.now))
        report = woken(run)
        if len(state_of(run)["items"]) == 2:
            break
    sandbox.advance(FINISHED_AFTER)
    assert woken(run, sorted(all_ids(sandbox))).state == "up_for_retry", "a retry submits what was never sent"
    assert states(run) == ["archived", "rejected", "not_submitted"]
    reasons = [row["reason"] for row in run.xcoms["manifest"]["videos"]]
    assert "submit_timeout is 300 s" in reasons[1]
    assert reasons[2] == "Not submitted, for the reason of request 1."
    assert sandbox.ledger().billed == 1


@pytest.mark.parametrize("status", [401, 402, 403])
def test_what_the_account_may_not_do_stops_the_submits_at_once(sandbox: Sandbox, tmp_path: Path, status: int) -> None:
    sandbox.script(Fault("submit", "answer", status=status, body='{"message": "no"}', times=0, match="b"))
    run = batching(tmp_path, ["a", "b", "c", "d"], retries=1)
    assert run_to_end(run, sandbox).state == "up_for_retry"
    assert states(run) == ["archived", "rejected", "not_submitted", "not_submitted"]
    assert [row["billing"] for row in run.xcoms["manifest"]["videos"]][1:] == ["rejected", *["not_submitted"] * 2]
    assert sandbox.ledger().submit_calls == 2
    assert retried(run, sandbox).state == "success", "what is archived is kept, by the last try as well"
    assert (sandbox.ledger().submit_calls, sandbox.ledger().billed) == (3, 1)


@pytest.mark.parametrize("status", [402, 429])
def test_what_is_paid_is_reattached_though_submits_are_rejected(sandbox: Sandbox, tmp_path: Path, status: int) -> None:
    run = batching(tmp_path, ["b", "a"])
    run.task.requests = ["a"]
    assert run.work().state == "deferred"
    run.fail_deferral("gone")
    sandbox.script(Fault("submit", "answer", status=status, body='{"message": "no"}', times=0))
    run.task.requests = ["b", "a"]
    sandbox.advance(FINISHED_AFTER)
    run.next_try()
    report = run.work()
    assert archived(tmp_path) == all_ids(sandbox)
    assert report.state == ("success" if status == 402 else "deferred")
