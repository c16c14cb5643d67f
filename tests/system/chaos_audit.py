"""The audit of a chaos scenario: what each task reports of its video, beside the sandbox's ledger and the archive."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import requests

from tests.system.audit import Run, is_archived
from tests.system.chaos_plan import Scenario, Video
from tests.system.rest import TaskInstance

#: What a user knows of a video in the end. ``pending``: it is paid for and has this id, but was not archived.
ReportKind = Literal["archived", "rejected", "unknown", "failed", "pending", "silent"]

#: What an error says about the bill, by its words. The first that is found counts.
_WORDS: list[tuple[ReportKind, str]] = [
    ("unknown", r"A video may be running and billed all the same|the request was not submitted by this try"),
    ("failed", r"could not make video (\w+)|says that the video (\w+) failed"),
    ("pending", r"[Vv]ideo (\w{12})\b"),
    ("rejected", r"Nothing was submitted"),
]
#: What a task logs when the user's policy makes it submit again.
_RESUBMITS = re.compile(r"on_unknown_submit='resubmit' says to submit anew")
#: What an error says if the try that sent the submit has lived on.
_SENT = "was sent, and whether it was accepted is not known"
_BY_STATE: dict[str, ReportKind] = {
    **{"archived": "archived", "rejected": "rejected", "not_submitted": "rejected", "unknown": "unknown"},
    **{"failed": "failed", "timed_out": "pending", "not_archived": "pending"},
}


@dataclass(frozen=True)
class Report:
    """
    What a task reports of a video in the end.

    :param kind: In one word.
    :param request_id: The video's id, where it is reported.
    :param text: The very words, of an error.
    """

    kind: ReportKind
    request_id: str | None = None
    text: str = ""


def read_error(text: str) -> Report:
    """Return what an error says about the bill."""
    for kind, words in _WORDS:
        if found := re.search(words, text):
            request_id = next((group for group in found.groups() if group), None)
            return Report(kind, request_id, text)
    return Report("silent", None, text)


def read_item(item: dict[str, Any]) -> Report:
    """Return what an item of a batch's manifest says."""
    kind = _BY_STATE[item["state"]]
    if kind == "failed" and read_error(item["reason"]).kind != "failed":
        kind = "pending"
    return Report(kind, item["request_id"], item["reason"])


@dataclass(frozen=True)
class VideoOutcome:
    """
    The outcome of an intended video.

    :param report: What its task reports.
    :param jobs: The ledger's jobs for it.
    :param resubmits: How often the user's policy made a task submit again.
    """

    video: Video
    report: Report
    jobs: Sequence[dict[str, Any]]
    resubmits: int

    @property
    def kept(self) -> list[dict[str, Any]]:
        """The jobs that did not end ``Failed``."""
        return [job for job in self.jobs if job["outcome"] != "Failed"]

    def violations(self, archive: Path, killed: bool) -> list[str]:
        """
        Return the violated invariants, once everything is archived that can be.

        :param killed: Whether anything was killed in the scenario.
        """
        invariants = {
            "paid twice": self.duplicates() > self.resubmits,
            f"reported {self.report.kind}, which is not true": not self._is_true(archive, killed),
            "lost": self.is_lost(archive),
        }
        return [invariant for invariant, is_broken in invariants.items() if is_broken]

    def is_lost(self, archive: Path) -> bool:
        """Return whether a finished video is nowhere, although its id was known."""
        missing = [job for job in self.kept if not is_archived(archive, job)]
        return self.report.kind != "unknown" and len(missing) > self.resubmits

    def duplicates(self) -> int:
        """Return how often a video was paid for while the one before had not failed, or was not known to have."""
        pairs = zip(self.jobs, self.jobs[1:], strict=False)
        return len([new for old, new in pairs if not _is_closed(old, new["accepted_at"])])

    def _is_true(self, archive: Path, killed: bool) -> bool:
        mine = next((job for job in self.jobs if job["request_id"] == self.report.request_id), None)
        match self.report.kind:
            case "archived":
                return any(is_archived(archive, job) for job in ([mine] if mine else self.kept))
            case "rejected":
                return len(self.kept) <= self.resubmits
            case "unknown":
                return self._is_unknowable(killed)
            case "failed":
                return mine is not None and mine["outcome"] == "Failed"
            case "pending":
                return mine is not None and mine["outcome"] == "Succeed"
        return False

    def _is_unknowable(self, killed: bool) -> bool:
        """Return whether nobody could know: no answer was sent, or its receiver was killed."""
        known = [job for job in self.kept if job["answered"]]
        return not known or (killed and _SENT not in self.report.text)


