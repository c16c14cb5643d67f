"""A list of videos in one task: from the list to the manifest, by the sandbox's ledger."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_siliconflow.billing import Billing
from airflow_provider_siliconflow.exceptions import (
    DestinationError,
    InvalidVideoRequestError,
    SiliconFlowConfigError,
)
from airflow_provider_siliconflow.sandbox.faults import Fault
from airflow_provider_siliconflow.sandbox.server import Sandbox
from tests.unit.operators.batch.runs import (
    FAILS,
    FINISHED_AFTER,
    all_ids,
    batching,
    kwargs_of,
    run_to_end,
    states,
    woken,
)
from tests.unit.worker import MODEL


def test_one_trigger_and_one_resume_for_all(sandbox: Sandbox, tmp_path: Path) -> None:
    run = batching(tmp_path, ["a {{ params.what }}", {"prompt": "a dog", "image_size": "960x960", "seed": "7"}])

    first = run.work()

    assert first.state == "deferred"
    jobs = sandbox.ledger().jobs
    assert [(job["prompt"], job["image_size"], job["model"]) for job in jobs] == [
        ("a cat", "1280x720", MODEL),
        ("a dog", "960x960", MODEL),
    ]
    assert first.message.trigger_kwargs["model"] == MODEL
    sandbox.advance(FINISHED_AFTER)
    assert run.work().state == "success"
    ledger = sandbox.ledger()
    assert ledger.billed == ledger.fetched == 2
    assert ledger.key_leaks == 0
    result = run.xcoms["return_value"]
    assert (result["archived"], result["failed"], result["rejected"], result["unknown"]) == (2, 0, 0, 0)
    for row, job in zip(result["videos"], jobs, strict=True):
        assert row["request_id"] == job["request_id"]
        assert row["path"] == str(tmp_path / f"{job['request_id']}.mp4")
        assert row["estimated_cost"] is None
        manifest = json.loads((tmp_path / f"{job['request_id']}.mp4.json").read_text())
        assert (manifest["sha256"], manifest["prompt"]) == (ledger.jobs[row["index"]]["sha256"], job["prompt"])
        assert len(manifest["trace_ids"]) == 2
    assert jobs[1]["seed"] == 7


def test_bad_requests_never_cost_the_others(sandbox: Sandbox, tmp_path: Path) -> None:
    bad = [
        {"prompt": "a cat", "image_size": "1x1"},
        {"prompt": {1, 2}},
        {"prompt": "a cat", "image": "/no/such/image.png", "model": "Wan-AI/Wan2.2-I2V-A14B"},
        {"prompt": "a cat", "seed": "many"},
        {"prompt": "a cat", "model": ["a", "list"]},
    ]
    run = batching(tmp_path, [*bad[:2], "a good one", *bad[2:], FAILS])

    assert run_to_end(run, sandbox).state == "success"

    assert states(run) == ["rejected"] * 2 + ["archived"] + ["rejected"] * 3 + ["failed"]
    assert sandbox.ledger().submit_calls == sandbox.ledger().billed == 2
    row = run.xcoms["return_value"]["videos"]
    assert "1x1" in row[0]["reason"]
    assert "It was not submitted and costs nothing" in row[0]["reason"]
    assert row[0]["estimated_cost"] == 0.0
    assert "too dark" in row[6]["reason"]
    assert row[6]["estimated_cost"] is None
    assert row[6]["request_id"] in all_ids(sandbox)


def test_a_request_that_the_service_rejects_never_costs_the_others(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.script(Fault("submit", "answer", status=400, body='{"code": 20015, "message": "no"}', match="bad"))
    run = batching(tmp_path, ["bad", "good"])
    assert run_to_end(run, sandbox).state == "success"
    assert states(run) == ["rejected", "archived"]
    assert sandbox.ledger().billed == 1


@pytest.mark.parametrize("given", ["a text", [], {"prompt": "a cat"}, None, 5])
def test_a_list_that_is_none_is_refused_before_anything(sandbox: Sandbox, tmp_path: Path, given: Any) -> None:
    report = batching(tmp_path, given).work()
    assert isinstance(report.error, InvalidVideoRequestError)
    assert report.state == "failed"
    assert sandbox.ledger().submit_calls == 0


def test_a_place_that_cannot_be_used_is_found_before_paying(sandbox: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    report = batching(tmp_path / "file" / "folder", ["a cat"]).work()
    assert isinstance(report.error, DestinationError)
    assert report.error.billing is Billing.NOT_SUBMITTED
    assert sandbox.ledger().submit_calls == 0


def test_a_connection_that_cannot_be_used_is_final(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_SILICONFLOW_DEFAULT", json.dumps({"conn_type": "siliconflow"}))
    assert isinstance(batching(tmp_path, ["a cat"]).work().error, SiliconFlowConfigError)


def test_images_are_read_once_however_often_the_task_resumes(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []

    def image_field(image: str, _: object) -> str:
        read.append(image)
        return "data:image/png;base64,iVBORw0KGgo="

    monkeypatch.setattr("airflow_provider_siliconflow.jobs.request.image_field", image_field)
    requests = [{"prompt": "it moves", "image": f"{name}.png"} for name in "ab"]
    run = batching(tmp_path, requests, model="Wan-AI/Wan2.2-I2V-A14B")
    assert run.work().state == "deferred"
    assert woken(run).state == "deferred"
    assert read == ["a.png", "b.png"]


def test_nothing_made_at_all_fails_and_pushes_the_manifest(sandbox: Sandbox, tmp_path: Path) -> None:
    run = batching(tmp_path, [{"prompt": ""}, FAILS])
    report = run_to_end(run, sandbox)
    assert report.state == "up_for_retry"
    assert "0 of 2 videos are archived: 1 failed at the service, 1 were rejected" in str(report.error)
    assert "return_value" not in run.xcoms
    assert states(run) == ["rejected", "failed"]


def test_what_travels_through_the_trigger_is_small_plain_and_secret_of_nobody(sandbox: Sandbox, tmp_path: Path) -> None:
    count = 30
    requests = [{"prompt": f"a very secret prompt {number}"} for number in range(count)]
    run = batching(tmp_path, [*requests, {"prompt": "a very secret prompt", "image_size": "1x1"}])
    assert run.work().state == "deferred"
    sandbox.advance(FINISHED_AFTER)
    before = woken(run, [job["request_id"] for job in sandbox.ledger().jobs[: count // 2]])
    assert before.state == "deferred"
    kwargs = kwargs_of(run)
    text = json.dumps(kwargs)
    assert json.loads(text) == kwargs
    for secret in ("secret", sandbox.key, "http", "Signature"):
        assert secret not in text
    assert len(text) < 300 * count


def test_on_kill_tells_the_truth(sandbox: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = batching(tmp_path, ["a", "b"])
    idle = run.task
    task = run.work().task
    capsys.readouterr()
    idle.on_kill()
    assert "cancels nothing" not in capsys.readouterr().out
    task.on_kill()
    assert (
        "were submitted, keep running at the service and are billed: nothing can cancel them" in capsys.readouterr().out
    )
