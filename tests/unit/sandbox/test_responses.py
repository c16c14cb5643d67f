"""What any response may say."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_siliconflow.sandbox.faults import Fault
from tests.unit.sandbox.caller import Caller


@pytest.mark.parametrize(("told", "header"), [(None, None), (7, "7"), ("Wed, 21 Oct 2026 07:28:00 GMT", ...)])
@pytest.mark.parametrize("kind", ["rate_limited", "busy"])
def test_retry_after_comes_if_told(shared: Caller, kind: str, told: Any, header: Any) -> None:
    shared.sandbox.script(Fault("submit", kind, retry_after=told))
    assert shared.submit().headers.get("Retry-After") == (told if header is ... else header)


def test_any_answer_can_be_ordered(shared: Caller) -> None:
    shared.sandbox.script(Fault("submit", "answer", status=418, body="teapot", content_type="text/plain"))
    answer = shared.submit()
    assert (answer.status_code, answer.text) == (418, "teapot")
