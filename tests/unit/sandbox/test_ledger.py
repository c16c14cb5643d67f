"""The ledger tells the truth: under concurrency, under any faults, and of what is billed when."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_siliconflow.sandbox.faults import Fault
from airflow_provider_siliconflow.sandbox.ledger import Ledger
from airflow_provider_siliconflow.sandbox.responses import CANNED
from airflow_provider_siliconflow.sandbox.server import Sandbox
from airflow_provider_siliconflow.sandbox.settings import Settings
from tests.unit.sandbox.caller import NOON, Caller
from tests.unit.sandbox.conftest import Start


def assert_sums_agree(ledger: Ledger, price: float = 2.0) -> None:
    jobs = ledger.jobs
    assert ledger.accepted == len(jobs) == len({job["request_id"] for job in jobs})
    assert ledger.submit_calls == ledger.accepted + ledger.rejected
    assert ledger.rejected == sum(ledger.rejections.values())
    assert ledger.billed == sum(job["billed"] for job in jobs)
    assert ledger.answered == sum(job["answered"] for job in jobs) <= ledger.accepted
    assert ledger.shown == sum(job["shown_at"] is not None for job in jobs) <= ledger.finished
    assert ledger.fetched == sum(job["downloads"] for job in jobs)
    assert ledger.finished == sum(job["outcome"] == "Succeed" for job in jobs)
    assert ledger.failed == sum(job["outcome"] == "Failed" for job in jobs)
    assert sum(ledger.spent.values()) == pytest.approx(price * ledger.billed)


def test_the_ledger_is_true_under_concurrency(start: Start) -> None:
    caller = start(submits_per_minute=60, in_flight=50, fail_chance=0.2)
    caller.sandbox.script(Fault("submit", "reset", after=True, chance=0.2), Fault("submit", "busy", chance=0.2))

    def submit(_: int) -> str | None:
        one = Caller(caller.sandbox)
        try:
            return str(one.submit().json().get("requestId") or "") or None
        except requests.ConnectionError:
            return None
        finally:
            one.close()

    with ThreadPoolExecutor(8) as pool:
        told = {request_id for request_id in pool.map(submit, range(120)) if request_id}
    ledger = caller.sandbox.ledger()
    assert_sums_agree(ledger)
    assert ledger.submit_calls == 120
    assert told == {job["request_id"] for job in ledger.jobs if job["answered"]}
    assert 0 < len(told) < ledger.billed == 50


_FAULTS = st.one_of(
    st.none(),
    st.builds(
        Fault,
        route=st.sampled_from(["submit", "status", "download"]),
        kind=st.sampled_from(["reset", "slow", *CANNED]),
        after=st.booleans(),
    ),
    st.builds(Fault, st.just("download"), st.sampled_from(["cut", "garbage", "changed"]), at_byte=st.integers(1, 900)),
)
_STEPS = st.lists(
    st.tuples(_FAULTS, st.sampled_from(["submit", "submit-failing", "poll", "fetch", "advance"])), max_size=25
)


@pytest.fixture(scope="module")
def audited() -> Iterator[Caller]:
    switches = Settings(tiny=True, submits_per_minute=6, balance=30, url_seconds=600)
    with Sandbox(switches, start=NOON) as sandbox:
        caller = Caller(sandbox)
        yield caller
        caller.close()


@settings(
    max_examples=100, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=_STEPS)
def test_whatever_goes_wrong_the_sums_agree(audited: Caller, steps: list[tuple[Fault | None, str]]) -> None:
    audited.sandbox.reset()
    told: list[str] = []
    urls: list[str] = []
    fetched = 0
    for fault, step in steps:
        if fault is not None:
            audited.sandbox.script(fault)
        try:
            if step.startswith("submit"):
                said = audited.submit(prompt="[fail: x]" if step == "submit-failing" else "x")
                told += _field(said, "requestId")
            elif step == "poll" and told:
                said = audited.status(told[-1])
                videos = (_field(said, "results") or [None])[0] or {}
                urls += [video["url"] for video in videos.get("videos", []) if video["url"]]
            elif step == "fetch" and urls:
                fetched += audited.download(urls[-1]).content.startswith(b"\x00\x00\x00")
            elif step == "advance":
                audited.sandbox.advance(200)
        except requests.RequestException:
            pass
    ledger = audited.sandbox.ledger()
    assert_sums_agree(ledger)
    assert len(told) == len(set(told)) == ledger.answered <= ledger.billed
    assert set(told) <= {job["request_id"] for job in ledger.jobs}
    assert ledger.fetched <= fetched


def _field(answer: requests.Response, name: str) -> list[Any]:
    try:
        value = answer.json()
    except ValueError:
        return []
    return [value[name]] if answer.status_code == 200 and isinstance(value, dict) and name in value else []


@pytest.mark.parametrize("status", [402, 403])
def test_a_balance_runs_out(start: Start, status: int) -> None:
    caller = start(balance=5, balance_status=status)
    assert [caller.submit().status_code for _ in range(3)] == [200, 200, status]
    assert caller.submit().json()["code"] == 30001
    ledger = caller.sandbox.ledger()
    assert (ledger.billed, ledger.spent["cn"]) == (2, 4.0)


@pytest.mark.parametrize(
    ("charge", "bill_failed", "billed"),
    [
        ("accepted", True, (2, 2)),
        ("accepted", False, (2, 1)),
        ("finished", True, (0, 2)),
        ("finished", False, (0, 1)),
    ],
)
def test_when_and_what_is_billed_are_switches(
    start: Start, charge: str, bill_failed: bool, billed: tuple[int, int]
) -> None:
    caller = start(charge=charge, bill_failed=bill_failed)
    caller.request_id()
    caller.request_id(prompt="[fail: x]")
    before = caller.sandbox.ledger()
    caller.sandbox.advance(600)
    after = caller.sandbox.ledger()
    assert (before.billed, after.billed) == billed
    assert (after.finished, after.failed) == (1, 1)
    assert after.spent["cn"] == 2 * billed[1]
