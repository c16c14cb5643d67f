"""What past videos took, and what the looks at one video told: from these, how far along it should be. Pure."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from airflow_provider_siliconflow.client.models import VideoState, VideoStatus
from airflow_provider_siliconflow.polling.intervals import DEFAULT_DISTRIBUTION, CompletionDistribution
from airflow_provider_siliconflow.polling.line import Line, Order

#: Videos remembered of each model; few, so that what the service does tonight outweighs what it did today.
WINDOW = 64
#: As many videos the prior counts for, so that a surprise is never thought impossible.
DEFAULT_WEIGHT = 3.0
#: Steps that the line moved, remembered of each model.
STEPS = 64
#: A place in line takes between these multiples of what it took of late.
LINE_LEAST, LINE_MOST = 0.7, 1.4
#: Models remembered of each connection.
MODELS = 32
#: From so many videos on, the time since the work began tells more than the time since the submit.
ENOUGH = 4


class DurationSamples:
    """Remember when the last videos got ready, each between two ages (seconds)."""

    def __init__(self) -> None:
        self._spans: deque[tuple[float, float, float]] = deque(maxlen=WINDOW)
        self._made: dict[float, CompletionDistribution] = {}

    def __len__(self) -> int:
        return len(self._spans)

    def add(self, low: float, high: float) -> None:
        """Remember a video that got ready between two ages."""
        self._spans.append((max(0.0, low), max(0.0, low, high), 1.0))
        self._made.clear()

    def distribution(self, spread: float = 0.0) -> CompletionDistribution:
        """
        Return how the times are spread.

        :param spread: Seconds by which age 0 itself is uncertain: it may lie so much later.
        """
        step = 0.0
        if spread > 0:
            # In powers of two, so that few are ever made.
            step = 4.0
            while step < spread:
                step *= 2
        if step not in self._made:
            prior = ((low, high, share * DEFAULT_WEIGHT) for low, high, share in DEFAULT_DISTRIBUTION)
            self._made[step] = CompletionDistribution(
                (low, high + step, weight) for low, high, weight in (*self._spans, *prior)
            )
        return self._made[step]


@dataclass(slots=True)
class VideoTimeline:
    """
    Hold what is known of one video; times are seconds of any one clock.

    :param since: When it was submitted, or else when the wait for it began.
    :param looked: When it was last known not to be ready.
    :param in_line: When it was last seen in line.
    :param place: Its place then, where told.
    :param begun: Between which times the work on it began, if it was seen in line before.
    :param number: Tells it from others of the same time.
    """

    since: float
    last_polled: float
    in_line: float | None = None
    place: int | None = None
    begun: tuple[float, float] | None = None
    number: int = 0

    @property
    def order(self) -> Order:
        """Its place in the order of all submits."""
        return self.since, self.number


class ModelEstimator:
    """Know one model: how long its videos take from submit and from the start of the work, and how its line moves."""

    def __init__(self) -> None:
        self.total = DurationSamples()
        self.work = DurationSamples()
        self.line = Line()
        self._steps: deque[tuple[float, int]] = deque(maxlen=STEPS)

    def seconds_a_place(self) -> float | None:
        """Return how long a place in line takes, or None before the line was seen to move."""
        places = sum(places for _, places in self._steps)
        return sum(seconds for seconds, _ in self._steps) / places if places else None

    def record_poll(self, video: VideoTimeline, status: VideoStatus, now: float) -> None:
        """
        Learn from a look.

        :param video: What was known of the video; brought up to date.
        :param status: What the look showed.
        :param now: When.
        """
        if status.status is VideoState.IN_QUEUE and status.position is None:
            self.line.queued(video.order, now)
        elif status.status in (VideoState.SUCCEED, VideoState.IN_PROGRESS):
            self.line.begun(video.order, now)
        if status.status is VideoState.SUCCEED:
            self._ready(video, status.inference_seconds, now)
            return
        if status.status is VideoState.IN_QUEUE:
            self._in_line(video, status.position, now)
        elif status.status is VideoState.IN_PROGRESS and video.in_line is not None and video.begun is None:
            video.begun = (video.in_line, now)
            if video.place:
                self._steps.append(((now - video.in_line) / 2, video.place))
        video.last_polled = now

    def _in_line(self, video: VideoTimeline, place: int | None, now: float) -> None:
        if place is not None and video.place is not None and video.in_line is not None and place <= video.place:
            self._steps.append((now - video.in_line, video.place - place))
        video.in_line, video.place, video.begun = now, place, None

    def _ready(self, video: VideoTimeline, inference: float | None, now: float) -> None:
        low, high = video.last_polled, now
        # A video that was never seen in line may have been in it, between two looks.
        first, last = video.begun or (video.in_line if video.in_line is not None else video.since, low)
        work = (low - last, high - first)
        # The unit of the figure is inferred, not documented: it is believed if it agrees with what was seen.
        if inference is not None and max(0.0, work[0]) <= inference <= work[1]:
            work = (inference, inference)
            if video.begun:
                low, high = max(low, first + inference), min(high, last + inference)
        if video.begun or work[0] == work[1]:
            self.work.add(*work)
        self.total.add(low - video.since, high - video.since)

    def view(self, video: VideoTimeline) -> tuple[CompletionDistribution, float]:
        """
        Return how long such a video takes, and the time from which its age counts.

        :param video: What is known of it.
        """
        if len(self.work) >= min(ENOUGH, len(self.total)):
            if video.begun:
                first, last = video.begun
                return self.work.distribution(last - first), first
            pace = self.seconds_a_place()
            if video.place is not None and video.in_line is not None and pace is not None:
                line = video.place * pace
                return self.work.distribution((LINE_MOST - LINE_LEAST) * line), video.in_line + LINE_LEAST * line
            if video.place is None and (rest := self._rest(video)):
                moved, line = rest
                begins = max(moved + LINE_LEAST * line, video.in_line or video.since)
                return self.work.distribution((LINE_MOST - LINE_LEAST) * line), begins
            if video.place is None and (passed := self.line.passed(video.order)):
                first = max(passed[0], video.in_line or video.since)
                return self.work.distribution(max(0.0, passed[1] - first)), first
        return self.total.distribution(), video.since

    def _rest(self, video: VideoTimeline) -> tuple[float, float] | None:
        return self.line.rest(video.order, was_seen=video.in_line is not None)

    def seconds_left(self, video: VideoTimeline, now: float) -> float:
        """Return after how many seconds the video is as likely ready as not."""
        known, origin = self.view(video)
        ready = known.share(now - origin)
        return max(0.0, known.age_of(ready + (1.0 - ready) / 2) + origin - now) if ready < 1.0 else 0.0


class Estimators:
    """Know the models of one connection; bounded, and worth keeping while nobody waits."""

    def __init__(self) -> None:
        self._models: dict[str | None, ModelEstimator] = {}

    def of(self, model: str | None) -> ModelEstimator:
        """
        Return what is known of a model.

        :param model: Its id, or None for videos of which it is not known.
        """
        known = self._models.pop(model, None) or ModelEstimator()
        self._models[model] = known
        if len(self._models) > MODELS:
            del self._models[next(iter(self._models))]
        return known
