"""The routes of both sites, and what is no route."""

from __future__ import annotations

import pytest

from tests.unit.sandbox.caller import Caller
from tests.unit.sandbox.conftest import Start


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/v1/video/status"), ("GET", "/v1/video/submit"), ("GET", "/"), ("POST", "/v2/video/submit")],
)
def test_anything_else_is_404(shared: Caller, method: str, path: str) -> None:
    answer = shared.session.request(method, shared.sandbox.root + path, headers=shared.headers, timeout=30)
    assert (answer.status_code, answer.json()) == (404, "404 page not found")


@pytest.mark.parametrize(
    ("trace", "traced"),
    [("everywhere", (True, True)), ("submit", (True, False)), ("never", (False, False))],
)
def test_the_trace_id_is_a_switch(start: Start, trace: str, traced: tuple[bool, bool]) -> None:
    caller = start(trace=trace)
    submitted = caller.submit()
    polled = caller.status(submitted.json()["requestId"])
    assert ("x-siliconcloud-trace-id" in submitted.headers, "x-siliconcloud-trace-id" in polled.headers) == traced
