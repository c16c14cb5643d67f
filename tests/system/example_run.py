"""Run the mapped example in a stack, print the progress of each video, and return the archived ones."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from tests.system.rest import TaskInstance
from tests.system.stack import Stack, StackFailedError

DAG_ID = "example_mapped_prompts"

_AT_THE_SERVICE = {"InProgress": "in progress", "Succeed": "ready at the service", "Failed": "failed at the service"}


@dataclass(frozen=True)
class ArchivedVideo:
    """
    One archived video.

    :param manifest: What the archive task wrote beside it.
    :param seconds_to_ready: Seconds from submit to ready at the service.
    """

    prompt: str
    path: Path
    manifest: dict[str, Any]
    seconds_to_ready: float


class ExampleRun:
    """
    One run of the mapped example.

    :param echo: Gets a line whenever something changes.
    """

    def __init__(self, stack: Stack, echo: Callable[[str], None]) -> None:
        self._stack = stack
        self._echo = echo
        self._began = time.monotonic()
        self._printed: dict[int, str] = {}
        self._request_ids: dict[int, str] = {}
        self._run_id = ""

    def run(self, seconds: float) -> list[ArchivedVideo]:
        """
        Trigger the run, wait for its end and return its videos.

        :param seconds: How long it may take.
        :raises StackFailedError: if it does not succeed, with the logs of the tasks that did not.
        """
        api = self._stack.api
        self._stack.wait_until(f"the DAG {DAG_ID}", self._parsed, seconds=60)
        self._began = time.monotonic()
        self._run_id = api.trigger(DAG_ID)
        self._stack.wait_until("the end of the run", self._ended, seconds=seconds)
        if (state := api.run_state(DAG_ID, self._run_id)) != "success":
            raise StackFailedError(f"The run ended as {state}.\n{self._stack.explain(DAG_ID, self._run_id)}")
        return [self._video(index) for index in sorted(self._request_ids)]

    def _parsed(self) -> bool:
        if errors := self._stack.api.import_errors():
            raise StackFailedError("A DAG file cannot be imported:\n" + "\n".join(errors))
        return self._stack.api.knows_dag(DAG_ID)

    def _ended(self) -> bool:
        state = self._stack.api.run_state(DAG_ID, self._run_id)
        tasks: dict[int, dict[str, TaskInstance]] = {}
        for task in self._stack.api.task_instances(DAG_ID, self._run_id):
            tasks.setdefault(task.map_index, {})[task.task_id.rpartition(".")[2]] = task
        jobs = {job["request_id"]: job for job in self._stack.sandbox("jobs")}
        for index in sorted(tasks):
            if index >= 0:
                self._note(index, tasks[index], jobs)
        return state in ("success", "failed")

    def _note(self, index: int, tasks: dict[str, TaskInstance], jobs: dict[str, Any]) -> None:
        if index not in self._request_ids and tasks["submit"].state == "success":
            self._request_ids[index] = self._xcom("submit", index)
        job = jobs.get(self._request_ids.get(index, ""))
        now = describe_progress(tasks, job)
        if self._printed.get(index) != now:
            self._printed[index] = now
            left = f" (ready in about {job['seconds_left']:.0f} s)" if job and job["seconds_left"] else ""
            self._echo(f"{time.monotonic() - self._began:5.1f} s  video {index + 1}: {now}{left}")

    def _xcom(self, task: str, index: int) -> Any:
        return self._stack.api.xcom(DAG_ID, self._run_id, f"video.{task}", map_index=index)

    def _video(self, index: int) -> ArchivedVideo:
        path = Path(unquote(urlsplit(self._xcom("archive", index)).path))
        jobs = self._stack.sandbox("ledger")["jobs"]
        job = next(job for job in jobs if job["request_id"] == self._request_ids[index])
        return ArchivedVideo(
            prompt=job["prompt"],
            path=path,
            manifest=json.loads(path.with_name(f"{path.name}.json").read_text()),
            seconds_to_ready=job["ready_at"] - job["accepted_at"],
        )


def describe_progress(tasks: dict[str, TaskInstance], job: dict[str, Any] | None) -> str:
    """Describe a video's progress, from its three tasks and its job at the service."""
    submit, ready, archive = (tasks[name].state if name in tasks else None for name in ("submit", "ready", "archive"))
    for name, state in (("submit", submit), ("ready", ready), ("archive", archive)):
        if state in ("failed", "up_for_retry"):
            return f"{name} {state.replace('_', ' ')}"
    if archive == "success":
        return "archived"
    if archive in ("queued", "running"):
        return "being archived"
    if job is None:
        return "being submitted" if submit in ("queued", "running", "success") else "waiting for a worker"
    if job["status"] == "InQueue":
        return f"queued, position {job['position']}"
    state = _AT_THE_SERVICE[job["status"]]
    return f"{state}, and the triggerer waits" if ready == "deferred" else state
