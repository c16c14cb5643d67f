"""
What the field breaks: one test for each kind of fault that public bug reports of clients like this one tell of.

Each is run by Airflow's own worker code against the sandbox, whose ledger tells what was billed.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG, ObjectStoragePath
from airflow.sdk.execution_time import comms

from airflow_provider_siliconflow.hooks.siliconflow import SiliconFlowHook
from airflow_provider_siliconflow.operators.video import (
    GenerateVideoBatchOperator,
    GenerateVideoOperator,
    SubmitVideoOperator,
)
from airflow_provider_siliconflow.sandbox.faults import Fault
from airflow_provider_siliconflow.sandbox.server import Sandbox
from tests.unit.conftest import Clock
from tests.unit.operators.tasks import generating, is_archived, run_to_end, submitting
from tests.unit.worker import MODEL, DiesBefore, TaskRun

pytestmark = pytest.mark.usefixtures("first_poll_at_once")

REQUEST = {"prompt": "a cat", "model": MODEL, "image_size": "1280x720"}
#: Half of an emoji, beyond what a short manifest would keep.
CUT_EMOJI = "x" * 5000 + "\ud83d"


def task(kind: str, folder: Path, default_args: dict[str, Any] | None = None, **arguments: Any) -> TaskRun:
    """Return a task of a kind; a batch's fields of a request are those of its one request."""
    default_args = {"deferrable": True, **(default_args or {})}
    with DAG("a_dag", schedule=None, default_args=default_args, params={"absent": None}):
        if kind == "submit":
            return TaskRun(SubmitVideoOperator(task_id="video", **REQUEST | arguments))
        if kind == "generate":
            given: dict[str, Any] = {"destination": str(folder / "clip.mp4"), **REQUEST}
            return TaskRun(GenerateVideoOperator(task_id="video", **given | arguments))
        fields = {name: arguments.pop(name) for name in tuple(arguments) if name in ("prompt", "image", "seed")}
        given = {"destination": f"{folder}/", "requests": [{**REQUEST, **fields}]}
        return TaskRun(GenerateVideoBatchOperator(task_id="video", **given | arguments))


KINDS = pytest.mark.parametrize("kind", ["submit", "generate", "batch"])


@pytest.mark.parametrize("value", ["1800", "PT30M", True, -1, float("nan"), 1e12, timedelta(days=-1), [5], None])
@KINDS
def test_01_a_duration_that_is_none_is_refused_before_money(
    sandbox: Sandbox, tmp_path: Path, kind: str, value: Any
) -> None:
    for name in ("submit_timeout",) if kind == "submit" else ("submit_timeout", "timeout"):
        report = task(kind, tmp_path, {name: value}).work()
        assert report.state == "failed"
        assert f"{name} is" in str(report.error)
    assert sandbox.ledger().submit_calls == 0


def test_01_durations_may_be_timedeltas(sandbox: Sandbox, tmp_path: Path) -> None:
    given = {"timeout": timedelta(minutes=30), "poke_interval": timedelta(milliseconds=10)}
    for kind in ("generate", "batch"):
        run = task(kind, tmp_path, {**given, "submit_timeout": timedelta(hours=1)})
        assert run_to_end(run, sandbox).state == "success"
    assert sandbox.ledger().billed == 2


@pytest.mark.parametrize("word", ["Fail", "RESUBMIT", "resubmit ", "", None, True])
@KINDS
def test_02_only_words_that_are_understood_are_taken(sandbox: Sandbox, tmp_path: Path, kind: str, word: Any) -> None:
    report = task(kind, tmp_path, on_unknown_submit=word).work()
    assert report.state == "failed"
    assert "'fail', 'resubmit'" in str(report.error)
    assert sandbox.ledger().submit_calls == 0


@pytest.mark.parametrize("value", ["{{ params.absent }}", "{{ none }}", " None ", "", None])
@KINDS
def test_03_a_prompt_of_an_empty_template_is_absent(sandbox: Sandbox, tmp_path: Path, kind: str, value: Any) -> None:
    report = task(kind, tmp_path, prompt=value).work()
    assert report.state == "failed"
    assert "prompt is empty" in str(report.error)
    assert sandbox.ledger().submit_calls == 0


@pytest.mark.parametrize("name", ["c" * 251 + ".mp4", "ü" * 125 + ".mp4"])
def test_04_a_name_too_long_for_the_names_beside_it_is_rejected_before_money(
    sandbox: Sandbox, tmp_path: Path, name: str
) -> None:
    run = generating(tmp_path / name)
    assert run.work().state == "failed"
    assert run.record is None
    assert sandbox.ledger().submit_calls == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("names", [("clip.mp4", "clip.mov"), ("v1.0", "v1.1")])
def test_05_neighbours_have_manifests_of_their_own(sandbox: Sandbox, tmp_path: Path, names: tuple[str, str]) -> None:
    clips = [tmp_path / name for name in names]
    runs = [generating(clip) for clip in clips]
    for run in runs:
        run.before = DiesBefore(comms.SucceedTask)
        assert run_to_end(run, sandbox).state == "killed"
        assert run.retry().state == "success"
    assert all(is_archived(clip, sandbox, index) for index, clip in enumerate(clips))
    assert sandbox.ledger().billed == 2


@KINDS
def test_06_text_that_cannot_be_stored_is_refused_before_money(sandbox: Sandbox, tmp_path: Path, kind: str) -> None:
    report = task(kind, tmp_path, prompt=CUT_EMOJI).work()
    assert report.state == "failed"
    assert "half of a surrogate pair" in str(report.error)
    assert sandbox.ledger().submit_calls == 0


