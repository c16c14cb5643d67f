"""The audit: what the sandbox billed, beside what is in the archive and what the tasks report."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tests.system.processes import WaitTimeoutError
from tests.system.reports import reports_unknown
from tests.system.rest import TaskInstance
from tests.system.stack import Stack

#: ``unknown``: the task failed and reported that a video may be running whose id is lost.
Result = Literal["archived", "unknown", "lost"]


@dataclass(frozen=True)
class Outcome:
    """
    Outcome of one intended video.

    :param billed: How often it was paid for.
    :param result: What the user has of it.
    :param retries: How often its tasks were tried again, together.
    """

    billed: int
    result: Result
    retries: int


class Run:
    """
    One run of a DAG that makes videos.

    :param conf: Of the run.
    """

    def __init__(self, stack: Stack, dag_id: str, archive: Path, conf: dict[str, Any] | None = None) -> None:
        self.stack = stack
        self.dag_id = dag_id
        self._archive = archive
        stack.wait_until(f"the DAG {dag_id}", self._parsed, seconds=120)
        self.run_id = stack.api.trigger(dag_id, conf)

    def _parsed(self) -> bool:
        errors = self.stack.api.import_errors()
        assert not errors, "\n".join(errors)
        return self.stack.api.knows_dag(self.dag_id)

    def tasks(self) -> dict[str, TaskInstance]:
        """Return the task instances by name."""
        return {task.name: task for task in self.stack.api.task_instances(self.dag_id, self.run_id)}

    def states(self, names: Iterable[str]) -> set[str | None]:
        """Return the states of some task instances; None stands for one that is not there yet."""
        tasks = self.tasks()
        return {tasks[name].state if name in tasks else None for name in names}

    def ended(self) -> bool:
        """Return whether the run is over."""
        return self.stack.api.run_state(self.dag_id, self.run_id) in ("success", "failed")

    def wait_until(self, what: str, condition: Callable[[], bool], *, seconds: float) -> None:
        """Wait until a condition is true; on time-out, raise with the states of the tasks."""
        try:
            self.stack.wait_until(what, condition, seconds=seconds)
        except WaitTimeoutError as error:
            tasks = [f"{task.name}: {task.state}, try {task.try_number}" for task in self.tasks().values()]
            raise WaitTimeoutError("\n".join([str(error), *tasks])) from error

    def wait(self, *, seconds: float) -> None:
        """Wait for the end of the run."""
        self.wait_until(f"the end of {self.dag_id}", self.ended, seconds=seconds)

    def log(self, task: TaskInstance) -> str:
        """Return the log of a task's last try."""
        return self.stack.api.task_log(self.dag_id, self.run_id, task)

    def audit(self, prompt: str, chain: Sequence[str], tasks: dict[str, TaskInstance], jobs: list[Any]) -> Outcome:
        """
        Audit one video.

        :param prompt: By which the ledger knows it.
        :param chain: The names of its tasks, the one that archives last.
        :param tasks: All task instances by name.
        :param jobs: The ledger's jobs.
        """
        mine = [job for job in jobs if job["prompt"] == prompt]
        steps = [tasks[name] for name in chain if name in tasks]
        return Outcome(
            billed=sum(job["billed"] for job in mine),
            result=self._result(steps, mine),
            retries=sum(max(0, task.try_number - 1) for task in steps),
        )

    def _result(self, steps: list[TaskInstance], jobs: list[Any]) -> Result:
        if steps[-1].state == "success":
            archived = ArchivedFiles(self._archive, jobs).ids
            return "archived" if archived else "lost"
        failed = next((task for task in steps if task.state == "failed"), None)
        if failed is None:
            return "lost"
        return "unknown" if reports_unknown(self.log(failed)) else "lost"

    def explain(self, prompt: str, chain: Sequence[str]) -> str:
        """Return the ledger's rows of a video and the logs of its tasks."""
        rows = [json.dumps(job) for job in self.stack.sandbox("ledger")["jobs"] if job["prompt"].startswith(prompt)]
        tasks = self.tasks()
        logs = [
            f"--- {name}, {tasks[name].state}, try {number}\n"
            + self.stack.api.task_log(self.dag_id, self.run_id, tasks[name], number)
            for name in chain
            if name in tasks
            for number in range(1, tasks[name].try_number + 1)
        ]
        # What is done to a task from outside is in these logs alone: by an executor's event, or by the API server.
        scheduler = self.stack.parts["scheduler"].log.read_text(errors="replace").splitlines()
        mine = [(tasks[name].task_id, f"map_index={tasks[name].map_index}") for name in chain if name in tasks]
        told = [line for line in scheduler if any(task in line and index in line for task, index in mine)]
        server = self.stack.parts["api-server"].tail(60)
        return "\n".join([f"=== {prompt}", *rows, *logs, "--- scheduler", *told, "--- API server", server])


class ArchivedFiles:
    """
    The videos in an archive that are whole.

    :param archive: The folder.
    :param jobs: The ledger's jobs.
    """

    def __init__(self, archive: Path, jobs: Iterable[dict[str, Any]]) -> None:
        sha256 = {job["request_id"]: job["sha256"] for job in jobs}
        paths = sorted(archive.glob("*.mp4"))
        found = {path: _request_id(path, sha256) for path in paths}
        #: The request ids of the videos that are under their final names, byte for byte, with a matching manifest.
        self.ids = {request_id for request_id in found.values() if request_id}
        #: The names of files that look like archived videos and are none.
        self.strays = [path.name for path, request_id in found.items() if not request_id]


def _request_id(path: Path, sha256: Mapping[str, str]) -> str | None:
    """Return the request id of a video file; None if its bytes or its manifest are another's."""
    try:
        manifest = json.loads(path.with_name(f"{path.name}.json").read_text())
    except FileNotFoundError:
        return None
    request_id, digest = manifest["request_id"], hashlib.sha256(path.read_bytes()).hexdigest()
    return request_id if digest == manifest["sha256"] == sha256.get(request_id) else None
