"""The sandbox's own routes: other processes read the ledger and steer faults and time."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.sandbox.caller import NOON, Caller
from tests.unit.sandbox.conftest import Start


def test_other_processes_read_and_steer_over_http(start: Start) -> None:
    caller = start()
    root, session = caller.sandbox.root, caller.session
    request_id = caller.request_id(prompt="a dog")
    (job,) = session.get(f"{root}/sandbox/jobs", timeout=30).json()
    assert (job["request_id"], job["status"], job["position"]) == (request_id, "InQueue", 1)
    moved = session.post(f"{root}/sandbox/advance", json={"seconds": 600}, timeout=30)
    assert moved.json() == {"now": NOON + 600}
    (job,) = session.get(f"{root}/sandbox/jobs", timeout=30).json()
    assert (job["status"], job["position"], job["seconds_left"]) == ("Succeed", 0, 0.0)
    ledger = session.get(f"{root}/sandbox/ledger", timeout=30).json()
    assert (ledger["accepted"], ledger["finished"], ledger["jobs"][0]["prompt"]) == (1, 1, "a dog")
    assert session.get(f"{root}/sandbox/ledger?jobs=no", timeout=30).json()["jobs"] == []
    changed = {"account": "cn", "key": "sk-" + "z" * 48}
    assert session.post(f"{root}/sandbox/keys", json=changed, timeout=30).status_code == 200
    assert caller.submit().status_code == 401


@pytest.mark.parametrize(
    ("route", "body"),
    [
        ("advance", "no"),
        ("advance", {}),
        ("advance", {"seconds": -1}),
        ("advance", {"seconds": "soon"}),
        ("keys", {"account": "nobody", "key": "x"}),
        ("keys", []),
    ],
)
def test_a_wrong_order_is_rejected(shared: Caller, route: str, body: Any) -> None:
    answer = shared.session.post(f"{shared.sandbox.root}/sandbox/{route}", json=body, timeout=30)
    assert answer.status_code == 400
    assert answer.json()["error"]
