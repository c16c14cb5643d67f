"""Who may call: keys, sites and accounts."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.sandbox.caller import Caller
from tests.unit.sandbox.conftest import Start


@pytest.mark.parametrize(
    ("authorization", "message"),
    [
        (None, "Invalid token"),
        ("", "Invalid token"),
        ("Bearer unknown", "Invalid token"),
        ("Basic sk-" + "a" * 48, "Invalid token"),
        ("Bearer sk-" + "a" * 48, {"message": "Api key is invalid", "data": None}),
    ],
)
@pytest.mark.parametrize("route", ["/video/submit", "/video/status"])
def test_a_wrong_key_is_rejected(shared: Caller, route: str, authorization: str | None, message: Any) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}
    answer = shared.session.post(shared.base_url + route, json={}, headers=headers, timeout=30)
    assert (answer.status_code, answer.json()) == (401, message)


def test_each_site_knows_its_own_keys_only(shared: Caller) -> None:
    sandbox = shared.sandbox
    cn_key_on_com = Caller(sandbox, base_url=sandbox.base_url_com)
    com_key_on_cn = Caller(sandbox, key=sandbox.key_com)
    for stranger in (cn_key_on_com, com_key_on_cn):
        answer = stranger.submit()
        assert (answer.status_code, answer.json()["message"]) == (401, "Api key is invalid")
        stranger.close()
    for key, base_url in ((sandbox.key_other, sandbox.base_url), (sandbox.key_com, sandbox.base_url_com)):
        friend = Caller(sandbox, key, base_url)
        assert friend.submit().status_code == 200
        friend.close()


def test_an_account_does_not_know_the_ids_of_another(shared: Caller) -> None:
    other = Caller(shared.sandbox, shared.sandbox.key_other)
    request_id = shared.request_id()
    assert other.status(request_id).status_code == 404
    assert shared.status(request_id).status_code == 200
    other.close()


def test_a_key_can_be_changed_while_it_runs(start: Start) -> None:
    caller = start()
    caller.sandbox.change_key("cn", "sk-" + "n" * 48)
    assert caller.submit().status_code == 401
    changed = Caller(caller.sandbox, "sk-" + "n" * 48)
    assert changed.submit().status_code == 200
    changed.close()
