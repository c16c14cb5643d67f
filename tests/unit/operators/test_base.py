"""What a DAG author may hand to the operators: templates, XComs of other tasks, lists to map over."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG

from airflow_provider_siliconflow._airflow.connections import BaseHook
from airflow_provider_siliconflow.operators.video import (
    ArchiveVideoOperator,
    GenerateVideoBatchOperator,
    GenerateVideoOperator,
    SubmitVideoOperator,
)
from airflow_provider_siliconflow.sandbox.server import Sandbox
from airflow_provider_siliconflow.sensors.video import VideoReadySensor
from tests.releases import DagSerialization
from tests.unit.worker import MODEL, TaskRun, in_dag

REQUEST: dict[str, Any] = {"prompt": "a cat", "model": MODEL, "image_size": "1280x720"}
#: The least that each wants, and all that can be a template.
NEEDED: dict[Any, tuple[str, ...]] = {
    SubmitVideoOperator: ("prompt", "model", "image_size"),
    GenerateVideoOperator: ("prompt", "model", "image_size", "destination"),
    GenerateVideoBatchOperator: ("requests", "destination"),
    ArchiveVideoOperator: ("destination",),
    VideoReadySensor: ("request_id",),
}
REQUEST_FIELDS = {"prompt", "model", "image_size", "negative_prompt", "image", "seed", "siliconflow_conn_id"}
TEMPLATED: dict[Any, set[str]] = {
    SubmitVideoOperator: REQUEST_FIELDS,
    GenerateVideoOperator: {*REQUEST_FIELDS, "destination", "video_label"},
    GenerateVideoBatchOperator: {
        "requests",
        "destination",
        "model",
        "image_size",
        "siliconflow_conn_id",
        "video_label",
    },
    ArchiveVideoOperator: {"destination", "request_id", "url", "model", "prompt", "siliconflow_conn_id", "video_label"},
    VideoReadySensor: {"request_id", "siliconflow_conn_id"},
}
KINDS = pytest.mark.parametrize("kind", list(NEEDED), ids=lambda kind: kind.__name__)


@pytest.fixture
def _no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    def look_up(*_: Any) -> Any:
        raise AssertionError("a DAG file must not look up connections")

    monkeypatch.setattr(BaseHook, "get_connection", look_up)


@KINDS
def test_every_field_that_names_something_is_a_template(kind: Any) -> None:
    fields = TEMPLATED[kind]
    assert set(kind.template_fields) == fields
    task = in_dag(kind, **{name: "{{ params.what }}/" + name for name in fields})

    task.render_template_fields({"params": {"what": "cat"}})

    assert {name: getattr(task, name) for name in fields} == {name: f"cat/{name}" for name in fields}


@KINDS
@pytest.mark.usefixtures("_no_connection")
def test_a_task_is_made_from_anything_and_nothing_is_read(kind: Any) -> None:
    for value in ("", "{{ no_such_name }}", None, 7, ["a"], "s3://nowhere/nothing"):
        in_dag(kind, **dict.fromkeys(TEMPLATED[kind], value))


@KINDS
@pytest.mark.usefixtures("_no_connection")
def test_a_task_takes_what_other_tasks_return_and_its_dag_serializes(kind: Any) -> None:
    with DAG("a_dag", schedule=None) as dag:
        source = SubmitVideoOperator(task_id="source", **REQUEST)
        plain = kind(task_id="plain", **dict.fromkeys(NEEDED[kind], source.output))
        first, *others = NEEDED[kind]
        mapped = kind.partial(task_id="mapped", **dict.fromkeys(others, "x")).expand(**{first: source.output})
    assert plain.upstream_task_ids == mapped.upstream_task_ids == {"source"}

    kept = json.loads(json.dumps(DagSerialization.to_dict(dag)))

    read = DagSerialization.from_dict(kept)
    assert read.task_ids == ["source", "plain", "mapped"]
    assert set(read.get_task("plain").template_fields) == TEMPLATED[kind]
    assert read.get_task("mapped").is_mapped


def mapped_runs(task: Any, count: int) -> list[TaskRun]:
    return [TaskRun(task, map_index=index) for index in range(count)]


def test_three_mapped_tasks_make_and_archive_a_video_for_each_prompt(sandbox: Sandbox, tmp_path: Path) -> None:
    prompts = ["a cat", "a dog", "a fox"]
    with DAG("a_dag", schedule=None):
        submit = SubmitVideoOperator.partial(
            task_id="submit", model=MODEL, image_size="1280x720", seed="{{ ti.map_index }}"
        ).expand(prompt=prompts)
    submits = mapped_runs(submit, 3)
    assert [run.finish().state for run in submits] == ["success"] * 3
    ids = [run.xcoms["return_value"] for run in submits]
    sandbox.advance(600)

    with DAG("a_dag", schedule=None):
        ready = VideoReadySensor.partial(task_id="ready", deferrable=True).expand(request_id=ids)
    waits = mapped_runs(ready, 3)
    assert [run.finish().state for run in waits] == ["success"] * 3
    urls = [run.xcoms["return_value"] for run in waits]

    with DAG("a_dag", schedule=None):
        archive = ArchiveVideoOperator.partial(
            task_id="archive", destination=f"{tmp_path}/{{{{ ti.map_index }}}}.mp4"
        ).expand_kwargs([{"request_id": request_id, "url": url} for request_id, url in zip(ids, urls, strict=True)])
    archives = mapped_runs(archive, 3)
    assert [run.finish().state for run in archives] == ["success"] * 3

    assert [(job["prompt"], job["seed"]) for job in sandbox.ledger().jobs] == list(zip(prompts, range(3), strict=True))
    assert [run.xcoms["manifest"]["request_id"] for run in archives] == ids
    assert sorted(path.name for path in tmp_path.glob("*.mp4")) == ["0.mp4", "1.mp4", "2.mp4"]
    assert (sandbox.ledger().billed, sandbox.ledger().fetched) == (3, 3)
    assert "Signature" not in json.dumps([run.rendered for run in archives])


def test_one_mapped_task_makes_and_archives_a_video_for_each_prompt(sandbox: Sandbox, tmp_path: Path) -> None:
    with DAG("a_dag", schedule=None):
        generate = GenerateVideoOperator.partial(
            deferrable=True,
            task_id="generate",
            model=MODEL,
            image_size="1280x720",
            destination=f"{tmp_path}/{{{{ ti.map_index }}}}.mp4",
        ).expand(prompt=["a cat", "a dog"])
    runs = mapped_runs(generate, 2)
    assert [run.work().state for run in runs] == ["deferred"] * 2
    sandbox.advance(600)

    for run in runs:
        run.next_try()  # As after a death: each re-attaches to its own.
        assert run.finish().state == "success"

    assert [run.xcoms["manifest"]["prompt"] for run in runs] == ["a cat", "a dog"]
    assert [run.xcoms["return_value"] for run in runs] == [f"{tmp_path}/0.mp4", f"{tmp_path}/1.mp4"]
    assert (sandbox.ledger().billed, sandbox.ledger().fetched) == (2, 2)


@pytest.mark.parametrize(
    ("seed", "sent"), [("{{ 40 + 2 }}", 42), ("{{ params.get('seed', '') }}", None), ("{{ none }}", None), (7, 7)]
)
def test_a_seed_may_be_a_template(sandbox: Sandbox, seed: str | int, sent: int | None) -> None:
    run = TaskRun(in_dag(SubmitVideoOperator, **REQUEST, seed=seed))
    assert run.finish().state == "success"
    (job,) = sandbox.ledger().jobs
    # Without a seed the service draws one, and its own are large.
    assert job["seed"] == sent if sent is not None else job["seed"] > 1000
