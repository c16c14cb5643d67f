"""What the head of an answer says."""

from __future__ import annotations

import pytest

from airflow_provider_siliconflow.client.failures import error_from
from airflow_provider_siliconflow.client.parsing import (
    read_submit,
)
from tests.unit.client.answers import answer


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": " 17 "}, 17.0),
        ({"retry-after": "9" * 400}, 999_999_999.0),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "1.5"}, None),
        ({"retry-after": "٣"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "Sat, 01 Aug 2026 12:01:00 GMT", "date": "Sat, 01 Aug 2026 12:00:00 GMT"}, 60.0),
        ({"retry-after": "Sat, 01 Aug 2026 11:00:00 GMT", "date": "Sat, 01 Aug 2026 12:00:00 GMT"}, 0.0),
        ({"retry-after": "Sat, 01 Aug 2026 12:01:00 GMT"}, None),
        ({"retry-after": "Sat, 01 Aug 2026 12:01:00 GMT", "date": "now"}, None),
        ({"retry-after": "Sat, 01 Aug 2026 12:01:00 -0000", "date": "Sat, 01 Aug 2026 12:00:00 GMT"}, None),
        ({"retry-after": "Sat, 99 Aug 99999 12:01:00 GMT", "date": "Sat, 01 Aug 2026 12:00:00 GMT"}, None),
    ],
)
def test_retry_after_in_seconds_or_as_a_date(headers: dict[str, str], seconds: float | None) -> None:
    assert error_from(answer(429, b"", headers)).retry_after == seconds


def test_a_trace_id_of_broken_bytes_can_still_be_written_down() -> None:
    traced = answer(200, {"requestId": "id"}, {"x-siliconcloud-trace-id": "ti_\udcff"})
    assert read_submit(traced).trace_id == "ti_?"
