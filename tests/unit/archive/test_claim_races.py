"""Two tasks at once want one destination: what the store keeps apart."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_siliconflow.archive import claim as claims
from airflow_provider_siliconflow.archive.claim_file import Claim
from airflow_provider_siliconflow.archive.destination import Destination
from airflow_provider_siliconflow.archive.prepare import release_claim
from airflow_provider_siliconflow.archive.publish import publish
from airflow_provider_siliconflow.archive.staging import staging
from airflow_provider_siliconflow.exceptions import DestinationError, DestinationRefusedError
from tests.unit.archive.claims import (
    EXCLUSIVE,
    ONE,
    TWO,
    age,
    names,
    new_destination,
    prepare,
    s3_client,
)
from tests.unit.archive.published import put

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

    from tests.unit.archive.claims import NewDestination

__all__ = ["new_destination", "s3_client"]


PAIRS = 25


def is_exclusive(path: ObjectStoragePath) -> bool:
    """Tell whether the store keeps two writers apart."""
    return path.protocol in ("", "s3", "abfs") and getattr(path.fs, "knows_conditions", True)


def race(*calls: Callable[[], Any]) -> list[Any]:
    """Start calls at once and return what each returned or raised."""
    outcomes: list[Any] = [None] * len(calls)
    start = threading.Barrier(len(calls))

    def run(index: int) -> None:
        start.wait(10)
        try:
            outcomes[index] = calls[index]()
        except Exception as error:
            outcomes[index] = error

    threads = [threading.Thread(target=run, args=(index,)) for index in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return outcomes


def assert_is_a_pair(path: ObjectStoragePath) -> str:
    """Check that what stands at a destination is one video and its own manifest, and return its id."""
    body = path.fs.cat_file(path.path)
    manifest = json.loads(path.fs.cat_file(f"{path.path}.json"))
    assert body == manifest["request_id"].encode()
    return str(manifest["request_id"])


def test_of_two_tasks_at_once_one_pays(new_destination: NewDestination, monkeypatch: pytest.MonkeyPatch) -> None:
    # The race is for the claim; the check before it need not be large.
    monkeypatch.setattr("airflow_provider_siliconflow.archive.probe.PROBE_SIZE", 1000)
    for _ in range(PAIRS):
        path = new_destination()
        pairs = [lambda owner=owner: prepare(path, owner) for owner in (ONE, TWO)]  # noqa: B023
        outcomes = race(*pairs)
        refused = [outcome for outcome in outcomes if outcome]
        # Where the store keeps nobody apart, both may pay, and publishing finds out.
        assert len(refused) == 1 or not is_exclusive(path)
        assert [error for error in refused if not isinstance(error, DestinationRefusedError)] == []
        release_claim(str(path), owner=ONE)
        release_claim(str(path), owner=TWO)
        assert names(path) == set()


@EXCLUSIVE
def test_of_two_writers_at_once_one_publishes_and_no_video_is_destroyed(new_destination: NewDestination) -> None:
    for _ in range(PAIRS):
        path = new_destination()
        writers = [lambda name=name: put(path, name.encode(), request_id=name) for name in ("one", "two")]  # noqa: B023
        outcomes = race(*writers)
        (refused,) = (outcome for outcome in outcomes if isinstance(outcome, Exception))
        assert isinstance(refused, DestinationRefusedError)
        (won,) = (outcome["request_id"] for outcome in outcomes if isinstance(outcome, dict))
        assert assert_is_a_pair(path) == won
        assert names(path) == {"clip.mp4", "clip.mp4.json"}


def test_two_tries_of_one_task_that_overwrite_never_mix(new_destination: NewDestination) -> None:
    """Both hold the claim by turns: the last one to take it publishes."""
    for _ in range(PAIRS):
        path = new_destination()
        put(path, b"old", request_id="old")

        def overwrite(name: str, path: ObjectStoragePath = path) -> None:
            claim = claims.take(path, ONE)
            with staging(path) as stage:
                stage.write_bytes(name.encode())
                facts = {"request_id": name, "bytes": len(name), "sha256": name}
                with suppress(DestinationError):
                    publish(stage, Destination(path, is_folder=False), facts, "overwrite", claim)

        race(lambda: overwrite("one"), lambda: overwrite("two"))
        release_claim(str(path), owner=ONE)
        assert assert_is_a_pair(path) in ("one", "two")
        assert names(path) == {"clip.mp4", "clip.mp4.json"}


def test_of_many_that_take_over_an_old_claim_one_has_it(new_destination: NewDestination) -> None:
    owners = [f"a_dag/run {number}/video/-1" for number in range(8)]
    for _ in range(5):
        path = new_destination()
        prepare(path)
        age(path, 8)
        outcomes = race(*(lambda owner=owner: claims.take(path, owner) for owner in owners))  # noqa: B023
        holders = [outcome for outcome in outcomes if isinstance(outcome, Claim)]
        valid = []
        for claim in holders:
            with suppress(DestinationError):
                claims.check(path, claim)
                valid.append(claim)
        assert len(valid) == 1
        # Only S3 and a locked folder replace what nobody else has; elsewhere the loser is told as it publishes.
        assert holders == valid or not (is_exclusive(path) and path.protocol in ("", "s3"))
