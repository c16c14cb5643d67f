"""A list of videos in one task, in Airflow's own worker code, against the sandbox and its ledger."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException
from airflow.sdk.execution_time import comms

from airflow_provider_siliconflow.exceptions import (
    DestinationError,
    InvalidVideoRequestError,
    SiliconFlowConfigError,
    SiliconFlowError,
    SubmitRecordError,
    VideoTimeoutError,
)
from airflow_provider_siliconflow.hooks.siliconflow import SiliconFlowHook
from airflow_provider_siliconflow.operators import batch, batch_archive, batch_submit
from airflow_provider_siliconflow.operators.archive import archive_manifest
from airflow_provider_siliconflow.operators.video import GenerateVideoBatchOperator
from airflow_provider_siliconflow.sandbox.faults import Fault
from airflow_provider_siliconflow.sandbox.server import Sandbox
from tests.unit.conftest import Clock
from tests.unit.worker import MODEL, Killed, Report, TaskRun, in_dag

#: Seconds after which the sandbox has made any video.
MADE = 600
FAILS = "a cat [fail: too dark]"


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow_provider_siliconflow.triggers.batch.FIRST_LOOK", 0.0)
    monkeypatch.setattr(batch_submit, "_PATIENCE", 0.0)


@pytest.fixture
def patient(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Let the worker try again at a refused submit, on a clock that nobody waits for."""
    time = SimpleNamespace(time=clock.time, monotonic=clock.time, sleep=clock.sleep)
    for module in (batch, batch_submit, batch_archive):
        monkeypatch.setattr(module, "time", time)
    monkeypatch.setattr(batch_submit, "_PATIENCE", 45.0)
    return clock


def batching(place: Path, requests: Any, **arguments: Any) -> TaskRun:
    defaults = {"model": MODEL, "image_size": "1280x720", "retries": 3, "poke_interval": 0.01}
    return TaskRun(
        in_dag(GenerateVideoBatchOperator, requests=requests, destination=str(place), **defaults | arguments)
    )


def made(run: TaskRun, sandbox: Sandbox) -> Report:
    """Run a task to the end of its try, with videos that get ready while it waits."""
    for _ in range(10):
        report = run.work()
        if report.state != "deferred":
            return report
        sandbox.advance(MADE)
    raise AssertionError("the try does not end")


def retried(run: TaskRun, sandbox: Sandbox) -> Report:
    run.next_try()
    return made(run, sandbox)


def woken(run: TaskRun, ended: list[str] | None = None, **more: Any) -> Report:
    """Resume a task with an event of the test's own."""
    event = {"ended": ended or [], "state": state_of(run), **more}
    return run.resume(event)


def kwargs_of(run: TaskRun) -> dict[str, Any]:
    """Return what the trigger was given."""
    assert run.deferral
    kwargs: Any = run.deferral.trigger_kwargs
    return dict(kwargs)


def state_of(run: TaskRun) -> dict[str, Any]:
    state: dict[str, Any] = kwargs_of(run)["state"]
    return state


def rows(result: dict[str, Any]) -> list[tuple[str, str]]:
    return [(row["state"], row["reason"]) for row in result["videos"]]


def states(run: TaskRun) -> list[str]:
    result = run.xcoms.get("return_value") or run.xcoms["manifest"]
    return [row["state"] for row in result["videos"]]


def archived(place: Path) -> set[str]:
    return {path.stem for path in place.glob("*.mp4")}


def all_ids(sandbox: Sandbox) -> set[str]:
    return {job["request_id"] for job in sandbox.ledger().jobs}


# --- the whole way --------------------------------------------------------------------------------------------------


