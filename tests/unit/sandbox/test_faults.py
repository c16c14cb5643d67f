"""Faults on demand, for each route: scripted, by chance, before and after the call was carried out."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_siliconflow.sandbox.faults import Fault, FaultBook
from airflow_provider_siliconflow.sandbox.responses import CANNED
from tests.unit.sandbox.caller import Caller
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
def test_a_slow_answer_is_true(start: Start, after: bool, pauses: list[float]) -> None:
    caller = start()
    caller.sandbox.script(Fault("submit", "slow", seconds=7, after=after))
    answer = caller.submit()
    assert answer.status_code == 200
    assert pauses == [7]
    assert caller.sandbox.ledger().answered == 1


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