def _is_closed(job: dict[str, Any], now: float) -> bool:
    """Return whether a job had failed by then, and its caller could know."""
    return bool(job["outcome"] == "Failed" and job["answered"] and job["ready_at"] <= now)


class Auditor:
    """
    Audits a scenario.

    :param run: Its run, which has ended.
    """

    def __init__(self, run: Run, scenario: Scenario) -> None:
        self._run = run
        self._tasks = run.tasks()
        self._manifests: dict[str, Any] = {}
        #: What the tasks report of each video.
        self.reports = [(video, self._report(video)) for video in scenario.videos]

    def outcomes(self, jobs: Sequence[dict[str, Any]]) -> list[VideoOutcome]:
        """
        Return the outcome of each video.

        :param jobs: The ledger's jobs, in the order of the submits.
        """
        return [
            VideoOutcome(
                video,
                report,
                [job for job in jobs if job["prompt"] == video.prompt],
                self._resubmits(video),
            )
            for video, report in self.reports
        ]

    def _report(self, video: Video) -> Report:
        if video.variant == "batch":
            return self._report_of_item(video)
        steps = [self._tasks[name] for name in video.chain if name in self._tasks]
        if steps and steps[-1].name == video.chain[-1] and steps[-1].state == "success":
            return Report("archived")
        failed = next((task for task in steps if task.state == "failed"), None)
        return read_error(self._last_error(failed)) if failed else Report("silent", None, "no task of it failed")

    def _report_of_item(self, video: Video) -> Report:
        task = self._tasks[video.chain[0]]
        if task.name not in self._manifests:
            self._manifests[task.name] = self._manifest(task)
        manifest = self._manifests[task.name]
        if isinstance(manifest, str):
            return read_error(manifest)
        return read_item(manifest["videos"][video.index])

    def _manifest(self, task: TaskInstance) -> Any:
        """Return the manifest of a batch, or the error of one that has none."""
        key = "return_value" if task.state == "success" else "manifest"
        try:
            return self._run.stack.api.xcom(
                self._run.dag_id, self._run.run_id, task.task_id, key=key, map_index=task.map_index
            )
        except requests.HTTPError:
            return self._last_error(task)

    def _last_error(self, task: TaskInstance) -> str:
        """Return what the last try of a failed task raised; empty if it raised nothing."""
        path = f"dags/{self._run.dag_id}/dagRuns/{self._run.run_id}/taskInstances/{task.task_id}"
        query = f"logs/{task.try_number}?map_index={task.map_index}&full_content=true"
        events = self._run.stack.api.call("GET", f"{path}/{query}")["content"]
        raised = [event["error_detail"] for event in events if isinstance(event, dict) and event.get("error_detail")]
        return str(raised[-1][0]["exc_value"]) if raised else ""

    def _resubmits(self, video: Video) -> int:
        if video.policy != "resubmit" or video.chain[0] not in self._tasks:
            return 0
        task = self._tasks[video.chain[0]]
        logs = [
            self._run.stack.api.task_log(self._run.dag_id, self._run.run_id, task, number)
            for number in range(1, task.try_number + 1)
        ]
        return sum(len(_RESUBMITS.findall(log)) for log in logs)


#: What is counted, in the order of the table's columns.
COUNTED = (
    *("billed", "archived", "archived by hand", "unknown", "failed at the service", "rejected", "lost", "paid twice"),
    *("resubmitted after Failed", "resubmitted by policy"),
)
_NAMES = {"failed": "failed at the service", "pending": "archived by hand"}


def count(outcomes: Sequence[VideoOutcome], archive: Path) -> Counter[str]:
    """Add up the outcomes of a scenario: :data:`COUNTED`, and the ``polls`` of the videos that were ``polled``."""
    counts: Counter[str] = Counter(_NAMES.get(outcome.report.kind, outcome.report.kind) for outcome in outcomes)
    for outcome in outcomes:
        duplicates = outcome.duplicates()
        polled = [job["status_calls"] for job in outcome.jobs if job["status_calls"]]
        counts["resubmitted after Failed"] += len(outcome.jobs[1:]) - duplicates
        counts["resubmitted by policy"] += min(duplicates, outcome.resubmits)
        counts["paid twice"] += max(0, duplicates - outcome.resubmits)
        counts["billed"] += sum(job["billed"] for job in outcome.jobs)
        counts["lost"] += outcome.is_lost(archive)
        counts["polls"] += sum(polled)
        counts["polled"] += len(polled)
    return counts
