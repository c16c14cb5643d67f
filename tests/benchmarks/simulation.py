"""A service and the videos of a scenario on a fake clock, polled by the provider's own scheduler."""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from statistics import fmean, quantiles

from airflow_provider_siliconflow.client.models import VideoState, VideoStatus
from airflow_provider_siliconflow.polling.decision import WaitRequest
from airflow_provider_siliconflow.polling.estimator import new_estimators
from airflow_provider_siliconflow.polling.job import PollJob
from airflow_provider_siliconflow.polling.rate_limit import RateLimit
from airflow_provider_siliconflow.polling.scheduler import PollScheduler
from airflow_provider_siliconflow.triggers.base import MIN_DEFERRAL_SECONDS

#: Seconds a status call takes.
LATENCY = 0.1
#: Calls a minute that nobody ever reaches.
BOUNDLESS = 1e9


@dataclass
class Video:
    """
    Hold what becomes of one video.

    :param submitted: Seconds on the fake clock; so all that follow.
    :param begun: When it leaves the queue.
    :param ready: When it is ready.
    :param tells_position: Whether the service tells its position in the queue.
    """

    submitted: float
    begun: float
    ready: float
    tells_position: bool = False
    polls: int = 0
    seen: float = math.nan

    @property
    def delay(self) -> float:
        """Return the seconds from ready to seen."""
        return self.seen - self.ready


@dataclass
class Scenario:
    """Hold all videos of one run, in order of their submits."""

    videos: list[Video]
    ahead: list[float] = field(init=False)

    def __post_init__(self) -> None:
        self.ahead = sorted(video.begun for video in self.videos)

    def poll(self, video: Video, now: float) -> VideoStatus:
        """Return what the service would tell."""
        if now >= video.ready:
            return VideoStatus("id", VideoState.SUCCEED, inference_seconds=round(video.ready - video.begun, 3))
        if now >= video.begun:
            return VideoStatus("id", VideoState.IN_PROGRESS)
        position = sum(now < begun <= video.begun for begun in self.ahead) if video.tells_position else None
        return VideoStatus("id", VideoState.IN_QUEUE, position=position)


def spaced(count: int, mean: float, rng: random.Random) -> Iterator[float]:
    """Yield submit times, at random and this many seconds apart on average."""
    now = 0.0
    for _ in range(count):
        now += rng.expovariate(1 / mean)
        yield now


def steady_flow(count: int, mean: float, seed: int, draw: Callable[[random.Random, float], float]) -> Scenario:
    """
    Make videos that take what ``draw`` says, none of them in a queue.

    :param draw: Seconds from submit to ready, by chance and the time of the submit.
    """
    rng = random.Random(seed)
    times = spaced(count, mean, rng)
    return Scenario([Video(now, now, now + max(20.0, draw(rng, now))) for now in times])


def queue(bursts: int, size: int, every: float, slots: int, seed: int, *, tells_position: bool) -> Scenario:
    """
    Make bursts of videos that stand in one queue for a few slots; each takes about 150 s of work.

    :param tells_position: Whether the service tells the position in the queue.
    """
    rng = random.Random(seed)
    free = [0.0] * slots
    videos = []
    for number in range(bursts * size):
        submitted = number // size * every + number % size
        begun = max(submitted, heapq.heappop(free))
        ready = begun + rng.gauss(150, 8)
        heapq.heappush(free, ready)
        videos.append(Video(submitted, begun, ready, tells_position))
    return Scenario(videos)


class Run:
    """
    Let the provider's own scheduler wait for all videos of a scenario; each gets its polls and the time it was seen.

    :param scenario: The videos.
    :param per_minute: Calls per minute at most.
    """

    def __init__(self, scenario: Scenario, per_minute: float = BOUNDLESS) -> None:
        self.scenario = scenario
        self.scheduler = PollScheduler(RateLimit(per_minute, 30.0), new_estimators())
        self.waits: dict[PollJob, Video] = {}
        self._answers: list[tuple[float, int, PollJob]] = []
        self._todo = list(enumerate(scenario.videos))[::-1]
        self._numbers = count()

    def finish(self) -> Scenario:
        """Run until every video was seen ready."""
        now = 0.0
        while self._todo or self.waits:
            self._read_answers(now)
            self._submit(now)
            while wait := self.scheduler.pop_due(now):
                self.waits[wait].polls += 1
                heapq.heappush(self._answers, (now + LATENCY, next(self._numbers), wait))
            next_due = self.scheduler.next_wakeup(now)
            soon = [self._todo[-1][1].submitted] if self._todo else []
            soon += [self._answers[0][0]] if self._answers else []
            soon += [next_due] if next_due is not None else []
            now = max(now + 1e-6, min(soon, default=now))
        return self.scenario

    def _submit(self, now: float) -> None:
        while self._todo and self._todo[-1][1].submitted <= now:
            number, video = self._todo.pop()
            request = WaitRequest(f"video{number}", waited=0.0, first=MIN_DEFERRAL_SECONDS, left=1e9)
            wait = self.scheduler.add(request, now=now)
            self.waits[wait] = video

    def _read_answers(self, now: float) -> None:
        while self._answers and self._answers[0][0] <= now:
            _, _, wait = heapq.heappop(self._answers)
            status = self.scenario.poll(self.waits[wait], now - LATENCY / 2)
            self.scheduler.record_poll(wait, status, sent=now - LATENCY, now=now)
            if status.status is VideoState.SUCCEED:
                self.waits.pop(wait).seen = now
                self.scheduler.discard(wait)
            else:
                self.scheduler.requeue(wait)


def figures(values: list[float]) -> tuple[float, float, float, float]:
    """Return mean, median, 95th percentile and most."""
    cuts = quantiles(values, n=100, method="inclusive")
    return fmean(values), cuts[49], cuts[94], max(values)
