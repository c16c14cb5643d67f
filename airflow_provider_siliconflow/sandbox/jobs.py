"""The states of a video: queued, in progress, ready or failed. Pure: the time is always given."""

from __future__ import annotations

import heapq
import random
import re
from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_siliconflow.client.models import VideoState

if TYPE_CHECKING:
    from airflow_provider_siliconflow.sandbox.settings import Settings

#: Seeds observed in responses are less than this.
MAX_SEED = 2**31

#: The field ``results`` of a job that is pending.
NO_RESULTS = {"videos": [], "timings": {"inference": 0}, "seed": 0}
_MARKER = re.compile(r"\[fail:\s*(.*?)\s*\]")


@dataclass(slots=True)
class Job:
    """
    An accepted video. Times are epoch seconds.

    :param number: How many jobs the sandbox accepted before this one.
    :param queue_index: How many jobs entered its queue before this one.
    :param reason: Why it will end ``Failed``; ``None`` if it will succeed.
    :param answered: Whether the caller got the id.
    """

    request_id: str
    account: str
    site: str
    number: int
    model: str
    prompt: str
    image_size: str
    image: str | None
    negative_prompt: str | None
    seed: int
    accepted_at: float
    queue_index: int = 0
    started_at: float = 0.0
    ready_at: float = 0.0
    reason: str | None = None
    billed: bool = False
    answered: bool = False
    finished: bool = False
    status_calls: int = 0
    shown_at: float | None = None
    downloads: int = 0
    sha256: str | None = None

    def word(self, now: float) -> VideoState:
        """
        Return the job's status.

        :param now: Epoch seconds.
        :return: The status at that time.
        """
        if now < self.started_at:
            return VideoState.IN_QUEUE
        if now < self.ready_at:
            return VideoState.IN_PROGRESS
        return VideoState.SUCCEED if self.reason is None else VideoState.FAILED

    def is_gone(self, now: float, keep_seconds: float) -> bool:
        """
        Tell whether the result is no longer kept.

        :param now: Epoch seconds.
        :param keep_seconds: How long results are kept once they are ready; 0 is for ever.
        :return: False while it is kept.
        """
        return 0 < keep_seconds < now - self.ready_at


class JobQueue:
    """
    The queue of one site and model: first in, first started.

    :param slots: Jobs in progress at the same time; 0 is no bound.
    """

    def __init__(self, slots: int) -> None:
        self._slots = slots
        self._busy_until: list[float] = []
        self._starts: list[float] = []

    def join(self, job: Job, queue: float, work: float) -> None:
        """
        Give a job its queue position and its times.

        :param job: The job.
        :param queue: Seconds in the queue, unless earlier jobs hold it up for longer.
        :param work: Seconds in progress.
        """
        total = queue + work
        start = max(job.accepted_at + queue, self._starts[-1] if self._starts else 0.0)
        if self._slots and len(self._busy_until) >= self._slots:
            start = max(start, self._busy_until[0])
        # Without slots the whole time is what was drawn, however the queue moved.
        ready = start + work if self._slots else max(start, job.accepted_at + total)
        self.restore(job, start, ready)

    def restore(self, job: Job, start: float, ready: float) -> None:
        """
        Give a job the times that it had before a restart.

        :param job: The job.
        :param start: Epoch seconds.
        :param ready: Epoch seconds.
        """
        job.started_at, job.ready_at, job.queue_index = start, ready, len(self._starts)
        self._starts.append(start)
        if self._slots:
            if len(self._busy_until) >= self._slots:
                heapq.heappop(self._busy_until)
            heapq.heappush(self._busy_until, ready)

    def position(self, job: Job, now: float) -> int:
        """
        Return a job's queue position.

        :param job: The job.
        :param now: Epoch seconds.
        :return: 1 is next, 0 is no longer queued.
        """
        return max(0, job.queue_index - bisect_right(self._starts, now) + 1)


class OutcomeSampler:
    """
    The outcomes of jobs, drawn from the seed: how long each takes and whether it fails.

    :param settings: The switches.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def draw(self, number: int, prompt: str) -> tuple[float, float, int, str | None]:
        """
        Draw a job's outcome; the same for the same seed and number.

        :param number: How many jobs came before it.
        :param prompt: ``[fail: why]`` in it makes it fail.
        :return: Seconds in the queue, seconds in progress, a seed for the video, the reason of its failure if any.
        """
        chance, switches = random.Random(f"{self._settings.seed} {number}"), self._settings
        if chance.random() < 0.5:
            total = chance.triangular(switches.min, switches.median, switches.median)
        else:
            total = chance.triangular(switches.median, switches.max, switches.median)
        queue = chance.uniform(0.2, 0.8) * switches.min
        seed, fails = chance.randrange(MAX_SEED), chance.random() < switches.fail_chance
        marked = _MARKER.search(prompt)
        reason = marked[1] if marked else switches.fail_reason if fails else None
        return queue / switches.speed, (total - queue) / switches.speed, seed, reason


def results(job: Job, url: str) -> dict[str, Any]:
    """
    Return the field ``results`` of a job that succeeded.

    :param job: The job.
    :param url: The signed URL of its video.
    :return: JSON as ``videos/get_videos_status`` documents it.
    """
    inference = round(job.ready_at - job.started_at, 3)
    return {"videos": [{"url": url}], "timings": {"inference": inference}, "seed": job.seed}
