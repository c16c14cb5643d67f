from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_siliconflow.billing import Billing
from airflow_provider_siliconflow.client.prices import Price
from airflow_provider_siliconflow.exceptions import SpendLimitError
from airflow_provider_siliconflow.jobs.spending import ScopedLimit, SpendGuard
from airflow_provider_siliconflow.spend_limit import SpendLimit

CNY = Price(2.0, "CNY")
OWNER = "a_dag/run/video/-1"


class Clock(datetime):
    told = datetime(2026, 11, 27, 12, tzinfo=UTC)

    @classmethod
    def now(cls, tz: Any = None) -> Any:
        return cls.told.astimezone(tz)


def guard(*limits: SpendLimit, owner: str = OWNER, run_id: str = "run", price: Price = CNY) -> SpendGuard:
    scopes = ("connection siliconflow_default", "DAG a_dag")
    scoped = [ScopedLimit(scope, limit) for scope, limit in zip(scopes, limits, strict=False)]
    return SpendGuard(scoped, run_id, owner, price, Clock)


def test_without_a_limit_nothing_is_claimed() -> None:
    assert list(guard().claim("first").folders) == []


def test_a_reached_limit_tells_used_cost_and_when_it_resets(tmp_path: Path) -> None:
    limit = SpendLimit(folder=str(tmp_path), max_videos_per_day=1, time_zone="Asia/Shanghai")
    guard(limit, owner="another").claim("first")
    with pytest.raises(SpendLimitError) as told:
        guard(limit).claim("first")
    assert str(told.value) == (
        "The spend limit of connection siliconflow_default, day 2026-11-27 (Asia/Shanghai) is reached:"
        " it allows 1 video (estimated 2.00 CNY), used: 1. It resets at 2026-11-28T00:00:00+08:00."
        " Nothing was submitted, nothing is billed. A retry submits it if the limit allows it then."
    )
    assert told.value.billing is Billing.NOT_SUBMITTED
    assert told.value.resume_at is None


def test_a_task_that_defers_is_told_when_to_continue(tmp_path: Path) -> None:
    limit = SpendLimit(folder=str(tmp_path), max_videos_per_day=0, time_zone="Asia/Shanghai", on_limit="defer")
    with pytest.raises(SpendLimitError) as told:
        guard(limit).claim("first")
    assert told.value.resume_at == datetime(2026, 11, 27, 16, tzinfo=UTC)


def test_after_midnight_there_are_slots_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limit = SpendLimit(folder=str(tmp_path), max_videos_per_day=1)
    guard(limit, owner="another").claim("first")
    monkeypatch.setattr(Clock, "told", datetime(2026, 11, 28, tzinfo=UTC))
    assert guard(limit).claim("first").folders


def test_the_same_submit_finds_its_slots_and_another_needs_others(tmp_path: Path) -> None:
    limit = SpendLimit(folder=str(tmp_path), max_videos_per_run=1)
    guard(limit).claim("first")
    guard(limit).claim("first")
    with pytest.raises(SpendLimitError, match="so it does not reset"):
        guard(limit).claim("again")


def test_a_released_claim_is_free(tmp_path: Path) -> None:
    limit = SpendLimit(folder=str(tmp_path), max_videos_per_run=1, max_videos_per_day=1)
    guard(limit).claim("first").release()
    assert guard(limit, owner="another").claim("first").folders


def test_what_was_claimed_before_a_reached_limit_is_given_back(tmp_path: Path) -> None:
    of_connection = SpendLimit(folder=str(tmp_path), max_videos_per_day=2)
    of_dag = SpendLimit(folder=str(tmp_path), max_videos_per_run=1)
    guard(of_connection, of_dag).claim("first")
    with pytest.raises(SpendLimitError, match="DAG a_dag, run run"):
        guard(of_connection, of_dag, owner="another").claim("first")
    assert guard(of_connection, owner="third").claim("first").folders


def test_runs_are_counted_apart(tmp_path: Path) -> None:
    limit = SpendLimit(folder=str(tmp_path), max_videos_per_run=1)
    assert guard(limit, run_id="one").claim("first").folders
    assert guard(limit, run_id="two", owner="another").claim("first").folders


def test_a_dry_run_sums_up_what_a_dag_run_would_cost(tmp_path: Path) -> None:
    limit = SpendLimit(folder=str(tmp_path), max_videos_per_run=3, dry_run=True)
    assert guard(limit).is_dry_run
    assert "would submit 1 video (estimated 2.00 CNY)" in guard(limit).count_dry_run(["first"])
    told = guard(limit, owner="batch").count_dry_run(["0", "1", "2"])
    assert "would submit 3 videos (estimated 6.00 CNY)" in told
    assert "so far (connection siliconflow_default): 4 videos (estimated 8.00 CNY)" in told
    assert "more than the 3 videos that max_videos_per_run allows" in told
    assert "4 videos" in guard(limit, owner="batch").count_dry_run(["0", "1", "2"])


def test_a_price_that_is_not_known_is_left_out(tmp_path: Path) -> None:
    limit = SpendLimit(folder=str(tmp_path), max_videos_per_run=3, dry_run=True)
    assert "would submit 1 video. The" in guard(limit, price=Price()).count_dry_run(["first"])


def test_a_dry_run_takes_no_slot(tmp_path: Path) -> None:
    limit = SpendLimit(folder=str(tmp_path), max_videos_per_run=1)
    guard(limit.model_copy(update={"dry_run": True})).count_dry_run(["first"])
    assert guard(limit, owner="another").claim("first").folders