def test_one_trigger_and_one_resume_for_all(still: Sandbox, tmp_path: Path) -> None:
    run = batching(tmp_path, ["a {{ params.what }}", {"prompt": "a dog", "image_size": "960x960", "seed": "7"}])

    first = run.work()

    assert first.state == "deferred"
    jobs = still.ledger().jobs
    assert [(job["prompt"], job["image_size"], job["model"]) for job in jobs] == [
        ("a cat", "1280x720", MODEL),
        ("a dog", "960x960", MODEL),
    ]
    assert first.message.trigger_kwargs["model"] == MODEL
    still.advance(MADE)
    assert run.work().state == "success"
    ledger = still.ledger()
    assert ledger.billed == ledger.fetched == 2
    assert ledger.key_leaks == 0
    result = run.xcoms["return_value"]
    assert (result["done"], result["failed"], result["refused"], result["unknown"]) == (2, 0, 0, 0)
    for row, job in zip(result["videos"], jobs, strict=True):
        assert row["request_id"] == job["request_id"]
        assert row["path"] == str(tmp_path / f"{job['request_id']}.mp4")
        assert row["cost"] == "the price of a video"
        manifest = json.loads((tmp_path / f"{job['request_id']}.json").read_text())
        assert (manifest["sha256"], manifest["prompt"]) == (still.ledger().jobs[row["index"]]["sha256"], job["prompt"])
        assert len(manifest["trace_ids"]) == 2
    assert jobs[1]["seed"] == 7


def test_bad_requests_never_cost_the_others(still: Sandbox, tmp_path: Path) -> None:
    bad = [
        {"prompt": "a cat", "image_size": "1x1"},
        {"prompt": {1, 2}},
        {"prompt": "a cat", "image": "/no/such/picture.png", "model": "Wan-AI/Wan2.2-I2V-A14B"},
        {"prompt": "a cat", "seed": "many"},
        {"prompt": "a cat", "model": ["a", "list"]},
    ]
    run = batching(tmp_path, [*bad[:2], "a good one", *bad[2:], FAILS])

    assert made(run, still).state == "success"

    assert states(run) == ["refused"] * 2 + ["done"] + ["refused"] * 3 + ["failed"]
    assert still.ledger().submit_calls == still.ledger().billed == 2
    row = run.xcoms["return_value"]["videos"]
    assert "1x1" in row[0]["reason"]
    assert "Nothing was submitted" in row[0]["reason"]
    assert row[0]["cost"] == ""
    assert "too dark" in row[6]["reason"]
    assert row[6]["cost"] == "perhaps the price of a video"
    assert row[6]["request_id"] in all_ids(still)


def test_a_request_that_the_service_refuses_never_costs_the_others(still: Sandbox, tmp_path: Path) -> None:
    still.script(Fault("submit", "answer", status=400, body='{"code": 20015, "message": "no"}', match="bad"))
    run = batching(tmp_path, ["bad", "good"])
    assert made(run, still).state == "success"
    assert states(run) == ["refused", "done"]
    assert still.ledger().billed == 1


@pytest.mark.parametrize("given", ["a text", [], {"prompt": "a cat"}, [["nested"]], [{"promt": "a cat"}], None, 5])
def test_a_list_that_is_none_is_refused_before_anything(still: Sandbox, tmp_path: Path, given: Any) -> None:
    report = batching(tmp_path, given).work()
    assert isinstance(report.error, InvalidVideoRequestError)
    assert report.state == "failed"
    assert still.ledger().submit_calls == 0


