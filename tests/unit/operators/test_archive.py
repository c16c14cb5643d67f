"""The archive operator in Airflow's own worker code; URLs on the sandbox's clock."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.execution_time import comms

from airflow_provider_siliconflow.archive.prepare import prepare_destination, release_claim
from airflow_provider_siliconflow.client.models import VideoRequest, VideoStatus
from airflow_provider_siliconflow.exceptions import (
    DestinationError,
    InvalidArgumentError,
    SiliconFlowNotFoundError,
    VideoExpiredError,
    VideoFailedError,
    VideoIntegrityError,
)
from airflow_provider_siliconflow.hooks.siliconflow import SiliconFlowHook
from airflow_provider_siliconflow.operators.video import ArchiveVideoOperator
from airflow_provider_siliconflow.sandbox.faults import Fault
from airflow_provider_siliconflow.sandbox.server import Sandbox
from airflow_provider_siliconflow.sandbox.settings import Settings
from tests.releases import AirflowTaskTimeout
from tests.unit.archive.files import names
from tests.unit.worker import MODEL, DiesBefore, TaskRun, in_dag

ONE_URL = Settings(tiny=True, fresh_urls=False, url_seconds=600)


def video(sandbox: Sandbox, prompt: str = "a cat") -> VideoStatus:
    """Make a video and poll it once."""
    hook = SiliconFlowHook()
    request_id = hook.submit_video(VideoRequest(MODEL, prompt, "1280x720")).request_id
    sandbox.advance(600)
    return hook.get_video_status(request_id)


def archiving(destination: Path | str, **arguments: Any) -> TaskRun:
    return TaskRun(in_dag(ArchiveVideoOperator, destination=str(destination), **{"retries": 2} | arguments))


# --- id and URL -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("gives_id", "gives_url", "polls"), [(True, True, 1), (True, False, 1), (False, True, 0)])
def test_id_or_url_or_both(sandbox: Sandbox, clip: Path, gives_id: bool, gives_url: bool, polls: int) -> None:
    ready = video(sandbox)
    before = sandbox.ledger().status_calls
    run = archiving(
        clip,
        request_id=ready.request_id if gives_id else None,
        url=ready.url if gives_url else None,
        model=MODEL,
        prompt="a {{ params.what }}",
    )

    assert run.finish().state == "success"

    (job,) = sandbox.ledger().jobs
    manifest = run.xcoms["manifest"]
    assert run.xcoms["return_value"] == manifest["path"] == str(clip)
    assert manifest == json.loads(clip.with_name("clip.mp4.json").read_text())
    assert manifest["sha256"] == job["sha256"]
    assert (manifest["model"], manifest["prompt"]) == (MODEL, "a cat")
    assert manifest["request_id"] == (ready.request_id if gives_id else None)
    assert manifest["seed"] == (job["seed"] if polls else None)
    assert sandbox.ledger().status_calls - before == polls
    assert sandbox.ledger().key_leaks == 0


def test_no_signature_is_shown_of_a_url(sandbox: Sandbox, clip: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ready = video(sandbox)
    run = archiving(clip, request_id=ready.request_id, url=ready.url)
    assert run.finish().state == "success"
    assert "X-Amz-Signature" in str(ready.url)
    shown = json.dumps([run.rendered, run.xcoms, run.store]) + capsys.readouterr().out
    assert "X-Amz-Signature" not in shown
    assert run.rendered["destination"] == str(clip)


@pytest.mark.parametrize("spelled", ["HTTPS{}", " https{}", "\thttps{}", "Https{}", "oss+https{}"])
def test_no_url_is_shown_however_it_is_spelled(clip: Path, spelled: str) -> None:
    url = spelled.format("://h/a.mp4?Expires=1&X-Amz-Signature=zqA4b5cD6eF7")
    run = archiving(clip, url=url)
    run.finish()
    assert "zqA4b5cD6eF7" not in json.dumps([run.rendered, run.xcoms, run.store])


@pytest.mark.parametrize("nothing", [None, ""])
def test_neither_id_nor_url_is_told_and_not_retried(sandbox: Sandbox, clip: Path, nothing: str | None) -> None:
    report = archiving(clip, request_id=nothing, url=nothing).finish()
    assert report.state == "failed"
    assert isinstance(report.error, InvalidArgumentError)
    assert str(report.error).endswith("both request_id and url are empty. Did the tasks before this one run?")


def test_an_expired_url_is_changed_for_a_fresh_one(sandbox: Sandbox, clip: Path) -> None:
    ready = video(sandbox)
    sandbox.advance(4000)
    run = archiving(clip, request_id=ready.request_id, url=ready.url)
    assert run.finish().state == "success"
    assert sandbox.ledger().fetched == 1


@pytest.mark.parametrize(
    ("sandbox", "gives_id", "outcome"),
    [
        pytest.param(Settings(tiny=True, url_seconds=600), False, "No fresh URL could be asked for", id="no id"),
        pytest.param(ONE_URL, True, "The service was asked again and gave the same URL", id="the same URL again"),
    ],
    indirect=["sandbox"],
)
def test_a_url_that_expired_for_good_carries_what_is_known_and_a_hint(
    sandbox: Sandbox, clip: Path, gives_id: bool, outcome: str
) -> None:
    ready = video(sandbox)
    sandbox.advance(4000)
    run = archiving(clip, request_id=ready.request_id if gives_id else None, url=ready.url)
    run.ahead = 4000

    report = run.finish()

    assert report.state == "up_for_retry"
    assert type(report.error) is VideoExpiredError
    said = str(report.error)
    assert ready.expires_at
    finished = ready.expires_at - timedelta(seconds=600)
    for fact in (ready.expires_at.isoformat(), "Request has expired", outcome, f"It was made {finished.isoformat()}"):
        assert fact in said
    assert re.search(r"This try of the task started at 20\S+, when the URL had waited for it for 3[3-9]\d\d s\.", said)
    for hint in ("priority_weight", "pool", "GenerateVideoOperator"):
        assert said.count(hint) == 1
    assert "Signature" not in said
    assert not clip.exists()


# --- the place --------------------------------------------------------------------------------------------------------


def test_a_folder_gets_a_file_named_after_the_video(sandbox: Sandbox, tmp_path: Path) -> None:
    ready = video(sandbox)
    run = archiving(f"{tmp_path}/new/", request_id=ready.request_id)
    run.finish()
    assert run.xcoms["return_value"] == str(tmp_path / "new" / f"{ready.request_id}.mp4")


def test_a_folder_without_an_id_is_refused(sandbox: Sandbox, tmp_path: Path) -> None:
    report = archiving(tmp_path, url=video(sandbox).url).finish()
    assert report.state == "failed"
    assert isinstance(report.error, DestinationError)
    assert "give a file name" in str(report.error)


@pytest.mark.parametrize(
    ("if_exists", "state", "fetched"), [("fail", "failed", 1), ("skip", "success", 1), ("overwrite", "success", 2)]
)
def test_another_video_in_its_place(sandbox: Sandbox, clip: Path, if_exists: str, state: str, fetched: int) -> None:
    first, second = video(sandbox), video(sandbox, "a dog")
    archiving(clip, request_id=first.request_id).finish()

    run = archiving(clip, request_id=second.request_id, if_exists=if_exists)
    report = run.finish()

    assert report.state == state
    assert sandbox.ledger().fetched == fetched
    if report.error:
        assert f"holds the video {first.request_id} already" in str(report.error)
    else:
        whose = second if if_exists == "overwrite" else first
        assert run.xcoms["manifest"]["request_id"] == whose.request_id


@pytest.mark.parametrize("if_exists", ["fail", "skip", "overwrite"])
def test_a_retry_after_a_death_takes_its_own_video_as_done(sandbox: Sandbox, clip: Path, if_exists: str) -> None:
    run = archiving(clip, request_id=video(sandbox).request_id, if_exists=if_exists)
    run.before = DiesBefore(comms.SetXCom, "'manifest'")
    assert run.finish().state == "killed"
    calls = sandbox.ledger().download_calls

    assert run.retry().state == "success"

    assert sandbox.ledger().download_calls == calls
    assert run.xcoms["return_value"] == str(clip)


@pytest.mark.parametrize("kind", [Path, str])
def test_a_path_of_any_type(sandbox: Sandbox, clip: Path, kind: type) -> None:
    run = TaskRun(in_dag(ArchiveVideoOperator, destination=kind(clip), request_id=video(sandbox).request_id))
    assert run.finish().state == "success"
    assert run.xcoms["return_value"] == str(clip)


@pytest.mark.parametrize("destination", [7, None, b"clip.mp4"])
def test_what_is_no_path_is_named(sandbox: Sandbox, destination: Any) -> None:
    ready = video(sandbox)
    report = TaskRun(in_dag(ArchiveVideoOperator, destination=destination, request_id=ready.request_id)).finish()
    assert report.state == "failed"
    assert isinstance(report.error, DestinationError)
    assert re.search("destination is (of type|empty)", str(report.error))
    assert sandbox.ledger().fetched == 0


def test_a_destination_that_another_task_has_claimed(sandbox: Sandbox, clip: Path) -> None:
    other = "a_dag/run/video/3"
    assert prepare_destination(clip, owner=other, if_exists="fail") is None
    run = archiving(clip, request_id=video(sandbox).request_id)

    report = run.finish()

    # A video that is paid: the other one may end without publishing, and then a retry finds the name free.
    assert report.state == "up_for_retry"
    assert re.search(r"claimed by DAG a_dag, run run, task video, map index 3 since .*ti\.map_index", str(report.error))
    assert sandbox.ledger().fetched == 0
    release_claim(clip, owner=other)
    assert run.retry().state == "success"
    assert names(clip.parent) == ["clip.mp4", "clip.mp4.jpg", "clip.mp4.json"]


def test_a_claim_of_its_own_try_before_is_taken_again(sandbox: Sandbox, clip: Path) -> None:
    run = archiving(clip, request_id=video(sandbox).request_id)
    assert prepare_destination(clip, owner="a_dag/run/video/-1", if_exists="fail") is None
    sandbox.script(Fault("download", "garbage"))
    assert run.finish().state == "up_for_retry"
    assert len(names(clip.parent)) == 1, "the claim stays for the retry"
    sandbox.clear_faults()
    assert run.retry().state == "success"
    assert names(clip.parent) == ["clip.mp4", "clip.mp4.jpg", "clip.mp4.json"]


# --- what the service and the storage may do --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "error", "state"),
    [
        (Fault("download", "garbage", times=0), VideoIntegrityError, "up_for_retry"),
        (Fault("download", "cut", at_byte=100, times=0), VideoIntegrityError, "up_for_retry"),
        (Fault("status", "not_found", times=0), SiliconFlowNotFoundError, "failed"),
    ],
    ids=["garbage", "cut short", "unknown id"],
)
def test_what_is_not_a_whole_video_is_not_published(
    sandbox: Sandbox, clip: Path, fault: Fault, error: type[Exception], state: str
) -> None:
    ready = video(sandbox)
    sandbox.script(fault)
    run = archiving(clip, request_id=ready.request_id)
    report = run.finish()
    assert isinstance(report.error, error)
    assert report.state == state
    assert list(clip.parent.iterdir()) == []
    sandbox.clear_faults()
    assert run.retry().state == "success"


def test_a_video_that_failed_has_no_url(sandbox: Sandbox, clip: Path) -> None:
    failed = video(sandbox, "a cat [fail: too dark]")
    report = archiving(clip, request_id=failed.request_id).finish()
    assert report.state == "failed"
    assert isinstance(report.error, VideoFailedError)
    assert report.error.reason == "too dark"


@pytest.mark.parametrize("kind", ["stall", "drip"])
def test_execution_timeout_ends_an_archive_at_once(sandbox: Sandbox, clip: Path, kind: str) -> None:
    ready = video(sandbox)
    sandbox.script(Fault("download", kind, times=0, at_byte=100, rate=20, seconds=600))
    run = archiving(clip, request_id=ready.request_id, execution_timeout=timedelta(seconds=1))

    report = run.finish()

    assert report.state == "up_for_retry"
    assert isinstance(report.error, AirflowTaskTimeout)
    assert sandbox.ledger().download_calls == 1
    assert names(clip.parent) == []
    sandbox.clear_faults()
    assert run.retry().state == "success"


@pytest.mark.parametrize("nothing", [None, "", " ", "None"])
def test_what_an_empty_template_renders_to_is_absent(sandbox: Sandbox, clip: Path, nothing: str | None) -> None:
    ready = video(sandbox)
    run = archiving(clip, request_id=nothing, url=ready.url, prompt=nothing)
    assert run.finish().state == "success"
    report = archiving(clip, request_id=nothing, url=nothing).finish()
    assert report.state == "failed"
    assert "There is nothing to archive" in str(report.error)
