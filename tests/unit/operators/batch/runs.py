"""Run a list of videos through Airflow's own worker code, against the sandbox."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from airflow_provider_siliconflow.operators.video import GenerateVideoBatchOperator
from airflow_provider_siliconflow.sandbox.server import Sandbox
from tests.unit.worker import MODEL, Report, TaskRun, in_dag

#: Seconds after which the sandbox has finished any video.
FINISHED_AFTER = 600
FAILS = "a cat [fail: too dark]"


def batching(folder: Path, requests: Any, **arguments: Any) -> TaskRun:
    defaults = {"model": MODEL, "image_size": "1280x720", "deferrable": True, "retries": 3, "poke_interval": 0.01}
    return TaskRun(
        in_dag(GenerateVideoBatchOperator, requests=requests, destination=str(folder), **defaults | arguments)
    )


def run_to_end(run: TaskRun, sandbox: Sandbox) -> Report:
    """Run a task to the end of its try, with videos that get ready while it waits."""
    for _ in range(10):
        report = run.work()
        if report.state != "deferred":
            return report
        sandbox.advance(FINISHED_AFTER)
    raise AssertionError("the try does not end")


def retried(run: TaskRun, sandbox: Sandbox) -> Report:
    run.next_try()
    return run_to_end(run, sandbox)


def woken(run: TaskRun, ended: list[str] | dict[str, str] | None = None, **more: Any) -> Report:
    """Resume a task with an event of the test's own."""
    event = {"ended": ended or [], "last_polled": {}, "state": state_of(run), **more}
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


def archived(folder: Path) -> set[str]:
    return {path.stem for path in folder.glob("*.mp4")}


def all_ids(sandbox: Sandbox) -> set[str]:
    return {job["request_id"] for job in sandbox.ledger().jobs}
