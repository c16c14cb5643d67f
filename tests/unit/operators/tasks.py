"""The tasks that these tests run, and how they run them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from airflow.sdk.execution_time import comms

from airflow_provider_siliconflow._airflow.releases import clear_deletes_state
from airflow_provider_siliconflow.operators.video import GenerateVideoOperator, SubmitVideoOperator
from airflow_provider_siliconflow.sandbox.server import Sandbox
from tests.unit.worker import MODEL, DiesBefore, Report, TaskRun, in_dag

NewTask = Callable[..., TaskRun]

#: Seconds after which the sandbox has finished any video.
FINISHED_AFTER = 600
FAILS = "a cat [fail: too dark]"
REQUEST: dict[str, Any] = {
    "prompt": "a {{ params.what }}",
    "model": MODEL,
    "image_size": "1280x720",
    "deferrable": True,
}


def submitting(**arguments: Any) -> TaskRun:
    return TaskRun(in_dag(SubmitVideoOperator, **REQUEST | {"retries": 3} | arguments))


def generating(path: Path | str, **arguments: Any) -> TaskRun:
    given = {"destination": str(path), "poke_interval": 0.01, "retries": 2}
    return TaskRun(in_dag(GenerateVideoOperator, **REQUEST | given | arguments))


def pay_and_die(run: TaskRun) -> str:
    """Run a task that submits until it is killed, right before Airflow knows of its success; return the request id."""
    run.before = DiesBefore(comms.SucceedTask)
    assert run.finish().state == "killed"
    request_id: str = run.xcoms["return_value"]
    return request_id


def is_deleted_by_clear(run: TaskRun) -> bool:
    """Return whether a clear takes the record away (Airflow 3.4, in the state store)."""
    return run.has_store and clear_deletes_state()


def failing(kind: Any, number: int = 1, about: str = "") -> Any:
    """Fail at the given one of the messages of a kind that are about something."""
    left = iter(range(number))

    def fail(message: Any) -> None:
        if isinstance(message, kind) and about in repr(message) and next(left, None) == number - 1:
            raise RuntimeError("the API server is away")

    return fail


def run_to_end(run: TaskRun, sandbox: Sandbox) -> Report:
    """Run a task to the end of its try, with a video that gets ready while it waits."""
    assert run.work().state == "deferred"
    sandbox.advance(FINISHED_AFTER)
    return run.finish()


def is_archived(clip: Path, sandbox: Sandbox, job: int = 0) -> bool:
    sha256 = hashlib.sha256(clip.read_bytes()).hexdigest()
    manifest = json.loads(clip.with_name(f"{clip.name}.json").read_text())
    wanted: str = sandbox.ledger().jobs[job]["sha256"]
    return sha256 == wanted == manifest["sha256"] and list(clip.parent.glob(".*")) == []
