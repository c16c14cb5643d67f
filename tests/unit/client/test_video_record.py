"""The record of a video: flat, small, and readable whatever someone made of it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_siliconflow.client.video_record import (
    KEY,
    VERSION,
    RecordState,
    VideoRecord,
    item_key,
    known_fields,
    shown_image,
)

json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(), children, max_size=3),
    max_leaves=10,
)


def test_a_record_survives_its_json() -> None:
    told = VideoRecord(state=RecordState.ARCHIVED, request_id="abc", prompt="雨", seed=7, estimated_cost=2.0, bytes=12)
    written = told.to_json()
    assert written == {
        **{"version": VERSION, "state": "archived", "request_id": "abc"},
        **{"prompt": "雨", "seed": 7, "estimated_cost": 2.0, "bytes": 12},
    }
    assert VideoRecord.from_json(json.loads(json.dumps(written))) == told


@given(st.dictionaries(st.sampled_from([*VideoRecord.__dataclass_fields__, "version", "more"]), json_values))
def test_anything_is_read_without_an_error_and_can_be_stored(value: dict[str, Any]) -> None:
    told = VideoRecord.from_json(value)
    if told is None:
        assert not isinstance(value.get("state"), str) or value.get("version") != VERSION
        return
    written = json.dumps(told.to_json(), allow_nan=False).encode()
    assert b"\\u0000" not in written
    assert VideoRecord.from_json(json.loads(written)) == told


@pytest.mark.parametrize("value", [None, "x", [], {}, {"state": 1}, {"state": "x", "version": VERSION + 1}])
def test_what_is_no_record_is_none(value: Any) -> None:
    assert VideoRecord.from_json(value) is None


def test_fields_of_another_type_count_as_unknown() -> None:
    forged = {"state": "archived", "bytes": True, "path": ["/etc/passwd"], "duration": float("nan"), "seed": "7"}
    assert known_fields(forged) == {"state": "archived"}


def test_texts_are_cut() -> None:
    told = VideoRecord(state="archived", prompt="a" * 9000, model="m" * 9000).to_json()
    assert (len(told["prompt"]), len(told["model"])) == (4000, 1000)


@pytest.mark.parametrize(
    ("image", "shown"),
    [
        (None, None),
        ("/data/lighthouse.png", "/data/lighthouse.png"),
        ("https://host/a.png?X-Amz-Signature=abc", "https://host/a.png?***"),
        ("data:image/png;base64,AAAABBBB", "data:image/png;base64,… (30 characters)"),
        ("DATA:text/plain;charset=utf-8,SECRET", "DATA:text/plain;charset=utf-8,… (36 characters)"),
    ],
)
def test_an_image_is_told_without_bytes_and_signatures(image: str | None, shown: str | None) -> None:
    assert shown_image(image) == shown


def test_the_keys_of_a_batch_sort_as_its_list() -> None:
    keys = [item_key(index) for index in (0, 9, 10, 999, 1000)]
    assert keys == sorted(keys)
    assert all(key.startswith(f"{KEY}.") for key in keys)
