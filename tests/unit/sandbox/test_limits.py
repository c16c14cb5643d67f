"""What an account may not do, and what it pays."""

from __future__ import annotations

import pytest

from tests.unit.sandbox.caller import I2V, PNG, Caller
from tests.unit.sandbox.conftest import Start


def test_balance_is_told_on_com_and_gone_on_cn(start: Start) -> None:
    caller = start(balance=10)
    assert caller.get("/user/info").status_code == 410
    com = Caller(caller.sandbox, caller.sandbox.key_com, caller.sandbox.base_url_com)
    assert com.submit().status_code == 200
    said = com.get("/user/info").json()
    assert (said["code"], said["data"]["totalBalance"]) == (20000, "9.71")
    com.close()


@pytest.mark.parametrize(("tell", "told"), [(True, "60"), (False, None)])
def test_submits_are_limited_for_an_account_and_model(start: Start, tell: bool, told: str | None) -> None:
    caller = start(submits_per_minute=2, retry_after=tell)
    assert [caller.submit().status_code for _ in range(2)] == [200, 200]
    rejected = caller.submit()
    assert (rejected.status_code, "code" in rejected.json()) == (429, False)
    assert rejected.headers.get("Retry-After") == told
    assert caller.submit(model=I2V, image=PNG).status_code == 200
    other = Caller(caller.sandbox, caller.sandbox.key_other)
    assert other.submit().status_code == 200
    other.close()
    caller.sandbox.advance(60)
    assert caller.submit().status_code == 200
    assert caller.sandbox.ledger().billed == 5


def test_status_calls_are_limited_for_an_account(start: Start) -> None:
    caller = start(statuses_per_minute=1, retry_after=True)
    request_id = caller.request_id()
    assert caller.status(request_id).status_code == 200
    rejected = caller.status(request_id)
    assert (rejected.status_code, rejected.headers["Retry-After"]) == (429, "60")
    caller.sandbox.advance(61)
    assert caller.status(request_id).status_code == 200


def test_unfinished_videos_are_limited(start: Start) -> None:
    caller = start(in_flight=1)
    assert caller.submit().status_code == 200
    assert caller.submit().status_code == 429
    caller.sandbox.advance(600)
    assert caller.submit().status_code == 200


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
