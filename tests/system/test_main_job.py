"""
The main job, as `make demo` runs it: three prompts become three whole videos, paid once each.

A DAG that is scheduled on new videos runs for each of them; logs and lineage tell what happened.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import pytest

from tests.system.demo import demo_settings
from tests.system.example_run import DAG_ID, ArchivedVideo, ExampleRun
from tests.system.listening import open_to_others
from tests.system.processes import session_members
from tests.system.stack import Stack, running

pytestmark = pytest.mark.system

#: The DAG that is scheduled on new videos.
CONSUMER = "example_publish_when_archived"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return where all of it goes."""
    return tmp_path_factory.mktemp("main-job")


@pytest.fixture(scope="module")
def stack(folder: Path) -> Iterator[Stack]:
    """Run the demo's stack, which tells of lineage as well."""
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
    """Run the mapped example to its end, while the consumer waits for its videos."""
    stack.wait_until(f"the DAG {CONSUMER}", lambda: stack.api.knows_dag(CONSUMER), seconds=120)
    stack.api.call("PATCH", f"dags/{CONSUMER}", is_paused=False)
    return ExampleRun(stack, print).run(seconds=600)


@pytest.fixture(scope="module")
def ledger(stack: Stack, videos: list[ArchivedVideo]) -> dict[str, Any]:
    """Return what the service billed and saw, once the run has ended."""
    found: dict[str, Any] = stack.sandbox("ledger")
    return found


def test_files_are_whole_videos(videos: list[ArchivedVideo]) -> None:
    assert len(videos) == 3
    for video in videos:
        with av.open(video.path) as container:
            (stream,) = container.streams.video
            assert stream.codec_context.name == "h264"
            assert (stream.width, stream.height) == (1280, 720)
            frames = sum(1 for _ in container.decode(stream))
            assert stream.average_rate
            assert 4.5 <= frames / stream.average_rate <= 5.5


def test_manifests_match_the_ledger(videos: list[ArchivedVideo], ledger: dict[str, Any]) -> None:
    rendered = {job["request_id"]: job["sha256"] for job in ledger["jobs"]}
    for video in videos:
        content = video.path.read_bytes()
        assert hashlib.sha256(content).hexdigest() == video.manifest["sha256"]
        assert rendered[video.manifest["request_id"]] == video.manifest["sha256"]
        assert video.manifest["bytes"] == len(content)
        assert video.manifest["prompt"] == video.prompt


def test_each_video_is_paid_once_and_fetched_without_the_key(ledger: dict[str, Any]) -> None:
    counts = {name: ledger[name] for name in ("submit_calls", "accepted", "billed", "finished", "fetched")}
    assert set(counts.values()) == {3}, counts
    assert ledger["key_leaks"] == 0


def test_archive_holds_the_videos_their_manifests_and_posters_alone(videos: list[ArchivedVideo], folder: Path) -> None:
    expected = {Path(f"{video.path}{suffix}") for video in videos for suffix in ("", ".json", ".jpg")}
    assert {path for path in (folder / "archive").rglob("*") if path.is_file()} == expected


def test_nothing_listens_beyond_loopback(stack: Stack) -> None:
    pids = session_members([part.pid for part in stack.parts.values()])
    assert len(pids) >= len(stack.parts)
    assert open_to_others(pids) == []


def published(stack: Stack) -> set[str]:
    """Return what the consumer has published; nothing while a run of it is under way."""
    runs = stack.api.call("GET", f"dags/{CONSUMER}/dagRuns")["dag_runs"]
    assert not [run for run in runs if run["state"] == "failed"]
    # While one is queued, Airflow 3.1 answers a question for asset events with an error.
    if any(run["state"] != "success" for run in runs):
        return set()
    return {path for run in runs for path in stack.api.xcom(CONSUMER, run["dag_run_id"], "publish")}


def test_each_new_video_is_published(stack: Stack, videos: list[ArchivedVideo], folder: Path) -> None:
    stack.wait_until("the runs of the consumer", lambda: len(published(stack)) >= len(videos), seconds=300)
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
