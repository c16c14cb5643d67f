"""One wait for one video, and when a poll of it is due. Pure: every time is handed in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_siliconflow.polling import intervals
from airflow_provider_siliconflow.polling.intervals import POLL_COST

if TYPE_CHECKING:
    from airflow_provider_siliconflow.polling.estimator import ModelEstimator, VideoTimeline


@dataclass(slots=True, eq=False)
class PollJob:
    """
    One wait for one video; times are seconds of the scheduler's one clock.

    :param request_id: The video's request id.
    :param estimator: What is known of its model.
    :param timeline: What is known of itself.
    :param not_before: The next poll comes no sooner.
    :param deadline: A poll comes then, whatever else.
    :param interval: A fixed number of seconds between polls, instead of the estimated ones.
    :param polls: How many there were.
    :param failures: How many of the last polls failed in a row.
    :param is_rejected: Whether the last was rejected for the key or the account.
    """

    request_id: str
    estimator: ModelEstimator
    timeline: VideoTimeline
    not_before: float
    deadline: float
    interval: float | None
    polls: int = 0
    failures: int = 0
    is_rejected: bool = False

    @property
    def _is_unpolled(self) -> bool:
        return self.timeline.last_polled <= self.timeline.since

    def due(self, threshold: float) -> float:
        """
        Return when to poll next.

        :param threshold: Seconds of delay that a poll must be worth.
        :return: The time.
        """
        last = self.timeline.last_polled
        if self.interval is not None:
            pause = 0.0 if self._is_unpolled else self.interval * threshold / POLL_COST
        else:
            distribution, origin = self.estimator.view(self.timeline)
            pause = intervals.next_poll(distribution, last - origin, threshold)
            # However scarce polls are, and whatever is believed of a queue, there is one half way to the deadline.
            pause = min(intervals.jitter(pause, self.request_id, self.polls), (self.deadline - last) / 2)
            pause = max(intervals.SHORTEST, pause)
        if max(last, self.not_before) >= self.deadline:
            # The caller who decides has another clock, and has not seen the deadline pass yet.
            return max(last + intervals.SHORTEST, self.not_before)
        return min(max(last + pause, self.not_before), self.deadline)

    def expected_gain(self, now: float) -> float:
        """
        Return what a poll is worth.

        :param now: When it would be made.
        :return: Seconds of delay.
        """
        if now < self.not_before:
            return 0.0
        last = self.timeline.last_polled
        if self.interval is not None:
            return POLL_COST * max((now - last) / self.interval, float(self._is_unpolled))
        distribution, origin = self.estimator.view(self.timeline)
        return intervals.expected_gain(distribution, last - origin, now - origin)
