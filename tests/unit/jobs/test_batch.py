"""A list of videos as plain data: reading it, keys, rows, progress."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from airflow_provider_siliconflow.exceptions import InvalidVideoRequestError
from airflow_provider_siliconflow.jobs.batch import (
    BatchItem,
    ItemState,
    PendingVideo,
    Progress,
    keys,
    manifest,
    read_items,
)

CAT, DOG = {"prompt": "a cat"}, {"prompt": "a dog"}


def test_a_prompt_alone_is_a_request() -> None:
    assert read_items(["a cat", DOG], {}) == [CAT, DOG]


def test_defaults_are_for_those_who_do_not_say() -> None:
    items = read_items(["a cat", {"prompt": "a dog", "model": "mine"}], {"model": "theirs", "image_size": "960x960"})
    assert items == [
        {"prompt": "a cat", "model": "theirs", "image_size": "960x960"},
        {"prompt": "a dog", "model": "mine", "image_size": "960x960"},
    ]


def test_what_was_given_is_left_as_it_is() -> None:
    given = {"prompt": "a cat"}
    (item,) = read_items([given], {"model": "theirs"})
    item["prompt"] = "another"
    assert given == CAT


@pytest.mark.parametrize(
    ("requests", "says"),
    [
        ("a cat", "got str"),
        (b"a cat", "got bytes"),
        ([], "an empty list"),
        (CAT, "got dict"),
        (None, "got NoneType"),
        ([CAT, 5], r"requests\[1\] is neither a prompt nor a mapping: int"),
        ([CAT, {"promt": "a cat", 5: 6}], r"requests\[1\] has fields that no request has: 5, promt"),
    ],
)
def test_a_list_that_is_none_is_refused(requests: Any, says: str) -> None:
    with pytest.raises(InvalidVideoRequestError, match=says):
        read_items(requests, {})


def test_keys_go_by_content_wherever_it_stands() -> None:
    items: list[dict[str, Any]] = [{"prompt": f"video {number}", "seed": number % 3} for number in range(50)]
    key_of = dict(zip(map(str, items), keys(items), strict=True))
    assert len(set(key_of.values())) == 50
    random.Random(0).shuffle(items)
    assert keys(items) == [key_of[str(item)] for item in items]
    assert keys([{"seed": 1, "prompt": "a"}]) == keys([{"prompt": "a", "seed": 1, "image": None}])


def test_keys_tell_duplicates_apart_by_their_order() -> None:
    first, other, second = keys([CAT, DOG, CAT])
    assert len({first, other, second}) == 3
    assert keys([CAT, CAT, DOG]) == [first, second, other]


def test_keys_show_no_prompt_and_are_short() -> None:
    (key,) = keys([{"prompt": "a cat", "image": {"no": "json", "at": {1}}}])
    assert "cat" not in key
    assert len(key) < 32


def test_the_manifest_counts_each_state_and_keeps_the_order_of_the_list() -> None:
    rows = [
        BatchItem(2, ItemState.ARCHIVED, "id-2", "/clip"),
        BatchItem(0, ItemState.FAILED, "id-0"),
        BatchItem(1, ItemState.ARCHIVED, "id-1"),
    ]
    made = manifest(rows)
    assert [row["index"] for row in made["videos"]] == [0, 1, 2]
    assert {state: made[state] for state in ItemState} == dict.fromkeys(ItemState, 0) | {"archived": 2, "failed": 1}
    assert made["videos"][0] == {
        "index": 0,
        "state": "failed",
        "request_id": "id-0",
        "path": None,
        "reason": "",
        "cost": "",
    }
    assert json.loads(json.dumps(made)) == made


def test_progress_survives_its_way_through_the_trigger() -> None:
    rows = [BatchItem(state_no, state, "an id", "/clip", "why", "2 CNY") for state_no, state in enumerate(ItemState)]
    pending = {7: PendingVideo("id", 4.5, "a-model", "trace"), 8: PendingVideo("id2", 5.5, "a-model", last_polled=6.5)}
    before = Progress(1.5, ["a key", "another"], 2.5, 3, pending, rows)
    assert Progress.from_json(json.loads(json.dumps(before.to_json()))) == before


def test_progress_follows_the_list() -> None:
    a, b = PendingVideo("a", 0.0, "a-model"), PendingVideo("b", 0.0, "a-model")
    rows = [BatchItem(2, ItemState.ARCHIVED), BatchItem(3, ItemState.TIMED_OUT)]
    progress = Progress(0.0, ["a", "b", "c", "d"], pending={0: a, 1: b}, rows=rows)
    assert progress.follow(["d", "new", "b"]) == [a]
    assert progress.pending == {2: b}
    assert progress.rows == [BatchItem(0, ItemState.TIMED_OUT)]
    assert progress.missing(3) == [1]


def test_what_is_missing_is_neither_decided_nor_under_way() -> None:
    progress = Progress(0.0, pending={1: PendingVideo("id", 0.0, "a-model")})
    progress.land(BatchItem(3, ItemState.REJECTED))
    assert progress.missing(5) == [0, 2, 4]
    progress.land(BatchItem(1, ItemState.ARCHIVED))
    assert progress.missing(5) == [0, 2, 4]
    assert progress.pending == {}
