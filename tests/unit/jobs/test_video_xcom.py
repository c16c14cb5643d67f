"""The XCom that tells of each video, as each task of its way pushes it, and the manifest that says the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.execution_time import comms

from airflow_provider_siliconflow import __version__
from airflow_provider_siliconflow.client.video_record import KEY, item_key
from airflow_provider_siliconflow.operators.video import ArchiveVideoOperator
from airflow_provider_siliconflow.sandbox.faults import Fault
from airflow_provider_siliconflow.sandbox.server import Sandbox
from airflow_provider_siliconflow.sandbox.settings import Settings
from tests.unit.operators.batch.runs import batching
from tests.unit.operators.batch.runs import run_to_end as run_batch_to_end
from tests.unit.operators.tasks import FAILS, FINISHED_AFTER, generating, run_to_end, submitting
from tests.unit.worker import MODEL, TaskRun, in_dag

pytestmark = pytest.mark.usefixtures("first_poll_at_once")


def all_pushed(run: TaskRun, key: str = KEY) -> list[dict[str, Any]]:
    """Note each value that a task pushes under a key."""
    pushed: list[dict[str, Any]] = []

    def note(message: Any) -> None:
        if isinstance(message, comms.SetXCom) and message.key == key:
            pushed.append(json.loads(json.dumps(message.value)))

    run.before = note
    return pushed


def test_a_submit_tells_what_was_asked_for(sandbox: Sandbox) -> None:
    run = submitting(seed=7, negative_prompt="blur", image=None)
    assert run.finish().state == "success"
    told = run.xcoms[KEY]
    (job,) = sandbox.ledger().jobs
    assert told == {
        **{"version": 1, "state": "submitted", "billing": "running", "request_id": job["request_id"]},
        **{"model": MODEL, "prompt": "a cat", "negative_prompt": "blur", "image_size": "1280x720", "seed_asked": 7},
        "submitted_at": run.record["submitted_at"],
    }


def test_one_task_tells_of_each_step_and_its_manifest_says_the_same(sandbox: Sandbox, clip: Path) -> None:
    run = generating(clip)
    pushed = all_pushed(run)
    assert run_to_end(run, sandbox).state == "success"
    assert [told["state"] for told in pushed] == ["submitted", "submitted", "archived"]
    assert pushed[1]["service_state"] in ("InQueue", "InProgress")
    told = run.xcoms[KEY]
    manifest = json.loads(clip.with_name("clip.mp4.json").read_text())
    same = set(told) - {"version", "service_state", "polled_at"}
    assert {name: manifest.get(name) for name in same} == {name: told[name] for name in same}
    assert {"sha256", "bytes", "path", "seed", "ready_at", "archived_at", "waited_seconds", "content_type"} <= same
    assert told["billing"] == "archived"
    origin = {"dag_id": "a_dag", "run_id": "run", "task_id": "video", "map_index": -1, "conn_id": "siliconflow_default"}
    assert {name: manifest[name] for name in origin} == origin
    assert manifest["host"] == sandbox.base_url
    assert (manifest["provider_version"], manifest["schema_version"]) == (__version__, 1)


def test_a_video_that_fails_is_told_before_the_task_fails(sandbox: Sandbox, clip: Path) -> None:
    run = generating(clip, prompt=FAILS, retries=0)
    assert run_to_end(run, sandbox).state == "failed"
    told = run.xcoms[KEY]
    assert (told["state"], told["billing"]) == ("failed", "failed")
    assert "too dark" in told["reason"]


@pytest.mark.parametrize(
    ("fault", "state", "billing"),
    [
        (
            Fault("submit", "answer", status=400, body='{"code": 20012}'),
            "rejected",
            "rejected",
        ),
        (Fault("submit", "reset", after=True), "unknown", "unknown"),
    ],
)
def test_a_submit_that_made_no_video_is_told(sandbox: Sandbox, fault: Fault, state: str, billing: str) -> None:
    sandbox.script(fault)
    run = submitting(retries=0)
    assert run.finish().state == "failed"
    told = run.xcoms[KEY]
    assert (told["state"], told["billing"], told["prompt"]) == (state, billing, "a cat")
    assert told["reason"]


def test_a_request_that_cannot_be_sent_is_told(sandbox: Sandbox) -> None:
    run = submitting(seed="seven")
    assert run.finish().state == "failed"
    told = run.xcoms[KEY]
    assert (told["state"], told["billing"], told["prompt"]) == ("not_submitted", "not_submitted", "a cat")
    assert "seven" in told["reason"]
    assert sandbox.ledger().submit_calls == 0


def test_an_xcom_that_cannot_be_pushed_fails_no_paid_video(sandbox: Sandbox, clip: Path) -> None:
    run = generating(clip)

    def refuse(message: Any) -> None:
        if isinstance(message, comms.SetXCom) and message.key == KEY:
            raise RuntimeError("database is away")

    run.before = refuse
    assert run_to_end(run, sandbox).state == "success"
    assert KEY not in run.xcoms


def test_a_batch_tells_of_each_video_by_itself(sandbox: Sandbox, tmp_path: Path) -> None:
    run = batching(tmp_path, ["a dog", FAILS, {"prompt": "a cat", "image_size": "1x1"}], retries=0)
    assert run_batch_to_end(run, sandbox).state == "success"
    told = [run.xcoms[item_key(index)] for index in range(3)]
    assert [each["state"] for each in told] == ["archived", "failed", "rejected"]
    assert [each["billing"] for each in told] == ["archived", "failed", "not_submitted"]
    assert told[0]["prompt"] == "a dog"
    assert Path(told[0]["path"]).stat().st_size == told[0]["bytes"]
    assert "too dark" in told[1]["reason"]


def test_a_batch_tells_of_a_video_again_only_when_its_state_changed(sandbox: Sandbox, tmp_path: Path) -> None:
    run = batching(tmp_path, ["a dog"])
    pushed = all_pushed(run, item_key(0))
    assert run.work().state == "deferred"
    assert [told["state"] for told in pushed] == ["submitted"]
    sandbox.advance(FINISHED_AFTER)
    assert run.finish().state == "success"
    assert [told["state"] for told in pushed] == ["submitted", "archived"]


@pytest.mark.parametrize("sandbox", [Settings(tiny=True)], indirect=True)
def test_an_archive_tells_what_the_tasks_before_it_have_told(sandbox: Sandbox, clip: Path) -> None:
    submitted = submitting(seed=7, negative_prompt="blur")
    submitted.finish()
    sandbox.advance(FINISHED_AFTER)
    run = TaskRun(in_dag(ArchiveVideoOperator, destination=str(clip), request_id=submitted.xcoms["return_value"]))
    run.task.upstream_task_ids.add("submit")
    before = dict(submitted.xcoms)

    def upstream(message: Any) -> None:
        if isinstance(message, comms.GetXCom) and message.task_id == "submit":
            run.xcoms.update({KEY: before[KEY]})

    run.before = upstream
    assert run.finish().state == "success"
    told = run.xcoms[KEY]
    assert (told["state"], told["seed_asked"], told["negative_prompt"]) == ("archived", 7, "blur")
    assert told["submitted_at"] == submitted.record["submitted_at"]
    manifest = json.loads(clip.with_name("clip.mp4.json").read_text())
    assert (manifest["negative_prompt"], manifest["task_id"]) == ("blur", "video")
