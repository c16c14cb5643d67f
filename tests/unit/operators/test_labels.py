"""Labels of archived videos, and what a label that cannot be written costs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_siliconflow.billing import Billing
from airflow_provider_siliconflow.label import VideoLabel, VisibleLabel, implicit
from airflow_provider_siliconflow.operators.video import ArchiveVideoOperator
from airflow_provider_siliconflow.sandbox.server import Sandbox
from tests.unit.operators.batch.runs import batching
from tests.unit.operators.batch.runs import run_to_end as run_batch_to_end
from tests.unit.operators.tasks import FINISHED_AFTER, generating, run_to_end, submitting
from tests.unit.worker import TaskRun, in_dag

pytestmark = pytest.mark.usefixtures("first_poll_at_once")

LABEL = VideoLabel(content_producer="Studio {{ params.what }}")


def test_a_generated_video_has_its_label_with_templates_rendered(sandbox: Sandbox, clip: Path) -> None:
    run = generating(clip, video_label=LABEL)
    assert run_to_end(run, sandbox).state == "success"
    request_id = sandbox.ledger().jobs[0]["request_id"]
    wanted = LABEL.model_copy(update={"content_producer": "Studio cat"}).implicit(request_id)
    assert implicit.read(clip) == wanted
    manifest = run.xcoms["manifest"]
    assert manifest["label"]["added"] == wanted
    assert run.xcoms["siliconflow_video"]["labelled"] == manifest["labelled"] == "AIGC metadata"
    assert manifest["vendor_sha256"] == sandbox.ledger().jobs[0]["sha256"] != manifest["sha256"]
    assert LABEL.content_producer == "Studio {{ params.what }}"


def test_the_label_of_the_connection_counts_for_all(sandbox: Sandbox, tmp_path: Path, connection_extra: Any) -> None:
    connection_extra(video_label={"content_producer": "of the connection"})
    run = batching(tmp_path, ["a", "b"])
    assert run_batch_to_end(run, sandbox).state == "success"
    labels = [implicit.read(path) for path in tmp_path.glob("*.mp4")]
    assert [label["ContentProducer"] for label in labels if isinstance(label, dict)] == ["of the connection"] * 2


def test_the_archive_operator_labels(sandbox: Sandbox, clip: Path) -> None:
    submit = submitting()
    submit.work()
    sandbox.advance(FINISHED_AFTER)
    request_id = submit.xcoms["return_value"]
    run = TaskRun(
        in_dag(
            ArchiveVideoOperator, destination=str(clip), request_id=request_id, video_label={"content_producer": "a"}
        )
    )
    assert run.work().state == "success"
    assert json.loads(clip.with_name("clip.mp4.json").read_text())["label"]["added"]["ProduceID"] == request_id


@pytest.mark.parametrize(
    "label",
    [
        {"content_producer": "a", "visible": VisibleLabel(text="AI", font="none.ttf").model_dump()},
        {"content_producer": "a", "credentials": {"certificate": "/none.pem", "private_key": "/none.pem"}},
        {"content_producer": "a", "credentials": {"conn_id": "nowhere"}},
        {"content_producer": ""},
        {"producer": "a"},
    ],
    ids=["font", "key", "connection", "empty", "unknown field"],
)
def test_a_label_that_cannot_be_written_costs_nothing(
    sandbox: Sandbox, clip: Path, tmp_path: Path, label: dict[str, Any]
) -> None:
    for run in (generating(clip, video_label=label), batching(tmp_path / "videos", ["a"], video_label=label)):
        error = run.work().error
        assert error
        assert getattr(error, "billing", None) is Billing.NOT_SUBMITTED, error
    assert sandbox.ledger().submit_calls == 0
    assert list(tmp_path.glob(".siliconflow-*")) == []


def test_a_font_that_went_missing_after_paying_keeps_the_video(
    sandbox: Sandbox, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = generating(clip, video_label={"content_producer": "a"})
    assert run.work().state == "deferred"
    sandbox.advance(FINISHED_AFTER)
    with monkeypatch.context() as patch:
        patch.setattr(implicit, "packets", lambda path: [path])
        report = run.finish()
    assert report.state == "up_for_retry"
    assert getattr(report.error, "billing", None) is Billing.RUNNING
    assert "clip.mp4.unlabelled" in str(report.error)
    assert not clip.exists()
    run.next_try()
    assert run.work().state == "success"
    assert implicit.read(clip)
    assert sandbox.ledger().billed == 1
