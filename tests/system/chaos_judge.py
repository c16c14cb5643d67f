"""The laws of a night of chance: what each task says of its video, beside the sandbox's ledger and the archive."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import requests

from tests.system.chaos_plan import Night, Video
from tests.system.judge import Run, is_archived
from tests.system.rest import TaskInstance

#: What a user knows of a video in the end. ``told``: it is paid for and has this id, but was not archived.
Ending = Literal["archived", "nothing", "unknown", "failed", "told", "silent"]

#: What an error says of the money, by its words. The first that is found counts.
_WORDS: list[tuple[Ending, str]] = [
    ("unknown", r"A video may be running and billed all the same|the request was not submitted by this try"),
    ("failed", r"could not make video (\w+)|says that the video (\w+) failed"),
    ("told", r"[Vv]ideo (\w{12})\b"),
    ("nothing", r"Nothing was submitted"),
]
#: What a task logs when the user's own policy makes it pay again.
_PAYS_AGAIN = re.compile(r"on_unknown_submit='resubmit' says to submit anew")
#: What an error says if the try that sent the submit has lived on.
_SENT = "was sent, and whether it was accepted is not known"
_OF_A_ROW: dict[str, Ending] = {
    **{"archived": "archived", "rejected": "nothing", "unknown": "unknown"},
    **{"failed": "failed", "timed_out": "told", "not_archived": "told"},
}


@dataclass(frozen=True)
class Claim:
    """
    What a task says of a video in the end.

    :param ending: In one word.
    :param request_id: The video's id, where it is told.
    :param text: The very words, of an error.
    """

    ending: Ending
    request_id: str | None = None
    text: str = ""


def read_error(text: str) -> Claim:
    """Find out what an error says of the money."""
    for ending, words in _WORDS:
        if found := re.search(words, text):
            request_id = next((group for group in found.groups() if group), None)
            return Claim(ending, request_id, text)
    return Claim("silent", None, text)


def read_row(row: dict[str, Any]) -> Claim:
    """Find out what a row of a batch's manifest says."""
    ending = _OF_A_ROW[row["state"]]
    if ending == "failed" and read_error(row["reason"]).ending != "failed":
        ending = "told"
    return Claim(ending, row["request_id"], row["reason"])


@dataclass(frozen=True)
class Fate:
    """
    What became of an intended video.

    :param claim: What its task says.
    :param jobs: The ledger's jobs for it.
    :param again: How often the user's policy made a task pay again.
    """

    video: Video
    claim: Claim
    jobs: Sequence[dict[str, Any]]
    again: int

    @property
    def kept(self) -> list[dict[str, Any]]:
        """The jobs that did not end ``Failed``."""
        return [job for job in self.jobs if job["outcome"] != "Failed"]

    def broken_laws(self, archive: Path, struck: bool) -> list[str]:
        """
        Return the laws that are broken, once everything is archived that can be.

        :param struck: Whether anything was killed that night.
        """
        laws = {
            "paid twice": self.needless() > self.again,
            f"said {self.claim.ending}, which is not so": not self._is_true(archive, struck),
            "lost": self.is_lost(archive),
        }
        return [law for law, is_broken in laws.items() if is_broken]

    def is_lost(self, archive: Path) -> bool:
        """Tell whether a video was made that nobody has, although its id was known."""
        missing = [job for job in self.kept if not is_archived(archive, job)]
        return self.claim.ending != "unknown" and len(missing) > self.again

    def needless(self) -> int:
        """Return how often a video was paid for while the one before had not failed, or was not known to have."""
        pairs = zip(self.jobs, self.jobs[1:], strict=False)
        return len([new for old, new in pairs if not _is_closed(old, new["accepted_at"])])

    def _is_true(self, archive: Path, struck: bool) -> bool:
        mine = next((job for job in self.jobs if job["request_id"] == self.claim.request_id), None)
        match self.claim.ending:
            case "archived":
                return any(is_archived(archive, job) for job in ([mine] if mine else self.kept))
            case "nothing":
                return len(self.kept) <= self.again
            case "unknown":
                return self._is_doubtful(struck)
            case "failed":
                return mine is not None and mine["outcome"] == "Failed"
            case "told":
                return mine is not None and mine["outcome"] == "Succeed"
        return False

    def _is_doubtful(self, struck: bool) -> bool:
        """Tell whether nobody could know: no answer was given, or whoever got it is dead."""
        known = [job for job in self.kept if job["answered"]]
        return not known or (struck and _SENT not in self.claim.text)


