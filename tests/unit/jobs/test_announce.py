"""The lineage of archived files: once by hooks, once by OpenLineage's provider, which then looks for no more."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from airflow_provider_siliconflow._airflow import lineage
from airflow_provider_siliconflow.client.video_record import VideoRecord
from airflow_provider_siliconflow.sandbox.server import Sandbox
from tests.unit.operators.batch.runs import archived, batching
from tests.unit.operators.batch.runs import run_to_end as run_batch
from tests.unit.operators.tasks import FAILS, generating, run_to_end


@pytest.fixture(autouse=True)
def _at_once(first_poll_at_once: None) -> None:
    pass


class Collector:
    """Stand for Airflow's collector."""

    def __init__(self) -> None:
        self.outputs: list[tuple[str, str]] = []

    def add_output_asset(self, context: Any, uri: str) -> None:
        self.outputs.append((type(context).__name__, uri))


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Collector:
    collector = Collector()
    monkeypatch.setattr(lineage, "collector", lambda: collector)
    return collector


def outputs(task: Any) -> list[tuple[str, str, int]]:
    """Return what OpenLineage's provider is told of a task that ended."""
    pytest.importorskip("airflow.providers.openlineage")
    found = task.get_openlineage_facets_on_complete(None)
    assert found.inputs == []
    return [(each.namespace, each.name, each.outputFacets["outputStatistics"].size) for each in found.outputs]


def test_an_archived_file_is_an_output_of_its_task(sandbox: Sandbox, clip: Path, collector: Collector) -> None:
    report = run_to_end(generating(clip), sandbox)
    assert collector.outputs == [("SiliconFlowHook", f"file://{clip}")]
    assert outputs(report.task) == [("file", str(clip), clip.stat().st_size)]


def test_each_file_of_a_batch_is_one(sandbox: Sandbox, tmp_path: Path, collector: Collector) -> None:
    report = run_batch(batching(tmp_path, ["a cat", "a dog", FAILS]), sandbox)
    assert report.state == "success"
    files = {str(tmp_path / f"{name}.mp4") for name in archived(tmp_path)}
    assert {uri for _, uri in collector.outputs} == {f"file://{file}" for file in files}
    assert {name for _, name, _ in outputs(report.task)} == files


def test_a_task_that_fails_has_none(sandbox: Sandbox, clip: Path, collector: Collector) -> None:
    report = run_to_end(generating(clip, prompt=FAILS), sandbox)
    assert report.state != "success"
    assert collector.outputs == []
    assert outputs(report.task) == []


def test_lineage_that_fails_costs_nothing(sandbox: Sandbox, clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise RuntimeError("no collector")

    monkeypatch.setattr(lineage, "collector", fail)
    assert run_to_end(generating(clip), sandbox).state == "success"


@pytest.mark.parametrize(
    ("path", "namespace", "name"),
    [
        ("s3://my_conn@bucket/2026/a b.mp4", "s3://bucket", "2026/a b.mp4"),
        ("oss://bucket/视频/clip.mp4", "oss://bucket", "视频/clip.mp4"),
        ("file:///videos/clip.mp4", "file", "/videos/clip.mp4"),
        ("/videos/100%/clip.mp4", "file", "/videos/100%/clip.mp4"),
    ],
)
def test_a_file_is_named_as_openlineage_names_it(clip: Path, path: str, namespace: str, name: str) -> None:
    pytest.importorskip("airflow.providers.openlineage")
    task = generating(clip).task
    told = VideoRecord(state="archived", billing="archived", request_id="x", path=path, bytes=7)
    task.announce({"outlet_events": {}}, told)
    assert outputs(task) == [(namespace, name, 7)]


def test_this_release_has_a_collector() -> None:
    assert callable(lineage.collector().add_output_asset)
