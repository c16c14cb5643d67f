"""Faults on demand, for each route: scripted, by chance, before and after the call was carried out."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
import requests

from airflow_provider_siliconflow.sandbox.faults import Fault, FaultBook
from airflow_provider_siliconflow.sandbox.responses import CANNED
from tests.unit.sandbox.caller import T2V, Caller
from tests.unit.sandbox.conftest import Start


@pytest.mark.parametrize("kind", CANNED)
@pytest.mark.parametrize("after", [False, True])
def test_a_submit_gets_any_answer_and_is_billed_only_if_carried_out(shared: Caller, kind: str, after: bool) -> None:
    before = shared.sandbox.ledger()
    shared.sandbox.script(Fault("submit", kind, after=after))
    answer = shared.submit()
    ledger = shared.sandbox.ledger()
    assert (answer.status_code, answer.content) == (CANNED[kind].status, CANNED[kind].body)
    assert answer.headers["Content-Type"].startswith(CANNED[kind].content_type)
    assert ledger.billed - before.billed == after
    assert ledger.rejected - before.rejected == (not after)
    assert ledger.answered == before.answered
    assert shared.submit().status_code == 200, "a scripted fault meets one call"


@pytest.mark.parametrize("kind", CANNED)
@pytest.mark.parametrize("route", ["status", "models", "balance"])
def test_other_routes_get_any_answer(shared: Caller, route: str, kind: str) -> None:
    shared.sandbox.script(Fault(route, kind))
    calls = {
        "status": lambda: shared.status("abcdefghijkl"),
        "models": lambda: shared.get("/models"),
        "balance": lambda: shared.get("/user/info"),
    }
    answer = calls[route]()
    assert (answer.status_code, answer.content) == (CANNED[kind].status, CANNED[kind].body)
    assert calls[route]().content != b""


@pytest.mark.parametrize("after", [False, True])
def test_a_reset_loses_the_answer(start: Start, after: bool) -> None:
    caller = start()
    caller.sandbox.script(Fault("submit", "reset", after=after))
    with pytest.raises(requests.ConnectionError):
        caller.submit()
    ledger = caller.sandbox.ledger()
    assert (ledger.submit_calls, ledger.accepted, ledger.billed, ledger.answered) == (1, after, after, 0)
    assert ledger.rejections == ({} if after else {"0": 1})


def test_a_late_reset_before_acceptance_bills_nothing(start: Start, pauses: list[float]) -> None:
    caller = start()
    caller.sandbox.script(Fault("submit", "reset", seconds=7))
    with pytest.raises(requests.ConnectionError):
        caller.submit()
    assert caller.sandbox.ledger().rejections == {"0": 1}
    assert pauses == [7]


@pytest.mark.parametrize("after", [False, True])
def test_a_slow_answer_is_true(start: Start, after: bool, pauses: list[float]) -> None:
    caller = start()
    caller.sandbox.script(Fault("submit", "slow", seconds=7, after=after))
    answer = caller.submit()
    assert answer.status_code == 200
    assert pauses == [7]
    assert caller.sandbox.ledger().answered == 1


@pytest.mark.parametrize("after", [False, True])
def test_a_caller_who_left_is_billed_but_not_answered(
    start: Start, after: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    caller, gone, woken, sleep = start(), threading.Event(), threading.Event(), asyncio.sleep

    async def wait_until_gone(_: float) -> None:
        while not gone.is_set():
            await sleep(0.01)
        woken.set()

    monkeypatch.setattr(asyncio, "sleep", wait_until_gone)
    caller.sandbox.script(Fault("submit", "slow", seconds=7, after=after))
    wanted = {"model": T2V, "prompt": "x", "image_size": "960x960"}
    with pytest.raises(requests.ReadTimeout):
        caller.session.post(f"{caller.base_url}/video/submit", json=wanted, headers=caller.headers, timeout=0.1)
    assert caller.sandbox.ledger().billed == after
    gone.set()
    assert woken.wait(30)
    ledger = caller.sandbox.ledger()
    assert (ledger.billed, ledger.answered) == (1, 0)


@pytest.mark.parametrize(("told", "header"), [(None, None), (7, "7"), ("Wed, 21 Oct 2026 07:28:00 GMT", ...)])
@pytest.mark.parametrize("kind", ["rate_limited", "busy"])
def test_retry_after_comes_if_told(shared: Caller, kind: str, told: Any, header: Any) -> None:
    shared.sandbox.script(Fault("submit", kind, retry_after=told))
    assert shared.submit().headers.get("Retry-After") == (told if header is ... else header)


def test_any_answer_can_be_ordered(shared: Caller) -> None:
    shared.sandbox.script(Fault("submit", "answer", status=418, body="teapot", content_type="text/plain"))
    answer = shared.submit()
    assert (answer.status_code, answer.text) == (418, "teapot")


def test_faults_meet_their_calls_in_order_and_by_text(start: Start) -> None:
    caller = start()
    caller.sandbox.script(
        Fault("submit", "busy", times=2),
        Fault("submit", "server_error", match="dog", times=0),
        Fault("status", "not_json"),
    )
    assert [caller.submit(prompt="a dog").status_code for _ in range(4)] == [503, 503, 500, 500]
    request_id = caller.request_id(prompt="a cat")
    assert caller.status(request_id).text == "upstream connect error"
    caller.sandbox.clear_faults()
    assert caller.submit(prompt="a dog").status_code == 200


def test_chance_is_seeded() -> None:
    fault = Fault("submit", "busy", chance=0.3)
    draws = [[FaultBook(seed, [fault]).draw("submit") is not None for _ in range(1)] for seed in range(200)]
    again = [[FaultBook(seed, [fault]).draw("submit") is not None for _ in range(1)] for seed in range(200)]
    book = FaultBook(1, [fault])
    met = sum(book.draw("submit") is fault for _ in range(2000))
    assert draws == again
    assert 500 < met < 700


def test_faults_from_the_start_are_settings(start: Start) -> None:
    caller = start(faults=(Fault("models", "forbidden", times=0),))
    assert [caller.get("/models").status_code for _ in range(3)] == [403] * 3


def test_faults_are_ordered_over_http(start: Start) -> None:
    caller = start()
    control = f"{caller.sandbox.root}/sandbox/faults"
    one, more = {"route": "models", "kind": "busy"}, [{"route": "submit", "kind": "reset", "chance": 0.5}]
    assert len(caller.session.post(control, json=one, timeout=30).json()) == 1
    assert len(caller.session.post(control, json=more, timeout=30).json()) == 2
    assert [left["kind"] for left in caller.session.get(control, timeout=30).json()] == ["busy", "reset"]
    assert caller.get("/models").status_code == 503
    assert [left["kind"] for left in caller.session.get(control, timeout=30).json()] == ["reset"]
    assert caller.session.delete(control, timeout=30).json() == []
    assert caller.session.get(control, timeout=30).json() == []


@pytest.mark.parametrize(
    "wrong",
    [
        7,
        [7],
        {},
        {"route": "submit"},
        {"route": "nowhere", "kind": "reset"},
        {"route": "submit", "kind": "nothing"},
        {"route": "submit", "kind": "cut"},
        {"route": "submit", "kind": "reset", "chance": 2},
        {"route": "submit", "kind": "reset", "times": -1},
        {"route": "submit", "kind": "reset", "seconds": -1},
        {"route": "submit", "kind": "reset", "colour": "red"},
        {"route": "submit", "kind": "reset", "times": "many"},
    ],
)
def test_a_fault_that_makes_no_sense_is_rejected(shared: Caller, wrong: Any) -> None:
    answer = shared.session.post(f"{shared.sandbox.root}/sandbox/faults", json=wrong, timeout=30)
    assert answer.status_code == 400
    assert answer.json()["error"]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("route=submit,kind=reset,after=true,chance=0.05", Fault("submit", "reset", after=True, chance=0.05)),
        ("route=download, kind=cut, at_byte=100", Fault("download", "cut", at_byte=100)),
        (
            "route=download,kind=redirect,url=http://10.0.0.1/x=1",
            Fault("download", "redirect", url="http://10.0.0.1/x=1"),
        ),
    ],
)
def test_a_fault_is_read_from_the_command_line(text: str, fault: Fault) -> None:
    assert Fault.parse(text) == fault
