"""What an account may not do: calls a minute, unfinished videos."""

from __future__ import annotations

import pytest

from tests.unit.sandbox.caller import I2V, PNG, Caller
from tests.unit.sandbox.conftest import Start


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
