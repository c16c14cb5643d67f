"""Nothing of a manifest can fail an archive whose bytes are safe."""

from __future__ import annotations

import enum
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_siliconflow.archive.destination import understand
from airflow_provider_siliconflow.archive.existing import resolve_existing
from airflow_provider_siliconflow.archive.manifest import encode, storable
from airflow_provider_siliconflow.archive.publish import publish
from airflow_provider_siliconflow.archive.staging import staging
from tests.unit.archive.published import BYTES, MANIFEST

_LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(exclude_categories=()))
    | st.binary()
    | st.builds(object)
    | st.datetimes()
)
_KEYS = st.text(st.characters(exclude_categories=())) | st.integers() | st.none() | st.tuples(st.integers())
_ANYTHING = st.recursive(_LEAVES, lambda inner: st.lists(inner) | st.dictionaries(_KEYS, inner), max_leaves=20)


class Rude:
    def __str__(self) -> str:
        raise RuntimeError("no")


class Word(enum.StrEnum):
    ONE = "one"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("一只猫 \U0001f408", "一只猫 \U0001f408"),
        ("half \ud83d an emoji", "half \ufffd an emoji"),
        ("\ud83d\ude00", "\U0001f600"),
        ("a\0b", "a\ufffdb"),
        (float("nan"), None),
        (float("-inf"), None),
        (1 << 70, str(1 << 70)),
        (True, True),
        (("t1", "t2"), ["t1", "t2"]),
        ({1: {2: {3: {4: {5: 6}}}}}, {"1": {"2": {"3": {"4": "{5: 6}"}}}}),
        (datetime(2026, 11, 27, tzinfo=UTC), "2026-11-27 00:00:00+00:00"),
        (Rude(), "(Rude)"),
        (Word.ONE, "one"),
        (b"\xff", "b'\\xff'"),
        (list(range(200)), list(range(100))),
    ],
)
def test_values_become_such_that_any_store_holds_them(value: Any, expected: Any) -> None:
    found = storable(value)
    assert found == expected
    assert type(found) is type(expected)


@given(_ANYTHING)
def test_anything_can_be_a_fact(value: Any) -> None:
    text = encode({"prompt": value}).decode("utf-8")
    found = json.loads(text, parse_constant=pytest.fail)
    assert found == storable({"prompt": value})
    assert "\0" not in json.dumps(found, ensure_ascii=False)
    json.dumps(found, ensure_ascii=False).encode("utf-8")


def test_a_long_prompt_leaves_a_manifest_that_can_be_read_again(tmp_path: Path) -> None:
    destination = understand(f"{tmp_path}/clip.mp4", "abc")
    facts = MANIFEST | {
        "path": str(destination.path),
        "prompt": "猫" * 3_000_000,
        "seed": object(),
        "trace_ids": ["\ud83d"] * 10_000,
    }
    with staging(destination.path) as stage:
        stage.write_bytes(BYTES)
        published = publish(stage, destination, facts, "fail")
    assert (tmp_path / "clip.mp4.json").stat().st_size < 1 << 20
    assert resolve_existing(destination, "abc", "fail") == published
    json.dumps(published, allow_nan=False).encode()
