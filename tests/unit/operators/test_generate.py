"""One task from prompt to file, in Airflow's own worker code, against the sandbox and its ledger."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException
from airflow.sdk.execution_time import comms

from airflow_provider_siliconflow.archive.publish import publish
from airflow_provider_siliconflow.exceptions import (
    DestinationError,
    SiliconFlowAuthenticationError,
    SiliconFlowError,
    VideoFailedError,
    VideoTimeoutError,
)
from airflow_provider_siliconflow.operators.video import GenerateVideoOperator
from airflow_provider_siliconflow.sandbox.faults import Fault
from airflow_provider_siliconflow.sandbox.server import Sandbox
from tests.unit.conftest import Clock
from tests.unit.worker import MODEL, DiesBefore, Killed, Report, TaskRun, in_dag

#: Seconds after which the sandbox has made any video.
MADE = 600
FAILS = "a cat [fail: too dark]"


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow_provider_siliconflow.triggers.video.FIRST_LOOK", 0.0)


def generating(place: Path | str, **arguments: Any) -> TaskRun:
    request = {"prompt": "a {{ params.what }}", "model": MODEL, "image_size": "1280x720", "retries": 2}
    destination = {"destination": str(place), "poke_interval": 0.01}
    return TaskRun(in_dag(GenerateVideoOperator, **request | destination | arguments))


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return tmp_path / "clip.mp4"


def made(run: TaskRun, sandbox: Sandbox) -> Report:
    """Run a task to the end of its try, with a video that gets ready while it waits."""
    assert run.work().state == "deferred"
    sandbox.advance(MADE)
    return run.finish()


def is_archived(clip: Path, sandbox: Sandbox, job: int = 0) -> bool:
    sha256 = hashlib.sha256(clip.read_bytes()).hexdigest()
    manifest = json.loads(clip.with_suffix(".json").read_text())
    wanted: str = sandbox.ledger().jobs[job]["sha256"]
    return sha256 == wanted == manifest["sha256"] and list(clip.parent.glob(".*")) == []


# --- the whole way --------------------------------------------------------------------------------------------------


def test_from_prompt_to_file_in_two_worker_processes(still: Sandbox, clip: Path) -> None:
    run = generating(clip)

    first = run.work()

    assert first.state == "deferred"
    assert first.message.classpath.endswith("triggers.video.VideoReadyTrigger")
    (job,) = still.ledger().jobs
    assert first.message.trigger_kwargs["request_id"] == job["request_id"]
    assert "cat" not in repr(first.message)
    still.advance(MADE)
    assert run.work().state == "success"
    assert is_archived(clip, still)
    ledger = still.ledger()
    assert (ledger.billed, ledger.fetched, ledger.key_leaks) == (1, 1, 0)
    assert run.xcoms["return_value"] == str(clip)
    assert run.xcoms["submission"]["request_id"] == run.xcoms["video"]["request_id"] == job["request_id"]
    manifest = run.xcoms["manifest"]
    assert manifest == json.loads(clip.with_suffix(".json").read_text())
    assert (manifest["prompt"], manifest["model"], manifest["seed"]) == ("a cat", MODEL, job["seed"])
    assert manifest["trace_ids"] == [run.xcoms["submission"]["trace_id"], run.xcoms["video"]["trace_id"]]
    assert "Signature" not in json.dumps([run.xcoms, run.store])


def test_in_one_worker_process_if_told_so(still: Sandbox, clock: Clock, clip: Path) -> None:
    run = generating(clip, deferrable=False, poke_interval=None)
    assert run.work().state == "success"
    assert set(clock.naps) == {15}
    assert is_archived(clip, still)
    assert run.deferral is None


def test_a_worker_that_waits_does_not_sleep_beyond_the_deadline(still: Sandbox, clock: Clock, clip: Path) -> None:
    began = clock.now
    report = generating(clip, deferrable=False, poke_interval=40, timeout=50).work()
    assert isinstance(report.error, VideoTimeoutError)
    assert clock.naps == pytest.approx([40, 10])
    assert clock.now == pytest.approx(began + 50)


def test_a_refused_submit_waits_in_the_triggerer_first(still: Sandbox, clock: Clock, clip: Path) -> None:
    still.script(Fault("submit", "rate_limited"))
    run = generating(clip)
    assert run.work().message.classpath.endswith("SubmitLaterTrigger")
    assert made(run, still).state == "success"
    assert is_archived(clip, still)
    assert (still.ledger().submit_calls, still.ledger().billed) == (2, 1)


def test_a_folder_gets_a_file_named_after_the_video(still: Sandbox, tmp_path: Path) -> None:
    run = generating(tmp_path)
    assert made(run, still).state == "success"
    (job,) = still.ledger().jobs
    assert run.xcoms["return_value"] == str(tmp_path / f"{job['request_id']}.mp4")


# --- deaths ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "dies",
    [
        pytest.param(DiesBefore(comms.SetTaskStateStore), id="before the intent"),
        pytest.param(DiesBefore(comms.SetXCom, "submission"), id="after the id"),
        pytest.param(DiesBefore(comms.DeferTask), id="before the deferral"),
        pytest.param(None, id="while deferred"),
        pytest.param(DiesBefore(comms.GetTaskStateStore), id="on resume"),
        pytest.param(DiesBefore(comms.SetXCom, "'video'"), id="before the download"),
        pytest.param(DiesBefore(comms.SetXCom, "'manifest'"), id="after publish"),
        pytest.param(DiesBefore(comms.SucceedTask), id="before success"),
    ],
)
def test_a_retry_takes_up_its_own_video_after_any_death(still: Sandbox, clip: Path, dies: DiesBefore | None) -> None:
    run = generating(clip)
    on_resume = dies is not None and dies.kind is comms.GetTaskStateStore
    run.before = dies if dies and not on_resume else run.before
    if run.work().state == "deferred":
        still.advance(MADE)
        if dies:
            run.before = dies
            assert run.work().state == "killed"
    before = still.ledger()

    run.before = lambda message: None
    run.next_try()
    still.advance(MADE)
    report = run.work()
    if report.state == "deferred":
        still.advance(MADE)
        report = run.work()

    assert report.state == "success"
    assert still.ledger().billed == 1
    assert is_archived(clip, still)
    assert still.ledger().fetched == 1
    if before.fetched:
        assert still.ledger().download_calls == before.download_calls, "what is published is not fetched again"


@pytest.mark.parametrize("when", ["before publish", "after publish"])
def test_a_death_around_the_final_name_leaves_a_whole_video_or_none(
    still: Sandbox, clip: Path, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*arguments: Any) -> Any:
        if when == "after publish":
            publish(*arguments)
        raise Killed

    run = generating(clip)
    with monkeypatch.context() as patch:
        patch.setattr("airflow_provider_siliconflow.archive.archive.publish", die)
        assert made(run, still).state == "killed"
    assert clip.exists() == (when == "after publish")

    assert run.retry().state == "success"
    assert is_archived(clip, still)
    ledger = still.ledger()
    assert (ledger.billed, ledger.fetched) == (1, 1 if when == "after publish" else 2)


def test_a_triggerer_that_is_lost_costs_nothing(still: Sandbox, clip: Path) -> None:
    run = generating(clip)
    run.work()
    assert run.fail_deferral().state == "up_for_retry"
    still.advance(MADE)
    assert run.retry().state == "success"
    assert still.ledger().billed == 1


def test_a_clear_after_success_pays_only_where_the_new_video_has_a_place(still: Sandbox, clip: Path) -> None:
    run = generating(clip)
    made(run, still)
    report = run.clear()
    assert report.state == "failed"
    assert isinstance(report.error, DestinationError)
    assert still.ledger().submit_calls == 1

    run.task.if_exists = "overwrite"
    run.clear_number += 1
    run.max_tries += 1
    run.next_try()
    assert made(run, still).state == "success"
    assert still.ledger().billed == 2
    assert is_archived(clip, still, job=1)


# --- failed, late, refused ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("deferrable", [True, False])
def test_a_failed_video_is_done_with_and_only_a_retry_pays_for_another(
    still: Sandbox, clock: Clock, clip: Path, deferrable: bool
) -> None:
    run = generating(clip, prompt=FAILS, deferrable=deferrable, poke_interval=0.01 if deferrable else 15)

    report = made(run, still) if deferrable else run.work()

    assert report.state == "up_for_retry"
    assert type(report.error) is VideoFailedError
    assert not isinstance(report.error, AirflowFailException)
    assert report.error.reason == "too dark"
    assert "too dark" in str(report.error)
    assert "may bill it all the same" in str(report.error)
    assert "too dark" in run.record["closed"]
    assert still.ledger().billed == 1
    first = run.record["request_id"]

    run.task.prompt = "a dog"
    run.next_try()
    assert (made(run, still) if deferrable else run.work()).state == "success"
    assert still.ledger().billed == 2
    assert run.record["request_id"] != first
    assert is_archived(clip, still, job=1)


def test_a_failure_is_told_even_if_its_record_cannot_be_closed(
    still: Sandbox, clip: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(message: Any) -> None:
        if isinstance(message, comms.SetTaskStateStore):
            raise RuntimeError("the API server is away")

    run = generating(clip, prompt=FAILS)
    run.work()
    still.advance(MADE)
    run.before = fail
    assert type(run.work().error) is VideoFailedError
    assert f"The record of video {run.record['request_id']} cannot be closed" in caplog.text

    assert type(run.retry().error) is VideoFailedError, "the same video's failure once more"
    assert still.ledger().billed == 1
    assert run.record["closed"]


@pytest.mark.parametrize("deferrable", [True, False])
def test_a_late_video_stays_on_record_and_a_retry_goes_on_waiting(
    still: Sandbox, clock: Clock, clip: Path, deferrable: bool
) -> None:
    waits = {"timeout": 0} if deferrable else {"timeout": 45, "poke_interval": 15}
    run = generating(clip, deferrable=deferrable, **waits)

    report = run.finish()

    assert report.state == "up_for_retry"
    assert type(report.error) is VideoTimeoutError
    for fact in (run.record["request_id"], "goes on at the service and is billed", "which costs nothing", "clearing"):
        assert fact in str(report.error)
    assert not run.record["closed"]
    still.advance(MADE)
    assert run.retry().state == "success"
    assert still.ledger().billed == 1
    assert is_archived(clip, still)


def test_without_a_record_a_late_video_says_that_a_retry_pays_again(still: Sandbox, clip: Path) -> None:
    run = generating(clip, timeout=0)
    run.has_store = False
    report = run.finish()
    assert type(report.error) is VideoTimeoutError
    assert "a retry that finds none makes another video and pays for it" in str(report.error)
    assert "costs nothing" not in str(report.error)


def test_without_a_store_the_way_is_the_same(still: Sandbox, clip: Path, caplog: pytest.LogCaptureFixture) -> None:
    run = generating(clip)
    run.has_store = False
    assert made(run, still).state == "success"
    assert is_archived(clip, still)
    assert run.xcoms["manifest"]["trace_ids"] == [run.xcoms["video"]["trace_id"]]
    assert caplog.text.count("no task state store") == 1


def test_without_a_store_a_failure_is_told_all_the_same(still: Sandbox, clip: Path) -> None:
    run = generating(clip, prompt=FAILS)
    run.has_store = False
    assert type(made(run, still).error) is VideoFailedError


def test_a_record_that_cannot_be_read_at_the_end_hides_no_video(
    still: Sandbox, clip: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(message: Any) -> None:
        if isinstance(message, comms.GetTaskStateStore):
            raise RuntimeError("the API server is away")

    run = generating(clip)
    run.work()
    still.advance(MADE)
    run.before = fail
    assert run.work().state == "success"
    assert is_archived(clip, still)
    assert "Goes on without the record of the video" in capsys.readouterr().out


def test_a_key_that_is_no_longer_good_keeps_the_record(
    still: Sandbox, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = generating(clip)
    run.work()
    still.change_key("cn", "sk-renewed")
    still.advance(MADE)
    report = run.finish()
    assert report.state == "failed"
    assert isinstance(report.error, SiliconFlowAuthenticationError)
    assert not run.record["closed"]

    connection = {"conn_type": "siliconflow", "password": "sk-renewed", "host": still.base_url}
    monkeypatch.setenv("AIRFLOW_CONN_SILICONFLOW_DEFAULT", json.dumps(connection))
    assert run.retry().state == "success"
    assert still.ledger().billed == 1


def test_a_storage_that_is_down_keeps_the_record(still: Sandbox, clip: Path) -> None:
    still.script(Fault("download", "storage_down", times=0))
    run = generating(clip)
    assert made(run, still).state == "up_for_retry"
    assert not clip.exists()
    still.clear_faults()
    assert run.retry().state == "success"
    assert still.ledger().billed == 1
    assert is_archived(clip, still)


# --- events ---------------------------------------------------------------------------------------------------------


def event_for(run: TaskRun, **facts: Any) -> dict[str, Any]:
    assert run.deferral
    kwargs: Any = run.deferral.trigger_kwargs
    return {"request_id": kwargs["request_id"], "deadline": kwargs["deadline"], **facts}


def test_an_event_ahead_of_the_service_waits_again(still: Sandbox, clip: Path) -> None:
    run = generating(clip)
    deadline = run.work().message.trigger_kwargs["deadline"]
    again = run.resume(event_for(run, ending="ready"))
    assert again.state == "deferred"
    assert again.message.trigger_kwargs["deadline"] == deadline
    still.advance(MADE)
    assert run.work().state == "success"
    assert still.ledger().billed == 1


@pytest.mark.parametrize("facts", [{"ending": "broken", "message": "no such luck"}, {"ending": "what?"}])
def test_a_trigger_that_broke_off_is_told_with_the_money(still: Sandbox, clip: Path, facts: dict[str, str]) -> None:
    run = generating(clip)
    run.work()
    report = run.resume(event_for(run, **facts))
    assert report.state == "up_for_retry"
    assert type(report.error) is SiliconFlowError
    assert "broke off" in str(report.error)
    assert "goes on at the service and is billed" in str(report.error)
    still.advance(MADE)
    assert run.retry().state == "success"
    assert still.ledger().billed == 1


# --- before anything is paid ----------------------------------------------------------------------------------------


def file_in_the_way(folder: Path) -> Path:
    clip = folder / "clip.mp4"
    clip.write_bytes(b"something of value")
    return clip


@pytest.mark.parametrize(
    ("make_place", "arguments", "words"),
    [
        pytest.param(file_in_the_way, {}, "holds a file of unknown origin already", id="exists"),
        pytest.param(lambda folder: file_in_the_way(folder) / "clip.mp4", {}, "Cannot archive", id="below a file"),
        pytest.param(lambda folder: Path("/proc/nobody/may/write/clip.mp4"), {}, "Cannot archive", id="no rights"),
        pytest.param(lambda folder: folder / "clip.json", {}, "is no place for a video", id="the manifest's name"),
        pytest.param(lambda folder: "  ", {}, "destination is empty", id="empty"),
        pytest.param(
            lambda folder: folder / "clip.mp4", {"if_exists": "maybe"}, "if_exists is 'maybe'", id="if_exists"
        ),
    ],
)
def test_a_place_that_cannot_be_used_is_found_before_paying(
    still: Sandbox, tmp_path: Path, make_place: Any, arguments: dict[str, str], words: str
) -> None:
    run = generating(make_place(tmp_path), **arguments)
    report = run.finish()
    assert isinstance(report.error, DestinationError)
    assert words in str(report.error)
    assert still.ledger().submit_calls == 0
    assert run.record is None


def test_skip_pays_nothing(still: Sandbox, tmp_path: Path) -> None:
    clip = file_in_the_way(tmp_path)
    run = generating(clip, if_exists="skip")
    assert run.finish().state == "success"
    assert clip.read_bytes() == b"something of value"
    assert run.xcoms["return_value"] == run.xcoms["manifest"]["path"] == str(clip)
    assert (still.ledger().submit_calls, still.ledger().status_calls) == (0, 0)
    assert run.record is None


def test_overwrite_replaces_what_is_there(still: Sandbox, tmp_path: Path) -> None:
    clip = file_in_the_way(tmp_path)
    assert made(generating(clip, if_exists="overwrite"), still).state == "success"
    assert is_archived(clip, still)


# --- killed ---------------------------------------------------------------------------------------------------------


def test_on_kill_tells_the_truth_before_and_after_the_resume(
    still: Sandbox, clip: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = generating(clip)
    waiting = run.work().task
    still.advance(MADE)
    resumed = run.work().task
    (job,) = still.ledger().jobs
    calls = still.ledger().status_calls
    for task in (waiting, resumed):
        capsys.readouterr()
        task.on_kill()
        said = capsys.readouterr().out
        assert f"This cancels nothing: video {job['request_id']} goes on at SiliconFlow and is billed" in said
    assert still.ledger().status_calls == calls
