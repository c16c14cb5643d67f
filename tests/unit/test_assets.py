"""Asset events of archived videos: one for each video, on one asset for a folder, and none of a task that fails."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG, Asset, AssetAlias, BaseOperator
from airflow.sdk.execution_time import comms

from airflow_provider_siliconflow.assets import NEW_VIDEO, folder_asset, read_asset
from airflow_provider_siliconflow.exceptions import InvalidArgumentError
from airflow_provider_siliconflow.operators.video import (
    ArchiveVideoOperator,
    GenerateVideoBatchOperator,
    GenerateVideoOperator,
)
from airflow_provider_siliconflow.sandbox.server import Sandbox
from tests.unit.operators.batch.runs import archived, batching, woken
from tests.unit.operators.batch.runs import run_to_end as run_batch
from tests.unit.operators.tasks import FAILS, FINISHED_AFTER, REQUEST, generating, run_to_end, submitting
from tests.unit.worker import DiesBefore, Report, TaskRun, in_dag

ARCHIVING: dict[type[BaseOperator], dict[str, Any]] = {
    ArchiveVideoOperator: {"request_id": "x"},
    GenerateVideoOperator: REQUEST,
    GenerateVideoBatchOperator: {"requests": ["a cat"]},
}


@pytest.fixture(autouse=True)
def _at_once(first_poll_at_once: None) -> None:
    pass


def events(report: Report) -> list[dict[str, Any]]:
    """Return the events that a task sends when it succeeds, as Airflow's API server reads them."""
    assert report.state == "success"
    assert [each.name for each in report.message.task_outlets] == [NEW_VIDEO.name]
    found = report.message.outlet_events
    assert json.loads(json.dumps(found)) == found
    assert all(event["source_alias_name"] == NEW_VIDEO.name for event in found)
    return [event["extra"] | {"uri": event["dest_asset_key"]["uri"]} for event in found]


@pytest.mark.parametrize(("kind", "given"), ARCHIVING.items(), ids=lambda value: getattr(value, "__name__", ""))
def test_an_archiving_operator_declares_the_alias_beside_what_the_user_declares(
    kind: type[BaseOperator], given: dict[str, Any], tmp_path: Path
) -> None:
    task = in_dag(kind, destination=str(tmp_path), outlets=[Asset("theirs")], **given)
    assert task.outlets == [Asset("theirs"), AssetAlias("siliconflow_videos")]


def test_one_deferred_task_tells_the_facts_of_its_video(sandbox: Sandbox, clip: Path) -> None:
    (event,) = events(run_to_end(generating(clip), sandbox))
    assert event["uri"] == f"file://{clip.parent}"
    assert event["path"] == str(clip)
    assert event["bytes"] == clip.stat().st_size
    assert event["state"] == event["billing"] == "archived"
    assert event["prompt"] == "a cat"
    assert "Signature" not in str(event)


def test_an_archive_task_tells_once_it_succeeds_and_again_when_it_is_cleared(sandbox: Sandbox, clip: Path) -> None:
    assert submitting().finish().state == "success"
    sandbox.advance(FINISHED_AFTER)
    request_id = sandbox.ledger().jobs[0]["request_id"]
    run = TaskRun(in_dag(ArchiveVideoOperator, request_id=request_id, destination=str(clip), retries=1))
    run.before = DiesBefore(comms.SucceedTask)
    assert run.finish().state == "killed"
    (event,) = events(run.retry())
    assert (event["request_id"], event["path"]) == (request_id, str(clip))
    assert events(run.clear()) == [event]


def test_mapped_tasks_have_one_asset_and_an_event_each(sandbox: Sandbox, tmp_path: Path) -> None:
    with DAG("a_dag", schedule=None):
        given = {name: value for name, value in REQUEST.items() if name != "prompt"}
        mapped = GenerateVideoOperator.partial(
            task_id="video", poke_interval=0.01, retries=0, destination=f"{tmp_path}/", asset="made", **given
        ).expand(prompt=["a cat", "a dog"])
    found = []
    for index in range(2):
        found += events(run_to_end(TaskRun(mapped.unmap({"prompt": f"video {index}"}), map_index=index), sandbox))
    assert {event["uri"] for event in found} == {"made"}
    assert len({event["request_id"] for event in found}) == 2


def test_a_batch_tells_of_each_video_also_of_those_that_an_earlier_process_archived(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    run = batching(tmp_path, ["a cat", "a dog", FAILS])
    assert run.work().state == "deferred"
    first = sandbox.ledger().jobs[0]["request_id"]
    sandbox.advance(FINISHED_AFTER)
    assert woken(run, [first]).state == "deferred"
    assert archived(tmp_path) == {first}
    found = events(run_batch(run, sandbox))
    assert {event["request_id"] for event in found} == archived(tmp_path)
    assert {event["uri"] for event in found} == {f"file://{tmp_path}"}
    assert all(event["bytes"] and event["sha256"] and event["prompt"] for event in found)


@pytest.mark.parametrize("kind", ["one", "batch"])
def test_a_task_that_fails_tells_nothing(sandbox: Sandbox, tmp_path: Path, kind: str) -> None:
    if kind == "one":
        report = run_to_end(generating(tmp_path / "clip.mp4", prompt=FAILS), sandbox)
    else:
        report = run_batch(batching(tmp_path, ["a cat", FAILS], fail_on_partial_error=True), sandbox)
        assert len(archived(tmp_path)) == 1
    assert report.state != "success"
    assert not hasattr(report.message, "outlet_events")


def test_what_was_there_before_is_no_new_video(sandbox: Sandbox, clip: Path) -> None:
    assert events(run_to_end(generating(clip), sandbox))
    assert events(generating(clip, if_exists="skip").finish()) == []
    assert sandbox.ledger().billed == 1


def test_an_asset_that_cannot_be_understood_costs_nothing(sandbox: Sandbox, clip: Path) -> None:
    report = generating(clip, asset=7).work()
    assert "asset must be an Asset" in str(report.error)
    assert sandbox.ledger().submit_calls == 0


def test_a_paid_video_is_archived_though_its_asset_is_none(sandbox: Sandbox, clip: Path) -> None:
    run = generating(clip)
    assert run.work().state == "deferred"
    sandbox.advance(FINISHED_AFTER)
    run.task.asset = 7  # a DAG deployed meanwhile
    (event,) = events(run.finish())
    assert event["uri"] == f"file://{clip.parent}"


@pytest.mark.parametrize(
    ("path", "uri"),
    [
        ("/videos/a b/clip.mp4", "file:///videos/a%20b"),
        ("file:///videos/clip.mp4", "file:///videos"),
        ("/clip.mp4", "file:///"),
        ("s3://my_conn@bucket/2026/clip.mp4", "s3://bucket/2026"),
        ("oss://bucket/视频/clip.mp4", "oss://bucket/%E8%A7%86%E9%A2%91"),
        ("s3://bucket/a#b/c?d/clip.mp4", "s3://bucket/a%23b/c%3Fd"),
        ("s3://bucket/clip.mp4", "s3://bucket/"),
    ],
)
def test_the_asset_of_a_folder(path: str, uri: str) -> None:
    assert folder_asset(path).uri == uri


def test_what_names_an_asset() -> None:
    assert read_asset("asset", None) is None
    assert read_asset("asset", "videos") == Asset("videos")
    assert read_asset("asset", Asset("s3://bucket/x")) == Asset("s3://bucket/x")
    for wrong in (7, "", " ", "airflow://x", ["a"]):
        with pytest.raises(InvalidArgumentError, match="asset must be an Asset"):
            read_asset("asset", wrong)
