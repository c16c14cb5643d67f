"""What past videos took, and what the polls of one video told: from these, how far along it should be. Pure."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, TypeAlias

from airflow_provider_siliconflow.client.models import VideoState
from airflow_provider_siliconflow.polling.intervals import DEFAULT_DISTRIBUTION, CompletionDistribution

if TYPE_CHECKING:
    from airflow_provider_siliconflow.client.models import VideoStatus

#: Videos remembered of each model; few, so that what the service does tonight outweighs what it did today.
WINDOW = 64
#: As many videos the default distribution counts for, so that a surprise is never thought impossible.
DEFAULT_WEIGHT = 3.0
#: Moves of the queue remembered of each model.
STEPS = 64
#: A position in the queue takes between these multiples of what it took of late.
MIN_STEP, MAX_STEP = 0.7, 1.4
#: Models remembered of each connection.
MODELS = 32
#: From so many videos on, the time since the work started tells more than the time since the submit.
ENOUGH = 4


class DurationSamples:
    """When the last videos got ready, each between two ages (seconds)."""

    def __init__(self) -> None:
        self._spans: deque[tuple[float, float, float]] = deque(maxlen=WINDOW)
        self._cache: dict[float, CompletionDistribution] = {}

    def __len__(self) -> int:
        return len(self._spans)

    def add(self, low: float, high: float) -> None:
        """
        Remember a video.

        :param low: An age at which it was not ready.
        :param high: An age at which it was.
        """
        self._spans.append((max(0.0, low), max(0.0, low, high), 1.0))
        self._cache.clear()

    def distribution(self, spread: float = 0.0) -> CompletionDistribution:
        """
        Return how the times are spread.

        :param spread: Seconds by which age 0 itself is uncertain: it may lie so much later.
        :return: The distribution, cached.
        """
        # In powers of two, so that few are ever made.
        step = 2.0 ** max(2, math.ceil(math.log2(spread))) if spread > 0 else 0.0
        if step not in self._cache:
            default = ((low, high, share * DEFAULT_WEIGHT) for low, high, share in DEFAULT_DISTRIBUTION)
            spans = (*self._spans, *default)
            self._cache[step] = CompletionDistribution((low, high + step, weight) for low, high, weight in spans)
        return self._cache[step]


@dataclass(slots=True)
class VideoTimeline:
    """
    What is known of one video; times are seconds of any one clock.

    :param since: When it was submitted, or else when the wait for it began.
    :param last_polled: When it was last known not to be ready.
    :param queued_at: When it was last seen in the queue.
    :param position: Its position then, where told.
    :param started: Between which times the work on it started, if it was seen in the queue before.
    """

    since: float
    last_polled: float
    queued_at: float | None = None
    position: int | None = None
    started: tuple[float, float] | None = None


class ModelEstimator:
    """One model: how long its videos take from submit and from the start of the work, and how its queue moves."""

    def __init__(self) -> None:
        self.total = DurationSamples()
        self.work = DurationSamples()
        # Seconds, and the positions that went by in them.
        self._steps: deque[tuple[float, int]] = deque(maxlen=STEPS)

    @property
    def seconds_per_position(self) -> float | None:
        """Return how long a position in the queue takes, or None before the queue was seen to move."""
        positions = sum(positions for _, positions in self._steps)
        return sum(seconds for seconds, _ in self._steps) / positions if positions else None

    def record_poll(self, video: VideoTimeline, status: VideoStatus, now: float) -> None:
        """
        Learn from a poll.

        :param video: What was known of the video; brought up to date.
        :param status: What the poll returned.
        :param now: When.
        """
        if status.status is VideoState.SUCCEED:
            self._record_ready(video, status.inference_seconds, now)
            return
        if status.status is VideoState.IN_QUEUE:
            self._record_queued(video, status.position, now)
        elif status.status is VideoState.IN_PROGRESS and video.queued_at is not None and video.started is None:
            video.started = (video.queued_at, now)
            if video.position:
                self._steps.append(((now - video.queued_at) / 2, video.position))
        video.last_polled = now

    def _record_queued(self, video: VideoTimeline, position: int | None, now: float) -> None:
        before, queued_at = video.position, video.queued_at
        if position is not None and before is not None and queued_at is not None and position <= before:
            self._steps.append((now - queued_at, before - position))
        video.queued_at, video.position, video.started = now, position, None

    def _record_ready(self, video: VideoTimeline, inference: float | None, now: float) -> None:
        low, high = video.last_polled, now
        # A video that was never seen in the queue may have been in it, between two polls.
        first, last = video.started or (video.queued_at if video.queued_at is not None else video.since, low)
        work = (low - last, high - first)
        # The unit of the figure is inferred, not documented: it is believed if it agrees with what was seen.
        if inference is not None and max(0.0, work[0]) <= inference <= work[1]:
            work = (inference, inference)
            if video.started:
                low, high = max(low, first + inference), min(high, last + inference)
        if video.started or work[0] == work[1]:
            self.work.add(*work)
        self.total.add(low - video.since, high - video.since)

    def view(self, video: VideoTimeline) -> tuple[CompletionDistribution, float]:
        """
        Return how long such a video takes.

        :param video: What is known of it.
        :return: How the times are spread, and from when on the video's age counts.
        """
        if len(self.work) >= min(ENOUGH, len(self.total)):
            if video.started:
                first, last = video.started
                return self.work.distribution(last - first), first
            pace = self.seconds_per_position
            if video.position is not None and video.queued_at is not None and pace is not None:
                queue = video.position * pace
                return self.work.distribution((MAX_STEP - MIN_STEP) * queue), video.queued_at + MIN_STEP * queue
        return self.total.distribution(), video.since

    def seconds_left(self, video: VideoTimeline, now: float) -> float:
        """
        Return after how long the video is as likely ready as not.

        :param video: What is known of it.
        :param now: The time.
        :return: Seconds.
        """
        distribution, origin = self.view(video)
        ready = distribution.share(now - origin)
        if ready >= 1.0:
            return 0.0
        return max(0.0, distribution.age_of(ready + (1.0 - ready) / 2) + origin - now)


#: The models of one connection, by their id, or None for videos of which it is not known; worth keeping while nobody
#: waits.
Estimators: TypeAlias = Callable[[str | None], ModelEstimator]


def new_estimators() -> Estimators:
    """
    Return the models of a connection of which nothing is known.

    :return: In bounded number; those used last stay.
    """
    return lru_cache(maxsize=MODELS)(lambda _: ModelEstimator())
