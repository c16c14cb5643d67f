"""One task from prompt to file: in Airflow's own worker code, against the sandbox and its ledger."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_siliconflow.billing import Billing
from airflow_provider_siliconflow.exceptions import (
    DestinationError,
    VideoTimeoutError,
)
from airflow_provider_siliconflow.sandbox.faults import Fault
from airflow_provider_siliconflow.sandbox.server import Sandbox
from tests.unit.conftest import Clock
from tests.unit.operators.tasks import FINISHED_AFTER, generating, is_archived, run_to_end
from tests.unit.worker import MODEL, TaskRun

pytestmark = pytest.mark.usefixtures("first_poll_at_once")


# --- the whole way ----------------------------------------------------------------------------------------------------


def test_from_prompt_to_file_in_two_worker_processes(sandbox: Sandbox, clip: Path) -> None:
    run = generating(clip)

    first = run.work()

    assert first.state == "deferred"
    assert first.message.classpath.endswith("triggers.video.VideoReadyTrigger")
    (job,) = sandbox.ledger().jobs
    assert first.message.trigger_kwargs["request_id"] == job["request_id"]
    assert "cat" not in repr(first.message)
    sandbox.advance(FINISHED_AFTER)
    assert run.work().state == "success"
    assert is_archived(clip, sandbox)
    ledger = sandbox.ledger()
    assert (ledger.billed, ledger.fetched, ledger.key_leaks) == (1, 1, 0)
    assert run.xcoms["return_value"] == str(clip)
    assert run.xcoms["submission"]["request_id"] == run.xcoms["video"]["request_id"] == job["request_id"]
    manifest = run.xcoms["manifest"]
    assert manifest == json.loads(clip.with_name("clip.mp4.json").read_text())
    assert (manifest["prompt"], manifest["model"], manifest["seed"]) == ("a cat", MODEL, job["seed"])
    assert manifest["trace_ids"] == [run.xcoms["submission"]["trace_id"], run.xcoms["video"]["trace_id"]]
    assert "Signature" not in json.dumps([run.xcoms, run.store])


def test_in_one_worker_process_if_told_so(sandbox: Sandbox, clock: Clock, clip: Path) -> None:
    run = generating(clip, deferrable=False, poke_interval=None)
    assert run.work().state == "success"
    assert set(clock.sleeps) == {15}
    assert is_archived(clip, sandbox)
    assert run.deferral is None


def test_a_worker_that_waits_does_not_sleep_beyond_the_deadline(sandbox: Sandbox, clock: Clock, clip: Path) -> None:
    began = clock.now
    report = generating(clip, deferrable=False, poke_interval=40, timeout=50).work()
    assert isinstance(report.error, VideoTimeoutError)
    assert clock.sleeps == pytest.approx([40, 10])
    assert clock.now == pytest.approx(began + 50)


def test_a_rejected_submit_waits_in_the_triggerer_first(sandbox: Sandbox, clock: Clock, clip: Path) -> None:
    sandbox.script(Fault("submit", "rate_limited"))
    run = generating(clip)
    assert run.work().message.classpath.endswith("SubmitRetryTrigger")
    assert run_to_end(run, sandbox).state == "success"
    assert is_archived(clip, sandbox)
    assert (sandbox.ledger().submit_calls, sandbox.ledger().billed) == (2, 1)


def test_a_folder_gets_a_file_named_after_the_video(sandbox: Sandbox, tmp_path: Path) -> None:
    run = generating(tmp_path)
    assert run_to_end(run, sandbox).state == "success"
    (job,) = sandbox.ledger().jobs
    assert run.xcoms["return_value"] == str(tmp_path / f"{job['request_id']}.mp4")


# --- before anything is paid ------------------------------------------------------------------------------------------


def blocking_file(folder: Path) -> Path:
    clip = folder / "clip.mp4"
    clip.write_bytes(b"something of value")
    return clip


@pytest.mark.parametrize(
    ("make_destination", "arguments", "words"),
    [
        pytest.param(blocking_file, {}, "holds a file of unknown origin already", id="exists"),
        pytest.param(lambda folder: blocking_file(folder) / "clip.mp4", {}, "Cannot archive", id="below a file"),
        pytest.param(lambda folder: Path("/proc/nobody/may/write/clip.mp4"), {}, "Cannot archive", id="no rights"),
        pytest.param(lambda folder: folder / "clip.json", {}, "is no name for a video", id="the manifest's name"),
        pytest.param(lambda folder: "  ", {}, "destination is empty", id="empty"),
    ],
)
def test_a_place_that_cannot_be_used_is_found_before_paying(
    sandbox: Sandbox, tmp_path: Path, make_destination: Any, arguments: dict[str, str], words: str
) -> None:
    run = generating(make_destination(tmp_path), **arguments)
    report = run.finish()
    assert isinstance(report.error, DestinationError)
    assert words in str(report.error)
    assert report.error.billing is Billing.NOT_SUBMITTED
    assert sandbox.ledger().submit_calls == 0
    assert run.record is None


def test_skip_pays_nothing(sandbox: Sandbox, tmp_path: Path) -> None:
    clip = blocking_file(tmp_path)
    run = generating(clip, if_exists="skip")
    assert run.finish().state == "success"
    assert clip.read_bytes() == b"something of value"
    assert run.xcoms["return_value"] == run.xcoms["manifest"]["path"] == str(clip)
    assert (sandbox.ledger().submit_calls, sandbox.ledger().status_calls) == (0, 0)
    assert run.record is None


def test_overwrite_replaces_what_is_there(sandbox: Sandbox, tmp_path: Path) -> None:
    clip = blocking_file(tmp_path)
    assert run_to_end(generating(clip, if_exists="overwrite"), sandbox).state == "success"
    assert is_archived(clip, sandbox)


# --- events -----------------------------------------------------------------------------------------------------------


def event_for(run: TaskRun, **facts: Any) -> dict[str, Any]:
    assert run.deferral
    kwargs: Any = run.deferral.trigger_kwargs
    return {"request_id": kwargs["request_id"], "deadline": kwargs["deadline"], **facts}


def test_an_event_ahead_of_the_service_waits_again(sandbox: Sandbox, clip: Path) -> None:
    run = generating(clip)
    deadline = run.work().message.trigger_kwargs["deadline"]
    again = run.resume(event_for(run, status="ready"))
    assert again.state == "deferred"
    assert again.message.trigger_kwargs["deadline"] == deadline
    sandbox.advance(FINISHED_AFTER)
    assert run.work().state == "success"
    assert sandbox.ledger().billed == 1


@pytest.mark.parametrize("event", [{"status": "error", "message": "no luck"}, {"status": "what?"}, None, [], "ready"])
def test_an_event_that_cannot_be_read_is_deferred_again_and_loses_nothing(
    sandbox: Sandbox, clip: Path, event: Any
) -> None:
    run = generating(clip, retries=0)
    run.work()
    assert run.resume(event).state == "deferred"
    sandbox.advance(FINISHED_AFTER)
    assert run.work().state == "success"
    assert sandbox.ledger().billed == 1


# --- killed -----------------------------------------------------------------------------------------------------------


def test_on_kill_tells_the_truth_before_and_after_the_resume(
    sandbox: Sandbox, clip: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = generating(clip)
    waiting = run.work().task
    sandbox.advance(FINISHED_AFTER)
    resumed = run.work().task
    (job,) = sandbox.ledger().jobs
    calls = sandbox.ledger().status_calls
    for task in (waiting, resumed):
        capsys.readouterr()
        task.on_kill()
        said = capsys.readouterr().out
        assert f"Video {job['request_id']} was submitted, keeps running at the service and is billed" in said
    assert sandbox.ledger().status_calls == calls
