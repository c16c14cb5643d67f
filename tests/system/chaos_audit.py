"""The audit of a chaos scenario: what each task reports of its video, beside the sandbox's ledger and the archive."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import requests

from tests.system.audit import ArchivedFiles, Run
from tests.system.chaos_plan import Scenario, Video, identity_of
from tests.system.reports import Report, count_resubmits, is_of_the_try_that_sent_it, read_error, read_item
from tests.system.rest import TaskInstance


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
        """Return the jobs that did not end ``Failed``."""
        return [job for job in self.jobs if job["outcome"] != "Failed"]

    def violations(self, archive: ArchivedFiles, killed: bool) -> list[str]:
        """
        Return the violated invariants, once everything is archived that can be.

        :param killed: Whether anything was killed in the scenario.
        """
        invariants = {
            "paid twice": self.duplicates() > self.resubmits,
            f"reported {self.report.kind}, which is not true": not self._is_true(archive, killed),
            "lost": self.is_lost(archive),
            "destroyed": self.is_destroyed(archive),
        }
        return [violation for violation, is_violated in invariants.items() if is_violated]

    def is_lost(self, archive: ArchivedFiles) -> bool:
        """Return whether a finished video is nowhere, although its id was known."""
        missing = [job for job in self.kept if job["request_id"] not in archive.ids]
        return self.report.kind != "unknown" and len(missing) > self.resubmits

    def is_destroyed(self, archive: ArchivedFiles) -> bool:
        """Return whether a video was reported as archived whose bytes are nowhere."""
        archived = {job["request_id"] for job in self.jobs} & archive.ids
        return self.report.kind == "archived" and bool(self.kept) and not archived

    def duplicates(self) -> int:
        """Return how often a video was paid for while the one before had not failed, or was not known to have."""
        pairs = zip(self.jobs, self.jobs[1:], strict=False)
        return len([new for old, new in pairs if not _is_closed(old, new["accepted_at"])])

    def _is_true(self, archive: ArchivedFiles, killed: bool) -> bool:
        mine = next((job for job in self.jobs if job["request_id"] == self.report.request_id), None)
        match self.report.kind:
            case "archived":
                return any(job["request_id"] in archive.ids for job in ([mine] if mine else self.kept))
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
        """Return whether nobody could know: no answer arrived, or its receiver was killed."""
        known = [job for job in self.kept if job["answered"]]
        return not known or (killed and not is_of_the_try_that_sent_it(self.report.text))


def _is_closed(job: dict[str, Any], now: float) -> bool:
    """Return whether a job had failed by then, and its caller could know."""
    return bool(job["outcome"] == "Failed" and job["answered"] and job["ready_at"] <= now)


def paid_for_one_destination(outcomes: Sequence[VideoOutcome]) -> Iterator[str]:
    """Yield the pairs of videos with one destination that were both paid for, unless the outcome of one is unknown."""
    pairs: dict[int, list[VideoOutcome]] = defaultdict(list)
    for outcome in outcomes:
        if outcome.video.pair is not None:
            pairs[outcome.video.pair].append(outcome)
    for number, pair in pairs.items():
        paid = [outcome for outcome in pair if outcome.kept]
        if len(paid) > 1 and not any(outcome.report.kind == "unknown" for outcome in paid):
            yield f"both videos of pair {number} were paid for, and one destination can hold one"


class Auditor:
    """
    Audits a scenario.

    :param run: Its run, which has ended.
    :param jobs: The ledger's jobs, in the order of the submits.
    :param lost_ids: The request ids whose answers were lost after the service had sent them.
    """

    def __init__(self, run: Run, scenario: Scenario, jobs: Sequence[dict[str, Any]], lost_ids: set[str]) -> None:
        self._run = run
        self._tasks = run.tasks()
        self._jobs: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for job in jobs:
            answered = job["answered"] and job["request_id"] not in lost_ids
            self._jobs[identity_of(job["prompt"])].append({**job, "answered": answered})
        self._manifests: dict[str, Any] = {}
        #: What the tasks report of each video.
        self.reports = [(video, self._report(video)) for video in scenario.videos]

    def outcomes(self) -> list[VideoOutcome]:
        """Return the outcome of each video."""
        return [
            VideoOutcome(video, report, self._jobs[video.prompt], self._resubmits(video))
            for video, report in self.reports
        ]

    def _report(self, video: Video) -> Report:
        if video.variant == "batch":
            return self._report_of_item(video)
        steps = [self._tasks[name] for name in video.chain if name in self._tasks]
        if steps and steps[-1].name == video.chain[-1] and steps[-1].state == "success":
            return Report("archived")
        failed = next((task for task in steps if task.state == "failed"), None)
        return self._read(video, self._last_error(failed)) if failed else Report("silent", None, "no task of it failed")

    def _read(self, video: Video, error: str) -> Report:
        return read_error(error, self._ids(video))

    def _ids(self, video: Video) -> list[str]:
        return [job["request_id"] for job in self._jobs[video.prompt]]

    def _report_of_item(self, video: Video) -> Report:
        task = self._tasks[video.chain[0]]
        if task.name not in self._manifests:
            self._manifests[task.name] = self._manifest(task)
        manifest = self._manifests[task.name]
        if isinstance(manifest, str):
            return self._read(video, manifest)
        # A list that renders differently in a later try has the videos that an earlier try paid for behind its own.
        mine = [
            item
            for item in manifest["videos"]
            if item["request_id"] in self._ids(video) or repr(video.prompt)[:-1] in item["reason"]
        ]
        return read_item(mine[-1] if mine else manifest["videos"][video.index])

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
        events = self._run.stack.api.log_events(self._run.dag_id, self._run.run_id, task, task.try_number)
        raised = [event["error_detail"] for event in events if isinstance(event, dict) and event.get("error_detail")]
        return str(raised[-1][0]["exc_value"]) if raised else ""

    def _resubmits(self, video: Video) -> int:
        if video.policy != "resubmit" or video.chain[0] not in self._tasks:
            return 0
        task = self._tasks[video.chain[0]]
        api, numbers = self._run.stack.api, range(1, task.try_number + 1)
        return sum(
            count_resubmits(api.log_events(self._run.dag_id, self._run.run_id, task, number)) for number in numbers
        )


#: What is counted, in the order of the table's columns.
COUNTED = (
    *("billed", "archived", "archived by hand", "unknown", "failed at the service", "rejected", "lost", "destroyed"),
    *("paid twice", "resubmitted after Failed", "resubmitted by policy"),
)
_NAMES = {"failed": "failed at the service", "pending": "archived by hand"}


def count(outcomes: Sequence[VideoOutcome], archive: ArchivedFiles) -> Counter[str]:
    """Add up the outcomes: :data:`COUNTED`, and the ``polls`` of the videos that were ``polled``."""
    counts: Counter[str] = Counter(_NAMES.get(outcome.report.kind, outcome.report.kind) for outcome in outcomes)
    for outcome in outcomes:
        duplicates = outcome.duplicates()
        polled = [job["status_calls"] for job in outcome.jobs if job["status_calls"]]
        counts["resubmitted after Failed"] += len(outcome.jobs[1:]) - duplicates
        counts["resubmitted by policy"] += min(duplicates, outcome.resubmits)
        counts["paid twice"] += max(0, duplicates - outcome.resubmits)
        counts["billed"] += sum(job["billed"] for job in outcome.jobs)
        counts["lost"] += outcome.is_lost(archive)
        counts["destroyed"] += outcome.is_destroyed(archive)
        counts["polls"] += sum(polled)
        counts["polled"] += len(polled)
    return counts
