"""Submits that are rejected temporarily, and small things: in Airflow's own worker code, by the sandbox's ledger."""

from __future__ import annotations

import json
import socket

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_siliconflow.exceptions import (
    InvalidVideoRequestError,
    SubmitOutcomeUnknownError,
    SubmitRejectedError,
)
from airflow_provider_siliconflow.jobs.request import read_fields
from airflow_provider_siliconflow.operators.base import backoff
from airflow_provider_siliconflow.sandbox.faults import Fault
from airflow_provider_siliconflow.sandbox.server import Sandbox
from tests.unit.conftest import Clock
from tests.unit.operators.tasks import submitting

# --- rejected temporarily -------------------------------------------------------------------------------------------


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
def test_a_temporary_rejection_defers_until_another_try_is_due(
    sandbox: Sandbox, clock: Clock, fault: Fault, least: float, most: float, capsys: pytest.CaptureFixture[str]
) -> None:
    sandbox.script(fault)
    run = submitting()
    began = clock.now

    report = run.work()

    assert report.state == "deferred"
    assert clock.sleeps == [], "nobody sleeps in a worker"
    assert sandbox.ledger().submit_calls == 1, "the hook does not try again by itself"
    assert report.message.classpath.endswith("triggers.submit.SubmitRetryTrigger")
    told = report.message.trigger_kwargs
    wait = round(told["until"] - began, 3)
    assert least <= wait <= most
    assert (told["since"], told["rejections"]) == (began, 1)
    assert 1 < report.message.trigger_timeout.total_seconds() - wait < 301, "Airflow's own time-out comes later"
    assert run.record is None, "nothing is paid for, and the record says so"
    assert "The submit was rejected, nothing is billed. Tries again in" in capsys.readouterr().out

    report = run.work()

    assert report.state == "success"
    assert run.try_number == 1, "no retry is burnt"
    assert clock.now == pytest.approx(told["until"])
    assert (sandbox.ledger().submit_calls, sandbox.ledger().billed) == (2, 1)


def test_a_host_that_refuses_connections_defers_too(
    sandbox: Sandbox, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        host = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
    connection = {"conn_type": "siliconflow", "password": sandbox.key, "host": host}
    with monkeypatch.context() as patch:
        patch.setenv("AIRFLOW_CONN_SILICONFLOW_DEFAULT", json.dumps(connection))
        run = submitting()
        assert run.work().state == "deferred"
        assert run.record is None
    assert run.work().state == "success"
    assert sandbox.ledger().billed == 1


def test_a_503_of_a_proxy_between_is_no_rejection(sandbox: Sandbox) -> None:
    sandbox.script(Fault("submit", "answer", status=503, body="<html>", content_type="text/html"))
    report = submitting().finish()
    assert report.state == "failed"
    assert isinstance(report.error, SubmitOutcomeUnknownError)


def test_what_is_known_is_kept_from_one_rejection_to_the_next(sandbox: Sandbox, clock: Clock) -> None:
    sandbox.script(Fault("submit", "rate_limited", times=4))
    run = submitting()
    began = clock.now
    for rejections in (1, 2, 3, 4):
        told = run.work().message.trigger_kwargs
        assert (told["since"], told["rejections"]) == (began, rejections)
    assert run.work().state == "success"
    assert (sandbox.ledger().submit_calls, sandbox.ledger().billed) == (5, 1)


def test_rejections_without_an_end_end_at_the_timeout(sandbox: Sandbox, clock: Clock) -> None:
    sandbox.script(Fault("submit", "rate_limited", times=0))
    run = submitting(submit_timeout=600)
    began = clock.now

    report = run.finish()

    assert report.state == "up_for_retry"
    assert isinstance(report.error, SubmitRejectedError)
    said = str(report.error)
    calls = sandbox.ledger().submit_calls
    assert f"rejected {calls} times in {clock.now - began:.0f} s (submit_timeout is 600 s)" in said
    assert "HTTP 429" in said
    assert said.endswith("The submit was rejected, nothing is billed. A retry submits it.")
    assert clock.now <= began + 600
    assert run.record is None
    assert sandbox.ledger().billed == 0


def test_a_wait_beyond_the_timeout_is_not_begun(sandbox: Sandbox, clock: Clock) -> None:
    sandbox.script(Fault("submit", "rate_limited", retry_after=601))
    report = submitting(submit_timeout=600).finish()
    assert report.state == "up_for_retry"
    told = "rejected 1 times in 0 s (submit_timeout is 600 s; the service asks to wait 601 s)"
    assert told in str(report.error)
    assert clock.sleeps == []


def test_a_final_rejection_fails_at_once(sandbox: Sandbox) -> None:
    sandbox.script(Fault("submit", "empty_balance"))
    run = submitting()
    report = run.finish()
    assert report.state == "failed"
    assert "The submit was rejected, nothing is billed." in str(report.error)
    assert run.record is None


def test_a_triggerer_that_gives_up_costs_nothing(sandbox: Sandbox, clock: Clock) -> None:
    sandbox.script(LIMIT)
    run = submitting()
    run.work()
    assert run.fail_deferral().state == "up_for_retry"
    assert run.retry().state == "success"
    assert sandbox.ledger().billed == 1


@settings(deadline=None, derandomize=True, database=None)
@given(st.integers(1, 5000), st.none() | st.floats(0, 1e6))
def test_a_wait_is_long_enough_for_airflow_and_bounded(rejections: int, asked: float | None) -> None:
    wait = backoff(rejections, asked)
    assert wait >= 10
    if asked is None:
        assert wait <= 1.5 * min(10 * 2 ** (rejections - 1), 300)
    else:
        assert wait == max(asked, 10)


# --- killed, and other small things -----------------------------------------------------------------------------------


def test_on_kill_says_nothing_where_nothing_was_submitted(sandbox: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    sandbox.script(Fault("submit", "empty_balance"))
    report = submitting().finish()
    capsys.readouterr()
    report.task.on_kill()
    assert capsys.readouterr().out == ""


def test_on_kill_tells_the_truth(sandbox: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    run = submitting()
    report = run.finish()
    capsys.readouterr()
    report.task.on_kill()
    said = capsys.readouterr().out
    assert f"Video {run.record['request_id']} was submitted, keeps running at the service and is billed" in said
    assert "A retry of this task re-attaches to it" in said
    assert sandbox.ledger().submit_calls == 1


@pytest.mark.parametrize(
    ("seed", "read"), [(7, 7), (" 7 ", 7), ("-1", -1), ("", None), ("None", None), (" ", None), (None, None)]
)
def test_a_seed_may_come_as_text(seed: int | str | None, read: int | None) -> None:
    assert read_fields({"seed": seed}).get("seed") == read


@pytest.mark.parametrize("seed", ["seven", "1.5", "1e3"])
def test_a_seed_that_is_no_number_is_refused_before_anything_is_sent(sandbox: Sandbox, seed: str) -> None:
    report = submitting(seed=seed).finish()
    assert report.state == "failed"
    assert isinstance(report.error, InvalidVideoRequestError)
    assert f"seed is {seed!r} (str): it must be an integer" in str(report.error)
    assert sandbox.ledger().submit_calls == 0
