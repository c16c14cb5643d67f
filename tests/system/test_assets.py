"""A DAG that is scheduled on new videos runs for each of them; what a person reads of it in the logs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.system.demo import demo_settings
from tests.system.example_run import DAG_ID, ArchivedVideo, ExampleRun
from tests.system.stack import Stack, running

pytestmark = pytest.mark.system

CONSUMER = "example_publish_when_archived"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return where all of it goes."""
    return tmp_path_factory.mktemp("assets")


@pytest.fixture(scope="module")
def stack(folder: Path) -> Iterator[Stack]:
    """Run the demo's stack."""
    settings = demo_settings(folder / "archive")
    transport = {"type": "file", "log_file_path": str(folder / "lineage.json"), "append": True}
    env = {
        **settings.env,
        "SILICONFLOW_PUBLIC": (folder / "public").as_uri(),
        "AIRFLOW__OPENLINEAGE__TRANSPORT": json.dumps(transport),
    }
    with running(replace(settings, env=env)) as stack:
        yield stack


@pytest.fixture(scope="module")
def videos(stack: Stack) -> list[ArchivedVideo]:
    """Make three videos while the consumer waits for them."""
    stack.wait_until(f"the DAG {CONSUMER}", lambda: stack.api.knows_dag(CONSUMER), seconds=120)
    stack.api.call("PATCH", f"dags/{CONSUMER}", is_paused=False)
    return ExampleRun(stack, print).run(seconds=600)


def published(stack: Stack) -> list[str]:
    runs = stack.api.call("GET", f"dags/{CONSUMER}/dagRuns")["dag_runs"]
    assert not [run for run in runs if run["state"] == "failed"]
    done = [run["dag_run_id"] for run in runs if run["state"] == "success"]
    return [path for run in done for path in stack.api.xcom(CONSUMER, run, "publish")]


def test_each_new_video_is_published_once(stack: Stack, videos: list[ArchivedVideo], folder: Path) -> None:
    stack.wait_until("the runs of the consumer", lambda: len(published(stack)) >= len(videos), seconds=120)
    assert len(published(stack)) == len(videos)
    assert {path.read_bytes() for path in (folder / "public").iterdir()} == {v.path.read_bytes() for v in videos}


def test_they_are_events_of_one_asset_with_their_facts(stack: Stack, videos: list[ArchivedVideo]) -> None:
    (asset,) = stack.api.call("GET", "assets?only_active=false")["assets"]
    assert asset["uri"] == f"file://{videos[0].path.parent}"
    events: list[dict[str, Any]] = stack.api.call("GET", "assets/events")["asset_events"]
    assert {event["asset_id"] for event in events} == {asset["id"]}
    told = {event["extra"]["request_id"]: event["extra"] for event in events}
    assert len(events) == len(told) == len(videos)
    for video in videos:
        fact = told[video.manifest["request_id"]]
        assert {name: fact[name] for name in ("sha256", "bytes", "prompt", "path")} == {
            name: video.manifest[name] for name in ("sha256", "bytes", "prompt", "path")
        }


def ended_tasks(folder: Path) -> list[dict[str, Any]]:
    lines = (folder / "lineage.json").read_text().splitlines() if (folder / "lineage.json").exists() else []
    return [event for event in map(json.loads, lines) if event["eventType"] == "COMPLETE"]


def outputs(folder: Path, task: str) -> list[list[dict[str, Any]]]:
    return [event["outputs"] for event in ended_tasks(folder) if event["job"]["name"].endswith(task)]


def test_openlineage_is_told_of_each_file_once(stack: Stack, videos: list[ArchivedVideo], folder: Path) -> None:
    pytest.importorskip("airflow.providers.openlineage")
    # Airflow tells of a task's end once the task has ended already.
    stack.wait_until("events", lambda: len(outputs(folder, "video.archive")) >= len(videos), seconds=120)
    ended, archived = ended_tasks(folder), outputs(folder, "video.archive")
    files = sorted((output["namespace"], output["name"]) for each in archived for output in each)
    assert files == sorted(("file", str(video.path)) for video in videos)
    others = [event for event in ended if event["job"]["name"].endswith(("video.submit", "video.ready"))]
    assert others
    assert not [event for event in others if event["outputs"]]


def test_the_logs_of_all_tasks_tell_what_happened(stack: Stack, videos: list[ArchivedVideo]) -> None:
    run_id = stack.api.call("GET", f"dags/{DAG_ID}/dagRuns")["dag_runs"][0]["dag_run_id"]
    by_request = {video.manifest["request_id"]: video for video in videos}
    for task in stack.api.task_instances(DAG_ID, run_id):
        log = stack.api.task_log(DAG_ID, run_id, task)
        (request_id,) = set(re.findall(r"[Vv]ideo ([a-z0-9]{12})\b|request id ([a-z0-9]{12})\b", log)[0]) - {""}
        video = by_request[request_id]
        if task.task_id.endswith("submit"):
            assert f"Video {request_id} is submitted" in log
        elif task.task_id.endswith("ready"):
            assert f"Video {request_id}: last polled as Succeed" in log
        else:
            sha256, size = video.manifest["sha256"], video.manifest["bytes"]
            assert f"Archived {video.manifest['path']}: {size:,} bytes, SHA-256 {sha256}" in log
