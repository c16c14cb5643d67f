from __future__ import annotations

import json
import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from airflow.sdk.io.store import attach

from airflow_provider_siliconflow.archive import stores
from airflow_provider_siliconflow.exceptions import SpendLimitError
from airflow_provider_siliconflow.jobs.slots import SlotFolder
from airflow_provider_siliconflow.spend_limit import Period
from tests.unit.archive.moto_s3 import NEEDS_MOTO, new_bucket, s3_server


def slots(folder: Path | str, limit: int = 3, scope: str = "DAG a", name: str = "day 2026-11-27 (UTC)") -> SlotFolder:
    return SlotFolder(str(folder), scope, Period(name, limit, None))


def test_the_limit_is_reached_after_as_many_submits(tmp_path: Path) -> None:
    assert [slots(tmp_path).claim(f"task {number}") for number in range(5)] == [True, True, True, False, False]
    assert slots(tmp_path).used() == 3


def test_a_retry_finds_its_own_slot(tmp_path: Path) -> None:
    for number in range(3):
        assert slots(tmp_path).claim(f"task {number}")
    assert slots(tmp_path).claim("task 1")
    assert slots(tmp_path).used() == 3


def test_a_released_slot_is_free_for_others(tmp_path: Path) -> None:
    for number in range(3):
        assert slots(tmp_path).claim(f"task {number}")
    slots(tmp_path).release("task 1")
    slots(tmp_path).release("task 1")
    assert slots(tmp_path).claim("task 9")
    assert not slots(tmp_path).claim("task 1")


def test_periods_and_scopes_are_counted_apart(tmp_path: Path) -> None:
    assert slots(tmp_path, 1).claim("task")
    assert slots(tmp_path, 1, scope="DAG b").claim("other")
    assert slots(tmp_path, 1, name="run a/b?c#d").claim("other")
    assert not slots(tmp_path, 1).claim("other")


def test_a_limit_of_none_at_all(tmp_path: Path) -> None:
    assert not slots(tmp_path, 0).claim("task")
    assert slots(tmp_path, 0).used() == 0


def test_a_raised_limit_counts_what_is_taken(tmp_path: Path) -> None:
    assert [slots(tmp_path, 1).claim("a"), slots(tmp_path, 1).claim("b")] == [True, False]
    assert [slots(tmp_path, 2).claim("b"), slots(tmp_path, 2).claim("c")] == [True, False]


def _race(folder: str, keys: list[str], results: Any) -> None:
    with ThreadPoolExecutor(len(keys)) as threads:
        results.put(sum(threads.map(lambda key: slots(folder, 10).claim(key), keys)))


def test_of_fifty_at_once_exactly_ten_get_a_slot(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    results = context.SimpleQueue()
    keys = [f"task {number}" for number in range(50)]
    processes = [context.Process(target=_race, args=(str(tmp_path), keys[part::2], results)) for part in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    assert results.get() + results.get() == 10
    assert slots(tmp_path, 10).used() == 10


def test_a_slot_that_was_claimed_by_a_killed_try_is_taken_over(tmp_path: Path) -> None:
    process = multiprocessing.get_context("fork").Process(target=_claim_and_die, args=(str(tmp_path),))
    process.start()
    process.join(60)
    assert process.exitcode == 9
    assert slots(tmp_path, 1).used() == 1
    assert not slots(tmp_path, 1).claim("another")
    assert slots(tmp_path, 1).claim("task")


def _claim_and_die(folder: str) -> None:
    slots(folder, 1).claim("task")
    os._exit(9)


def test_a_folder_that_cannot_be_read_fails_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "limits").write_text("a file where the folder should be")
    with pytest.raises(SpendLimitError, match=r"spend limit of DAG a, day 2026-11-27 \(UTC\) cannot be read"):
        slots(tmp_path / "limits").claim("task")


def test_a_store_that_creates_nothing_exclusively_fails_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(*args: Any) -> None:
        raise PermissionError("no hard links here")

    monkeypatch.setattr(os, "link", no_links)
    with pytest.raises(SpendLimitError, match="does not create a file for one task only"):
        slots(tmp_path).claim("task")


def test_a_try_killed_before_its_slot_claims_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    create = stores.create

    def killed(source: Path, path: Any, **kwargs: Any) -> None:
        if path.name.startswith("slot-"):
            raise KeyboardInterrupt
        create(source, path, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(stores, "create", killed)
        with pytest.raises(KeyboardInterrupt):
            slots(tmp_path, 1).claim("task")
    assert slots(tmp_path, 1).used() == 0
    assert slots(tmp_path, 1).claim("task")


def test_an_upload_whose_answer_was_lost_is_a_slot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    create = stores.create

    def created_twice(*args: Any, **kwargs: Any) -> None:
        create(*args, **kwargs)
        raise FileExistsError

    monkeypatch.setattr(stores, "create", created_twice)
    assert slots(tmp_path).claim("task")
    assert slots(tmp_path).used() == 1


@pytest.mark.parametrize("content", ["", "{", "[]", '{"key": 7}'])
def test_a_slot_of_unknown_content_is_somebody_elses(tmp_path: Path, content: str) -> None:
    assert slots(tmp_path, 1).claim("task")
    [slot] = tmp_path.rglob("slot-*")
    assert json.loads(slot.read_text())["key"] == "task"
    slot.write_text(content)
    assert not slots(tmp_path, 1).claim("task")


def test_a_release_that_fails_is_told_and_never_raises(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    assert slots(tmp_path).claim("task")

    def broken(*args: Any) -> None:
        raise OSError("store is away")

    monkeypatch.setattr(stores, "remove", broken)
    slots(tmp_path).release("task")
    assert "stays taken" in caplog.text


def test_a_retry_of_one_of_many_reads_few_slots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(40):
        assert slots(tmp_path, 400).claim(f"task {number}")
    read = Mock(wraps=stores.read_small)
    monkeypatch.setattr(stores, "read_small", read)
    assert slots(tmp_path, 400).claim("task 7")
    slots(tmp_path, 400).release("task 7")
    assert slots(tmp_path, 400).claim("task 7")
    assert read.call_count < 20


def _race_on_s3(fs: Any, folder: str, keys: list[str]) -> int:
    attach("s3", "slots", fs=fs)
    with ThreadPoolExecutor(4) as threads:
        return sum(threads.map(lambda key: slots(folder, 10).claim(key), keys))


@NEEDS_MOTO
def test_of_fifty_at_once_exactly_ten_get_a_slot_on_s3() -> None:
    with (
        s3_server() as fs,
        ProcessPoolExecutor(2, multiprocessing.get_context("spawn"), max_tasks_per_child=1) as workers,
    ):
        attach("s3", "slots", fs=fs)
        folder = f"s3://slots@{new_bucket(fs)}/limits"
        keys = [f"task {number}" for number in range(50)]
        races = [workers.submit(_race_on_s3, fs, folder, keys[part::2]) for part in range(2)]
        assert sum(race.result(120) for race in races) == 10
        assert slots(folder, 10).used() == 10
        mine = next(number for number in range(50) if slots(folder, 10).claim(f"task {number}"))
        slots(folder, 10).release(f"task {mine}")
        assert slots(folder, 10).used() == 9
