"""Whole tasks on every store: killed, cleared, mapped and batched; the sandbox's ledger says what was paid."""

from __future__ import annotations

import hashlib

import pytest
from airflow.sdk.execution_time import comms

from airflow_provider_siliconflow.sandbox.server import Sandbox
from tests.stores.each import ALL_KINDS, each
from tests.stores.kinds import Kind
from tests.unit.operators.batch import runs
from tests.unit.operators.tasks import FINISHED_AFTER, generating, run_to_end
from tests.unit.worker import DiesBefore

pytestmark = pytest.mark.usefixtures("first_poll_at_once")


def archived(kind: Kind, folder: str, sandbox: Sandbox) -> list[str]:
    """Return the request ids of the videos in a folder, which holds them whole and nothing that is hidden."""
    names = kind.names(folder)
    assert not [name for name in names if name.startswith(".")]
    videos = [name for name in names if name.endswith(".mp4")]
    assert {f"{name}.json" for name in videos} <= set(names)
    made = {job["sha256"]: job["request_id"] for job in sandbox.ledger().jobs}
    return [made[hashlib.sha256(kind.read(f"{folder}/{name}")[0]).hexdigest()] for name in videos]


def ids(sandbox: Sandbox) -> list[str]:
    """Return the request ids of all that was paid for, the first one first."""
    return [job["request_id"] for job in sandbox.ledger().jobs]


@each(*ALL_KINDS)
def test_a_retry_finds_the_video_of_the_try_that_was_killed(kind: Kind, sandbox: Sandbox) -> None:
    folder = kind.uri()
    run = generating(f"{folder}/clip.mp4")
    assert run.work().state == "deferred"
    sandbox.advance(FINISHED_AFTER)
    run.before = DiesBefore(comms.SucceedTask)
    assert run.finish().state == "killed"
    assert run.retry().state == "success"
    assert sandbox.ledger().billed == sandbox.ledger().fetched == 1
    assert archived(kind, folder, sandbox) == ids(sandbox)


@each(*ALL_KINDS)
def test_a_clear_pays_again_and_replaces_what_was_there(kind: Kind, sandbox: Sandbox) -> None:
    folder = kind.uri()
    run = generating(f"{folder}/clip.mp4", if_exists="overwrite")
    assert run_to_end(run, sandbox).state == "success"
    run.max_tries = run.try_number + run.retries
    run.next_try()
    assert run_to_end(run, sandbox).state == "success"
    assert sandbox.ledger().billed == 2
    assert archived(kind, folder, sandbox) == ids(sandbox)[1:]


@each(*ALL_KINDS)
def test_mapped_tasks_share_a_folder(kind: Kind, sandbox: Sandbox) -> None:
    folder = kind.uri()
    for index in range(2):
        run = generating(f"{folder}/{{{{ ti.map_index }}}}.mp4")
        run.map_index = index
        assert run_to_end(run, sandbox).state == "success"
    assert sandbox.ledger().billed == 2
    assert archived(kind, folder, sandbox) == ids(sandbox)


@each(*ALL_KINDS)
def test_a_batch_is_archived_by_two_connections_at_once(kind: Kind, sandbox: Sandbox) -> None:
    one, other = kind.uri(), kind.uri()
    batches = [runs.batching(f"{folder}/", ["a cat", "a dog"]) for folder in (one, other)]  # type: ignore[arg-type]
    assert [batch.work().state for batch in batches] == ["deferred", "deferred"]
    sandbox.advance(FINISHED_AFTER)
    assert [runs.run_to_end(batch, sandbox).state for batch in batches] == ["success", "success"]
    assert sandbox.ledger().billed == 4
    found = [archived(kind, folder, sandbox) for folder in (one, other)]
    assert sorted(found[0]) == sorted(ids(sandbox)[:2])
    assert sorted(found[1]) == sorted(ids(sandbox)[2:])
