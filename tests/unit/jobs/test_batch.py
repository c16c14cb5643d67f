"""A list of videos as plain data: items, what is pending, the manifest."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_siliconflow.billing import Billing
from airflow_provider_siliconflow.client.prices import Price
from airflow_provider_siliconflow.jobs.batch import BatchItem, BatchState, ItemState, PendingVideo, manifest

PENDING = {7: PendingVideo("id", 4.5, "a-model"), 8: PendingVideo("id2", 5.5, "a-model", 6.5, is_recorded=False)}

CNY = Price(2.0, "CNY")


def state_of() -> BatchState:
    items = [BatchItem(at, state, Billing.RUNNING, "an id", "/clip", "why") for at, state in enumerate(ItemState)]
    return BatchState(1.5, ["a key", "another"], 2.5, 3, dict(PENDING), items)


def test_the_manifest_counts_each_state_and_keeps_the_order_of_the_list() -> None:
    found = manifest(
        [
            BatchItem(2, ItemState.ARCHIVED, Billing.ARCHIVED, "id-2", "/clip"),
            BatchItem(0, ItemState.FAILED, Billing.FAILED, "id-0"),
            BatchItem(1, ItemState.ARCHIVED, Billing.ARCHIVED, "id-1"),
            BatchItem(3, ItemState.REJECTED, Billing.REJECTED, reason="no"),
        ],
        [CNY, CNY, Price(1.5, "CNY"), CNY],
    )
    assert [item["index"] for item in found["videos"]] == [0, 1, 2, 3]
    counts = {"archived": 2, "failed": 1, "rejected": 1}
    assert {state: found[state] for state in ItemState} == dict.fromkeys(ItemState, 0) | counts
    assert found["videos"][0] == {
        "index": 0,
        "state": "failed",
        "billing": "failed",
        "request_id": "id-0",
        "path": None,
        "reason": "",
        "estimated_cost": 2.0,
        "currency": "CNY",
    }
    assert [item["estimated_cost"] for item in found["videos"]] == [2.0, 2.0, 1.5, 0.0]
    assert json.loads(json.dumps(found)) == found


def test_the_state_survives_its_way_through_the_trigger() -> None:
    assert BatchState.from_json(json.loads(json.dumps(state_of().to_json()))) == state_of()


def test_the_state_of_a_later_release_is_read() -> None:
    later = state_of().to_json() | {"version": 2, "region": "north"}
    later["pending"]["7"]["color"] = "red"
    later["items"][0]["size"] = 5
    assert BatchState.from_json(later) == state_of()


def test_the_state_of_an_earlier_release_is_read() -> None:
    earlier = state_of().to_json()
    del (
        earlier["version"],
        earlier["rejections"],
        earlier["pending"]["8"]["is_recorded"],
        earlier["items"][0]["billing"],
    )
    read = BatchState.from_json(earlier)
    assert (read.rejections, read.request_ids()) == (0, ["id", "id2"])


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"pending": []},
        {"pending": {"x": {}}},
        {"pending": {"1": {"request_id": "a"}}},
        {"items": [{"state": "odd"}]},
    ],
)
def test_a_state_that_cannot_be_read_is_one_error(broken: dict[str, Any]) -> None:
    whole = state_of().to_json()
    with pytest.raises(ValueError, match="the state of the batch cannot be read"):
        BatchState.from_json({} if not broken else whole | broken)


def test_what_is_missing_is_neither_decided_nor_pending() -> None:
    state = BatchState(0.0, pending={1: PendingVideo("id", 0.0, "a-model")})
    state.complete(BatchItem(2, ItemState.ARCHIVED))
    assert state.missing(4) == [0, 3]
    state.complete(BatchItem(1, ItemState.FAILED))
    assert (state.missing(4), state.pending) == ([0, 3], {})


def test_a_pending_video_was_last_known_not_to_be_ready_when_it_was_polled() -> None:
    state = state_of()
    assert [video.times() for video in state.pending.values()] == [[4.5, 4.5], [5.5, 6.5]]
    state.polled({"id": 9.0, "of another": 1.0})
    assert state.pending[7].times() == [4.5, 9.0]
