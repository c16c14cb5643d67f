"""What is wrong with a submit, which is rejected unbilled."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from tests.unit.sandbox.caller import I2V, PNG, Caller
from tests.unit.sandbox.conftest import Start


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"model": "Lightricks/LTX-Video"}, 400, 20012),
        ({"model": ...}, 400, 20012),
        ({"model": ["a"]}, 400, 20012),
        ({"prompt": ...}, 400, 20015),
        ({"prompt": "  "}, 400, 20015),
        ({"prompt": 7}, 400, 20015),
        ({"image_size": "1920x1080"}, 400, 20015),
        ({"image_size": ...}, 400, 20015),
        ({"seed": "7"}, 400, 20015),
        ({"seed": True}, 400, 20015),
        ({"model": I2V}, 400, 20015),
        ({"model": I2V, "image": 7}, 400, 20015),
        ({"model": I2V, "image": "cat.png"}, 400, 20015),
        ({"model": I2V, "image": "data:image/png;base64,***"}, 400, 20015),
        ({"model": I2V, "image": "data:text/plain;base64,aGVsbG8="}, 400, 20015),
        ({"model": I2V, "image": "data:image/png;base64,aGVsbG8="}, 400, 20015),
    ],
)
def test_a_bad_submit_is_rejected_unbilled(shared: Caller, fields: dict[str, Any], status: int, code: int) -> None:
    before = shared.sandbox.ledger()
    answer = shared.submit(**fields)
    after = shared.sandbox.ledger()
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.json().keys() == {"code", "message", "data"}
    assert (after.accepted, after.billed) == (before.accepted, before.billed)
    assert (after.submit_calls, after.rejected) == (before.submit_calls + 1, before.rejected + 1)
    assert after.rejections["400"] == before.rejections.get("400", 0) + 1


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"7"])
def test_a_submit_that_is_no_json_object_is_rejected(shared: Caller, body: bytes) -> None:
    answer = shared.session.post(f"{shared.base_url}/video/submit", data=body, headers=shared.headers, timeout=30)
    assert (answer.status_code, answer.json()["code"]) == (400, 20015)


@pytest.mark.parametrize("image", [PNG, "https://example.test/image", "http://example.test/image?x=1"])
def test_an_image_comes_as_url_or_as_data_uri(shared: Caller, image: str) -> None:
    assert shared.submit(model=I2V, image=image).status_code == 200


def test_a_large_image_gets_413_only_above_the_limit(start: Start) -> None:
    caller = start()
    five = 5 * 1024 * 1024
    fits = "data:image/png;base64," + base64.b64encode(b"\x89PNG".ljust(five, b".")).decode()
    large = "data:image/png;base64," + base64.b64encode(b"\x89PNG".ljust(five + 1, b".")).decode()
    assert caller.submit(model=I2V, image=fits).status_code == 200
    rejected = caller.submit(model=I2V, image=large)
    assert (rejected.status_code, rejected.json()["code"]) == (413, 20043)
    assert start(max_image_bytes=0).submit(model=I2V, image=large).status_code == 200


@pytest.mark.parametrize(("how", "status"), [("accept", 200), ("ignore", 200), ("reject", 400)])
def test_text_to_video_with_an_image_is_a_switch(start: Start, how: str, status: int) -> None:
    assert start(t2v_image=how).submit(image=PNG).status_code == status