def _is_closed(job: dict[str, Any], now: float) -> bool:
    """Tell whether a job had failed by then, and its caller could know."""
    return bool(job["outcome"] == "Failed" and job["answered"] and job["ready_at"] <= now)


class Court:
    """
    Judges a night.

    :param run: Its run, which has ended.
    """

    def __init__(self, run: Run, night: Night) -> None:
        self._run = run
        self._tasks = run.tasks()
        self._manifests: dict[str, Any] = {}
        #: What the tasks say of each video.
        self.claims = [(video, self._claim(video)) for video in night.videos]

    def fates(self, jobs: Sequence[dict[str, Any]]) -> list[Fate]:
        """
        Return what became of each video.

        :param jobs: The ledger's jobs, in the order of the submits.
        """
        return [
            Fate(
                video,
                claim,
                [job for job in jobs if job["prompt"] == video.prompt],
                self._times_paid_again(video),
            )
            for video, claim in self.claims
        ]

    def _claim(self, video: Video) -> Claim:
        if video.way == "batch":
            return self._claim_of_a_row(video)
        steps = [self._tasks[name] for name in video.chain if name in self._tasks]
        if steps and steps[-1].name == video.chain[-1] and steps[-1].state == "success":
            return Claim("archived")
        failed = next((task for task in steps if task.state == "failed"), None)
        return read_error(self._last_error(failed)) if failed else Claim("silent", None, "no task of it failed")

    def _claim_of_a_row(self, video: Video) -> Claim:
        task = self._tasks[video.chain[0]]
        if task.name not in self._manifests:
            self._manifests[task.name] = self._manifest(task)
        manifest = self._manifests[task.name]
        if isinstance(manifest, str):
            return read_error(manifest)
        return read_row(manifest["videos"][video.row])

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

    def _times_paid_again(self, video: Video) -> int:
        if video.policy != "resubmit" or video.chain[0] not in self._tasks:
            return 0
        task = self._tasks[video.chain[0]]
        logs = [
            self._run.stack.api.task_log(self._run.dag_id, self._run.run_id, task, number)
            for number in range(1, task.try_number + 1)
        ]
        return sum(len(_PAYS_AGAIN.findall(log)) for log in logs)


#: What is added up, in the order in which it is told.
COUNTED = (
    *("billed", "archived", "archived by hand", "unknown", "failed at the service", "refused", "lost", "paid twice"),
    *("made anew after Failed", "paid again by policy"),
)
_NAMES = {"nothing": "refused", "failed": "failed at the service", "told": "archived by hand"}


def count(fates: Sequence[Fate], archive: Path) -> Counter[str]:
    """Add up the fates of a night: :data:`COUNTED`, and the ``looks`` at so many videos as were ``looked at``."""
    counts: Counter[str] = Counter(_NAMES.get(fate.claim.ending, fate.claim.ending) for fate in fates)
    for fate in fates:
        needless = fate.needless()
        looked_at = [job["status_calls"] for job in fate.jobs if job["status_calls"]]
        counts["made anew after Failed"] += len(fate.jobs[1:]) - needless
        counts["paid again by policy"] += min(needless, fate.again)
        counts["paid twice"] += max(0, needless - fate.again)
        counts["billed"] += sum(job["billed"] for job in fate.jobs)
        counts["lost"] += fate.is_lost(archive)
        counts["looks"] += sum(looked_at)
        counts["looked at"] += len(looked_at)
    return counts