BROKEN_CONNECTIONS = [
    {"extra": "[1]"},
    {"extra": "{"},
    {"extra": '{"timeout": 1e12}'},
    {"host": "http://api.siliconflow.cn"},
]


@pytest.mark.parametrize("broken", BROKEN_CONNECTIONS, ids=str)
@KINDS
def test_10_11_a_connection_that_cannot_be_used_leaves_no_intent(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, broken: dict[str, str]
) -> None:
    connection = {"conn_type": "siliconflow", "password": sandbox.key, "host": sandbox.base_url, **broken}
    monkeypatch.setenv("AIRFLOW_CONN_SILICONFLOW_DEFAULT", json.dumps(connection))
    run = task(kind, tmp_path)
    report = run.work()
    assert report.state == "failed"
    assert "Airflow connection 'siliconflow_default'" in str(report.error)
    assert sandbox.key not in str(report.error)
    assert run.record is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", [Path, ObjectStoragePath, str])
def test_12_a_destination_may_be_of_any_path_type(sandbox: Sandbox, clip: Path, kind: Callable[[str], Any]) -> None:
    run = generating("", destination=kind(str(clip)))
    assert run_to_end(run, sandbox).state == "success"
    assert is_archived(clip, sandbox)


@pytest.mark.parametrize("value", [7, b"\x89PNG", ["a"], {"a": 1}])
@KINDS
def test_12_an_image_of_another_type_is_named(sandbox: Sandbox, tmp_path: Path, kind: str, value: Any) -> None:
    report = task(kind, tmp_path, image=value).work()
    assert report.state == "failed"
    assert "image is" in str(report.error)
    assert type(value).__name__ in str(report.error)
    assert sandbox.ledger().submit_calls == 0


@pytest.mark.parametrize(
    "body", ['{"data": {"requestId": "gateway1"}}', '{"request_id": "gateway1"}', '["x", {"requestId": "gateway1"}]']
)
def test_13_an_id_in_another_place_is_taken(sandbox: Sandbox, body: str) -> None:
    sandbox.script(Fault("submit", "answer", status=200, body=body, after=True))
    run = submitting()
    run.before = DiesBefore(comms.SucceedTask)
    assert run.finish().state == "killed"
    assert run.record["request_id"] == run.xcoms["return_value"] == "gateway1"
    assert run.retry().state == "success"
    assert sandbox.ledger().billed == 1


@KINDS
def test_14_no_message_carries_an_image(sandbox: Sandbox, tmp_path: Path, kind: str) -> None:
    report = task(kind, tmp_path, image="iVBORw0KGgo" + "A" * (1 << 20)).work()
    assert report.state == "failed"
    assert "base64 without a head" in str(report.error)
    assert len(str(report.error)) < 600
    assert sandbox.ledger().submit_calls == 0


@pytest.mark.parametrize("destination", ["s3://b//x.mp4", "s3://aws@", "s3://", "gs:///x.mp4"])
def test_15_a_destination_that_no_store_has_is_refused_before_money(sandbox: Sandbox, destination: str) -> None:
    report = generating(destination).work()
    assert report.state == "failed"
    assert "not-known-yet" not in str(report.error)
    assert sandbox.ledger().submit_calls == 0


@pytest.mark.parametrize("code", [50604, 50508, 50505, 20015])
def test_16_a_429_is_a_rate_limit_whatever_code_comes_along(sandbox: Sandbox, clock: Clock, code: int) -> None:
    sandbox.script(Fault("submit", "answer", status=429, body=json.dumps({"code": code, "message": "busy"})))
    run = submitting()
    assert run.work().state == "deferred"
    assert run.finish().state == "success"
    assert sandbox.ledger().billed == 1


@pytest.mark.parametrize("word", ["succeed", "Succeeded", "SUCCEEDED", None])
def test_17_a_video_that_is_there_is_taken(sandbox: Sandbox, clip: Path, word: str | None) -> None:
    run = generating(clip)
    assert run.work().state == "deferred"
    sandbox.advance(600)
    url = SiliconFlowHook().get_video_status(sandbox.ledger().jobs[0]["request_id"]).url
    body = {"videos": [url]} | ({} if word is None else {"status": word})
    sandbox.script(Fault("status", "answer", status=200, body=json.dumps(body), times=0))
    assert run.finish().state == "success"
    assert is_archived(clip, sandbox)
    assert sandbox.ledger().billed == 1


def test_19_an_empty_request_costs_no_other_of_its_list(sandbox: Sandbox, tmp_path: Path) -> None:
    run = task("batch", tmp_path, requests=["a", None, "b"], model=MODEL, image_size="1280x720", poke_interval=0.01)
    assert run_to_end(run, sandbox).state == "success"
    states = [video["state"] for video in run.xcoms["return_value"]["videos"]]
    assert states == ["archived", "rejected", "archived"]
    assert sandbox.ledger().billed == 2


@pytest.mark.parametrize(("timeout", "state"), [(7201, "deferred"), (7199, "failed")])
def test_19_a_long_retry_after_is_waited_for_or_told_at_once(
    sandbox: Sandbox, clock: Clock, timeout: float, state: str
) -> None:
    sandbox.script(Fault("submit", "rate_limited", retry_after=7200))
    began = clock.now
    report = submitting(submit_timeout=timeout, retries=0).work()
    assert report.state == state
    if state == "deferred":
        assert report.message.trigger_kwargs["until"] - began == pytest.approx(7200)
    else:
        assert "the service asks to wait 7200 s" in str(report.error)
    assert clock.sleeps == []
    assert sandbox.ledger().billed == 0
