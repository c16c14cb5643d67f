"""The routes that need no job: models and balance."""

from __future__ import annotations

import pytest

from tests.unit.sandbox.caller import I2V, T2V, Caller
from tests.unit.sandbox.conftest import Start


def test_models_on_offer_are_a_switch(start: Start) -> None:
    caller = start(models=("Wan-AI/Wan2.1-T2V-14B",))
    assert caller.submit().json()["code"] == 20012
    assert caller.submit(model="Wan-AI/Wan2.1-T2V-14B").status_code == 200


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("?type=video", [I2V, T2V]),
        ("", [I2V, T2V]),
        ("?type=text", []),
        ("?type=video&sub_type=text-to-video", [T2V]),
        ("?type=video&sub_type=image-to-video", []),
    ],
)
def test_models_are_listed(shared: Caller, query: str, names: list[str]) -> None:
    said = shared.get("/models" + query).json()
    assert said["object"] == "list"
    assert [model["id"] for model in said["data"]] == names
    assert all(model.keys() == {"id", "object", "created", "owned_by"} for model in said["data"])


def test_balance_is_told_on_com_and_gone_on_cn(start: Start) -> None:
    caller = start(balance=10)
    assert caller.get("/user/info").status_code == 410
    com = Caller(caller.sandbox, caller.sandbox.key_com, caller.sandbox.base_url_com)
    assert com.submit().status_code == 200
    said = com.get("/user/info").json()
    assert (said["code"], said["data"]["totalBalance"]) == (20000, "9.71")
    com.close()