def test_a_place_that_cannot_be_used_is_found_before_paying(still: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    report = batching(tmp_path / "file" / "folder", ["a cat"]).work()
    assert isinstance(report.error, DestinationError)
    assert still.ledger().submit_calls == 0


def test_a_connection_that_cannot_be_used_is_final(
    still: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_SILICONFLOW_DEFAULT", json.dumps({"conn_type": "siliconflow"}))
    assert isinstance(batching(tmp_path, ["a cat"]).work().error, SiliconFlowConfigError)


def test_pictures_are_read_once_however_often_the_task_resumes(
    still: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []

    def image_field(image: str) -> str:
        read.append(image)
        return "data:image/png;base64,iVBORw0KGgo="

    monkeypatch.setattr("airflow_provider_siliconflow.operators.submit.image_field", image_field)
    requests = [{"prompt": "it moves", "image": f"{name}.png"} for name in "ab"]
    run = batching(tmp_path, requests, model="Wan-AI/Wan2.2-I2V-A14B")
    assert run.work().state == "deferred"
    assert woken(run).state == "deferred"
    assert read == ["a.png", "b.png"]


# --- deaths ---------------------------------------------------------------------------------------------------------


class DiesAt:
    """Kill the worker at its n-th message, and let nothing that it sends later arrive."""

    def __init__(self, count: int) -> None:
        self.left = count
        self.is_dead = False

    def __call__(self, message: Any) -> None:
        self.left -= 1
        self.is_dead |= self.left == 0
        if self.is_dead:
            raise Killed


def test_a_death_at_any_message_pays_for_no_video_twice_and_loses_none(still: Sandbox, tmp_path: Path) -> None:
    """Until a whole try fits before the death."""
    intended = 2
    for death in range(1, 100):
        still.reset()
        place = tmp_path / str(death)
        run = batching(place, ["a cat", "a cat"])
        run.before = DiesAt(death)
        report = made(run, still)
        if report.state == "success":
            break
        assert report.state == "killed"
        run.before = lambda message: None
        run.deferral = None
        assert retried(run, still).state == "success", death

        ledger = still.ledger()
        assert ledger.billed <= intended, death
        result = run.xcoms["return_value"]
        # An intent without an id is the one thing that a record cannot decide: it is told, and not paid again.
        assert result["done"] + result["unknown"] == intended, death
        assert result["unknown"] <= 1, death
        assert {row["request_id"] for row in result["videos"] if row["state"] == "done"} == archived(place), death
        assert ledger.billed - result["done"] <= result["unknown"], death
    assert death > 12


def test_deaths_leave_no_unknown_outcome_but_between_intent_and_id(still: Sandbox, tmp_path: Path) -> None:
    """The first submit is known, the second is not, and the third was never begun."""

    def die(message: Any) -> None:
        if isinstance(message, comms.SetTaskStateStore) and still.ledger().accepted == 2:
            raise Killed

    run = batching(tmp_path, ["a", "b", "c"])
    run.before = die
    assert run.work().state == "killed"
    run.before = lambda message: None
    assert retried(run, still).state == "success"
    assert states(run) == ["done", "unknown", "done"]
    assert still.ledger().billed == 3


def test_a_death_while_deferred_takes_up_all(still: Sandbox, tmp_path: Path) -> None:
    run = batching(tmp_path, ["a", "b"])
    assert run.work().state == "deferred"
    still.advance(MADE)
    assert run.fail_deferral("the triggerer is gone").state == "up_for_retry"
    assert retried(run, still).state == "success"
    assert archived(tmp_path) == all_ids(still)
    assert still.ledger().billed == 2


def test_a_retry_looks_at_once_and_downloads_nothing_twice(still: Sandbox, tmp_path: Path) -> None:
    run = batching(tmp_path, ["a", FAILS], fail_on_partial_error=True)
    assert made(run, still).state == "up_for_retry"
    assert still.ledger().fetched == 1
    run.next_try()
    assert run.work().state == "deferred"  # the failed one alone
    assert still.ledger().fetched == 1
    assert still.ledger().billed == 3
    assert [row["state"] for row in state_of(run)["rows"]] == ["done"]


def test_a_list_that_changes_between_the_tries_pays_for_nothing_twice(still: Sandbox, tmp_path: Path) -> None:
    run = batching(tmp_path, ["a", "b", "b"])
    assert run.work().state == "deferred"
    run.fail_deferral("gone")
    run.task.requests = ["new", "b", "a", "b"]
    assert retried(run, still).state == "success"
    assert states(run) == ["done"] * 4
    assert sorted(job["prompt"] for job in still.ledger().jobs) == ["a", "b", "b", "new"]
    assert archived(tmp_path) == all_ids(still)


def test_a_clear_pays_again_unless_told_not_to(still: Sandbox, tmp_path: Path) -> None:
    for reuse, billed in ((False, 4), (True, 2)):
        still.reset()
        run = batching(tmp_path, ["a", "b"], reuse_on_clear=reuse)
        assert made(run, still).state == "success"
        run.max_tries = run.try_number + run.retries
        assert retried(run, still).state == "success"
        assert still.ledger().billed == billed


def test_without_a_store_the_way_is_the_same(still: Sandbox, tmp_path: Path) -> None:
    run = batching(tmp_path, ["a", FAILS])
    run.has_store = False
    assert made(run, still).state == "success"
    assert states(run) == ["done", "failed"]


def test_a_store_that_cannot_be_read_submits_nothing_and_is_retried(still: Sandbox, tmp_path: Path) -> None:
    def fail(message: Any) -> None:
        if isinstance(message, comms.GetTaskStateStore):
            raise RuntimeError("the database is away")

    run = batching(tmp_path, ["a", "b"])
    run.before = fail
    report = run.work()
    assert isinstance(report.error, SubmitRecordError)
    assert report.state == "up_for_retry"
    assert still.ledger().submit_calls == 0


# --- failed, unknown, another request -------------------------------------------------------------------------------


def test_a_failed_video_is_done_with_and_only_a_retry_pays_for_another(still: Sandbox, tmp_path: Path) -> None:
    run = batching(tmp_path, ["a", FAILS], fail_on_partial_error=True)
    report = made(run, still)
    assert isinstance(report.error, SiliconFlowError)
    assert report.state == "up_for_retry"
    assert "1 of 2 videos are archived: 1 failed" in str(report.error)
    assert states(run) == ["done", "failed"]
    assert retried(run, still).state == "up_for_retry"
    assert [job["prompt"] for job in still.ledger().jobs] == ["a", FAILS, FAILS]


def test_a_record_that_cannot_be_closed_hides_nothing(still: Sandbox, tmp_path: Path) -> None:
    run = batching(tmp_path, ["a", FAILS])
    assert run.work().state == "deferred"
    still.advance(MADE)

    def fail(message: Any) -> None:
        if isinstance(message, comms.GetTaskStateStore):
            raise RuntimeError("the database is away")

    run.before = fail
    assert run.work().state == "success"
    assert states(run) == ["done", "failed"]


def test_an_unknown_outcome_is_never_resubmitted_by_itself(still: Sandbox, tmp_path: Path) -> None:
    still.script(Fault("submit", "reset", after=True, match="dog"))
    run = batching(tmp_path, ["a cat", "a dog"], fail_on_partial_error=True)
    assert made(run, still).state == "up_for_retry"
    assert retried(run, still).state == "up_for_retry"
    assert states(run) == ["done", "unknown"]
    assert still.ledger().submit_calls == still.ledger().billed == 2
    row = run.xcoms["manifest"]["videos"][1]
    assert "A video may be running and billed" in row["reason"]
    assert row["cost"] == "perhaps the price of a video"


def test_told_to_resubmit_a_retry_comes_about_and_does(still: Sandbox, tmp_path: Path) -> None:
    still.script(Fault("submit", "reset", after=True, match="dog"))
    run = batching(tmp_path, ["a cat", "a dog"], on_unknown_submit="resubmit", retries=1)
    report = made(run, still)
    assert report.state == "up_for_retry"
    assert "A retry submits them anew" in str(report.error)
    assert retried(run, still).state == "success"
    assert states(run) == ["done", "done"]
    assert [job["prompt"] for job in still.ledger().jobs] == ["a cat", "a dog", "a dog"]


def test_told_to_resubmit_the_last_try_keeps_what_it_has(still: Sandbox, tmp_path: Path) -> None:
    still.script(Fault("submit", "reset", after=True, match="dog"))
    run = batching(tmp_path, ["a cat", "a dog"], on_unknown_submit="resubmit", retries=0)
    assert made(run, still).state == "success"
    assert states(run) == ["done", "unknown"]


def test_a_video_paid_for_another_connection_is_told_as_paid(
    still: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = batching(tmp_path, ["a cat"])
    assert run.work().state == "deferred"
    run.fail_deferral("gone")
    other = {"conn_type": "siliconflow", "password": still.key_com, "host": still.base_url_com}
    monkeypatch.setenv("AIRFLOW_CONN_SILICONFLOW_DEFAULT", json.dumps(other))
    run.next_try()
    assert run.work().state == "up_for_retry"
    (row,) = run.xcoms["manifest"]["videos"]
    assert (row["state"], row["cost"]) == ("unknown", "perhaps the price of a video")
    assert "already paid for" in row["reason"]
    assert still.ledger().billed == 1


# --- refused for now ------------------------------------------------------------------------------------------------


def test_a_limit_in_mid_list_defers_and_loses_nothing(still: Sandbox, patient: Clock, tmp_path: Path) -> None:
    still.script(Fault("submit", "rate_limited", times=0, match="b"))
    began = patient.now
    run = batching(tmp_path, ["a", "b", "c"])

    assert run.work().state == "deferred"

    assert 45 <= patient.now - began <= 47
    kwargs = kwargs_of(run)
    assert 10 <= kwargs["wake_at"] - patient.now <= 15
    assert set(kwargs["videos"]) == all_ids(still)
    assert [job["prompt"] for job in still.ledger().jobs] == ["a"]
    still.clear_faults()
    assert woken(run).state == "deferred"
    assert [job["prompt"] for job in still.ledger().jobs] == ["a", "b", "c"]
    still.advance(MADE)
    assert woken(run, sorted(all_ids(still))).state == "success"
    assert archived(tmp_path) == all_ids(still)
    assert still.ledger().billed == 3


def test_a_limit_before_the_first_submit_waits_for_no_video(still: Sandbox, tmp_path: Path) -> None:
    still.script(Fault("submit", "rate_limited"))
    run = batching(tmp_path, ["a", "b"])
    assert run.work().state == "deferred"
    assert kwargs_of(run)["videos"] == {}
    assert woken(run).state == "deferred"
    assert still.ledger().billed == 2


def test_a_worker_waits_a_little_as_long_as_the_service_says(still: Sandbox, patient: Clock, tmp_path: Path) -> None:
    still.script(Fault("submit", "rate_limited", retry_after=7), Fault("submit", "rate_limited"))
    assert batching(tmp_path, ["a"]).work().state == "deferred"
    assert patient.naps == [7, 1]
    assert still.ledger().billed == 1


def test_what_the_service_asks_for_beyond_that_is_waited_for_in_the_triggerer(
    still: Sandbox, patient: Clock, tmp_path: Path
) -> None:
    still.script(Fault("submit", "rate_limited", retry_after=120))
    run = batching(tmp_path, ["a"])
    assert run.work().state == "deferred"
    assert patient.naps == []
    assert kwargs_of(run)["wake_at"] == pytest.approx(patient.now + 120)


def test_refused_for_too_long_is_told_and_the_others_are_archived(
    still: Sandbox, patient: Clock, tmp_path: Path
) -> None:
    still.script(Fault("submit", "rate_limited", times=0, match="b"))
    run = batching(tmp_path, ["a", "b", "c"], submit_timeout=300)
    report = run.work()
    for _ in range(20):
        if not state_of(run)["refusals"]:
            break
        patient.sleep(max(0.0, report.message.trigger_kwargs["wake_at"] - patient.now))
        report = woken(run)
        if len(state_of(run)["rows"]) == 2:
            break
    still.advance(MADE)
    assert woken(run, sorted(all_ids(still))).state == "success"
    assert states(run) == ["done", "refused", "refused"]
    reasons = [row["reason"] for row in run.xcoms["return_value"]["videos"]]
    assert "submit_timeout is 300 s" in reasons[1]
    assert reasons[2] == "Not submitted, for the reason of request 1."
    assert still.ledger().billed == 1


@pytest.mark.parametrize("status", [401, 402, 403])
def test_what_the_account_may_not_do_stops_the_submits_at_once(still: Sandbox, tmp_path: Path, status: int) -> None:
    still.script(Fault("submit", "answer", status=status, body='{"message": "no"}', times=0, match="b"))
    run = batching(tmp_path, ["a", "b", "c", "d"])
    assert made(run, still).state == "success"
    assert states(run) == ["done", "refused", "refused", "refused"]
    assert still.ledger().submit_calls == 2


@pytest.mark.parametrize("status", [402, 429])
def test_what_is_paid_is_taken_up_though_the_service_takes_no_more(still: Sandbox, tmp_path: Path, status: int) -> None:
    run = batching(tmp_path, ["b", "a"])
    run.task.requests = ["a"]
    assert run.work().state == "deferred"
    run.fail_deferral("gone")
    still.script(Fault("submit", "answer", status=status, body='{"message": "no"}', times=0))
    run.task.requests = ["b", "a"]
    still.advance(MADE)
    run.next_try()
    report = run.work()
    assert archived(tmp_path) == all_ids(still)
    assert report.state == ("success" if status == 402 else "deferred")


# --- late, not archived ---------------------------------------------------------------------------------------------


def test_a_late_video_fails_the_task_after_the_others_are_safe(still: Sandbox, patient: Clock, tmp_path: Path) -> None:
    run = batching(tmp_path, ["a", "b"], timeout=60)
    assert run.work().state == "deferred"
    assert kwargs_of(run)["wake_at"] == kwargs_of(run)["deadline"] == patient.now + 60
    late = still.ledger().jobs[1]["request_id"]
    still.script(Fault("status", "answer", body='{"status": "InProgress"}', status=200, times=0, match=late))
    patient.sleep(MADE)

    # Whatever the trigger saw, all are looked at once time is up.
    report = woken(run, [])

    assert isinstance(report.error, VideoTimeoutError)
    assert report.state == "up_for_retry"
    assert states(run) == ["done", "late"]
    assert "A retry of this task takes them up at no cost" in str(report.error)
    assert archived(tmp_path) == {still.ledger().jobs[0]["request_id"]}
    still.clear_faults()
    assert retried(run, still).state == "success"
    assert archived(tmp_path) == all_ids(still)
    assert still.ledger().billed == 2


def test_videos_that_are_ready_at_once_need_no_trigger(still: Sandbox, tmp_path: Path) -> None:
    run = batching(tmp_path, ["a", "b"])
    run.before = lambda message: still.advance(MADE) if still.ledger().accepted == 2 else None
    assert run.work().state == "success"
    assert archived(tmp_path) == all_ids(still)


def test_an_event_ahead_of_the_service_waits_again(still: Sandbox, tmp_path: Path) -> None:
    run = batching(tmp_path, ["a", "b"])
    assert run.work().state == "deferred"
    assert woken(run, [*all_ids(still), "a-stranger"]).state == "deferred"
    assert set(kwargs_of(run)["videos"]) == all_ids(still)


@pytest.mark.parametrize("fault", ["garbage", "cut"])
def test_a_video_that_cannot_be_archived_harms_no_other_and_is_retried(
    still: Sandbox, tmp_path: Path, fault: str
) -> None:
    run = batching(tmp_path, ["a", "b", "c"])
    assert run.work().state == "deferred"
    bad = still.ledger().jobs[1]["request_id"]
    still.script(Fault("download", fault, times=0, match=bad, at_byte=100))
    still.advance(MADE)

    report = run.work()

    assert report.state == "up_for_retry"
    assert not isinstance(report.error, VideoTimeoutError)
    assert states(run) == ["done", "unsafe", "done"]
    assert archived(tmp_path) == all_ids(still) - {bad}
    assert "Signature" not in json.dumps(run.xcoms)
    still.clear_faults()
    assert retried(run, still).state == "success"
    assert archived(tmp_path) == all_ids(still)
    assert still.ledger().billed == 3


def test_a_mistake_while_archiving_breaks_off_no_other(
    still: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = archive_manifest

    async def mistaken(hook: Any, destination: str, url: str | None, video: Any, if_exists: Any) -> dict[str, Any]:
        if video.prompt == "a":
            raise RuntimeError("a mistake")
        return await archive(hook, destination, url, video, if_exists)

    monkeypatch.setattr(batch_archive, "archive_manifest", mistaken)
    run = batching(tmp_path, ["a", "b", "c"])
    assert made(run, still).state == "up_for_retry"
    assert rows(run.xcoms["manifest"]) == [("unsafe", "a mistake"), ("done", ""), ("done", "")]


def test_a_key_that_is_no_longer_good_loses_no_paid_video(
    still: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = batching(tmp_path, ["a", "b"])
    assert run.work().state == "deferred"
    still.advance(MADE)
    still.change_key("cn", "sk-another")
    report = run.work()
    assert report.state == "up_for_retry"
    assert not isinstance(report.error, AirflowFailException)
    assert states(run) == ["unsafe", "unsafe"]
    still.change_key("cn", still.key)
    assert retried(run, still).state == "success"
    assert archived(tmp_path) == all_ids(still)


def test_an_id_that_the_service_does_not_know_is_told(still: Sandbox, tmp_path: Path) -> None:
    run = batching(tmp_path, ["a", "b"])
    assert run.work().state == "deferred"
    lost = still.ledger().jobs[0]["request_id"]
    still.script(Fault("status", "answer", status=404, body='"not found"', times=0, match=lost))
    still.advance(MADE)
    assert run.work().state == "success"
    assert states(run) == ["failed", "done"]


def test_a_video_that_is_safe_already_needs_no_service_any_more(still: Sandbox, tmp_path: Path) -> None:
    run = batching(tmp_path, ["a", FAILS], fail_on_partial_error=True)
    assert made(run, still).state == "up_for_retry"
    still.script(Fault("status", "answer", status=404, body='"not found"', times=0, match=archived(tmp_path).pop()))
    run.task.requests = ["a"]
    assert retried(run, still).state == "success"
    assert states(run) == ["done"]


def test_a_trigger_that_broke_off_is_told_with_the_money(still: Sandbox, tmp_path: Path) -> None:
    run = batching(tmp_path, ["a"])
    assert run.work().state == "deferred"
    report = woken(run, message="ValueError: oops")
    assert report.state == "up_for_retry"
    assert "ValueError: oops" in str(report.error)
    assert "takes them up at no cost" in str(report.error)
    still.advance(MADE)
    assert retried(run, still).state == "success"
    assert still.ledger().billed == 1


# --- how the archiving goes -----------------------------------------------------------------------------------------


def test_the_soonest_to_expire_comes_first_and_few_at_a_time(
    still: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    at_once: list[int] = []
    under_way = 0
    link_of: dict[str, datetime] = {}

    async def archive(hook: Any, destination: str, url: str | None, video: Any, if_exists: Any) -> dict[str, Any]:
        nonlocal under_way
        order.append(video.request_id)
        under_way += 1
        at_once.append(under_way)
        await asyncio.sleep(0)
        under_way -= 1
        return {"path": video.request_id}

    monkeypatch.setattr(batch_archive, "archive_manifest", archive)
    prompts = [f"video {number}" for number in range(12)]
    run = batching(tmp_path, prompts)
    assert run.work().state == "deferred"
    still.advance(MADE)
    ids = [job["request_id"] for job in still.ledger().jobs]
    start = datetime(2026, 8, 1, tzinfo=UTC)
    link_of |= {request_id: start - timedelta(seconds=number) for number, request_id in enumerate(ids[:-1])}
    expires = property(lambda status: link_of.get(status.request_id))
    monkeypatch.setattr("airflow_provider_siliconflow.api.video.VideoStatus.expires_at", expires)
    assert run.work().state == "success"
    # The one whose link does not tell comes last.
    assert order == [*ids[-2::-1], ids[-1]]
    assert max(at_once) == batch_archive._ARCHIVES


def test_few_looks_at_a_time(still: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock, under_way, at_once = threading.Lock(), 0, 0
    look: Callable[..., Any] = SiliconFlowHook.look

    def counted(self: SiliconFlowHook, request_id: str) -> Any:
        nonlocal under_way, at_once
        with lock:
            under_way += 1
            at_once = max(at_once, under_way)
        found = look(self, request_id)
        with lock:
            under_way -= 1
        return found

    monkeypatch.setattr(SiliconFlowHook, "look", counted)
    run = batching(tmp_path, [f"video {number}" for number in range(20)])
    assert made(run, still).state == "success"
    assert 1 <= at_once <= batch_archive._LOOKS


# --- how the task ends ----------------------------------------------------------------------------------------------


def test_nothing_made_at_all_fails_and_pushes_the_manifest(still: Sandbox, tmp_path: Path) -> None:
    run = batching(tmp_path, [{"prompt": ""}, FAILS])
    report = made(run, still)
    assert report.state == "up_for_retry"
    assert "0 of 2 videos are archived: 1 failed at the service, 1 were refused" in str(report.error)
    assert "return_value" not in run.xcoms
    assert states(run) == ["refused", "failed"]


def test_what_travels_through_the_trigger_is_small_plain_and_secret_of_nobody(still: Sandbox, tmp_path: Path) -> None:
    count = 30
    requests = [{"prompt": f"a very secret prompt {number}"} for number in range(count)]
    run = batching(tmp_path, [*requests, {"prompt": "a very secret prompt", "image_size": "1x1"}])
    assert run.work().state == "deferred"
    still.advance(MADE)
    before = woken(run, [job["request_id"] for job in still.ledger().jobs[: count // 2]])
    assert before.state == "deferred"
    kwargs = kwargs_of(run)
    text = json.dumps(kwargs)
    assert json.loads(text) == kwargs
    for secret in ("secret", still.key, "http", "Signature"):
        assert secret not in text
    assert len(text) < 300 * count


def test_on_kill_tells_the_truth(still: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = batching(tmp_path, ["a", "b"])
    idle = run.task
    task = run.work().task
    capsys.readouterr()
    idle.on_kill()
    assert "cancels nothing" not in capsys.readouterr().out
    task.on_kill()
    assert "This cancels nothing: 2 videos go on at SiliconFlow and are billed" in capsys.readouterr().out
