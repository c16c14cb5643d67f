from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_siliconflow.exceptions import InvalidArgumentError
from airflow_provider_siliconflow.spend_limit import SpendLimit, read_spend_limit

FIELDS = {"folder": "s3://aws@bucket/limits", "max_videos_per_day": 10}


@pytest.mark.parametrize("value", [None, ""])
def test_no_limit_is_none(value: Any) -> None:
    assert read_spend_limit("spend_limit", value) is None


def test_an_object_a_mapping_and_json_give_the_same_limit() -> None:
    limit = SpendLimit.model_validate(FIELDS)
    for value in (limit, FIELDS, json.dumps(FIELDS)):
        assert read_spend_limit("spend_limit", value) == limit


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ({"folder": "/data"}, "needs max_videos_per_run or max_videos_per_day"),
        ({"max_videos_per_day": 1}, "spend_limit.folder: Field required"),
        (FIELDS | {"max_videos_per_day": -1}, "spend_limit.max_videos_per_day: Input should be greater"),
        (FIELDS | {"max_videos_per_day": "ten"}, "spend_limit.max_videos_per_day"),
        (FIELDS | {"max_videos_per_day": True}, "spend_limit.max_videos_per_day"),
        (FIELDS | {"max_videos_per_run": 2.5}, "spend_limit.max_videos_per_run"),
        (FIELDS | {"max_videos_per_day": 10**9}, "spend_limit.max_videos_per_day: Input should be less"),
        (FIELDS | {"folder": "limits"}, "spend_limit.folder: .*absolute path or the URI"),
        (FIELDS | {"folder": "  "}, "spend_limit.folder: .*absolute path or the URI"),
        (FIELDS | {"folder": 7}, "spend_limit.folder"),
        (FIELDS | {"time_zone": "Asia/Nowhere"}, "'Asia/Nowhere' is no time zone"),
        (FIELDS | {"time_zone": "../etc/passwd"}, "is no time zone"),
        (FIELDS | {"on_limit": "wait"}, "spend_limit.on_limit"),
        (FIELDS | {"max_video_per_day": 1}, "spend_limit.max_video_per_day: Extra inputs"),
        ("{", "spend_limit is no JSON"),
        (7, "must be a SpendLimit or a mapping"),
    ],
)
def test_a_mistake_is_told_with_its_field(value: Any, told: str) -> None:
    with pytest.raises(InvalidArgumentError, match=told):
        read_spend_limit("spend_limit", value)


def test_a_day_is_one_of_its_time_zone() -> None:
    limit = SpendLimit(folder="/data", max_videos_per_day=10, time_zone="Asia/Shanghai")
    [before] = limit.periods("run", datetime(2026, 11, 27, 15, 59, 59, tzinfo=UTC))
    [after] = limit.periods("run", datetime(2026, 11, 27, 16, 0, tzinfo=UTC))
    assert before.name == "day 2026-11-27 (Asia/Shanghai)"
    assert after.name == "day 2026-11-28 (Asia/Shanghai)"
    assert before.ends == datetime(2026, 11, 27, 16, 0, tzinfo=UTC)


@given(
    now=st.integers(1_600_000_000, 2_200_000_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC)),
    zone=st.sampled_from(["UTC", "Asia/Shanghai", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]),
)
def test_a_day_ends_after_now_and_within_25_hours(now: datetime, zone: str) -> None:
    [period] = SpendLimit(folder="/data", max_videos_per_day=1, time_zone=zone).periods("run", now)
    assert period.ends
    assert timedelta(0) < period.ends - now <= timedelta(hours=25)
    [following] = SpendLimit(folder="/data", max_videos_per_day=1, time_zone=zone).periods("run", period.ends)
    assert following.name != period.name


def test_a_run_is_counted_by_its_id_and_never_resets() -> None:
    limit = SpendLimit(folder="/data", max_videos_per_run=3, max_videos_per_day=10)
    run, day = limit.periods("scheduled__2026-11-27", datetime(2026, 11, 27, tzinfo=UTC))
    assert (run.name, run.limit, run.ends) == ("run scheduled__2026-11-27", 3, None)
    assert day.limit == 10
