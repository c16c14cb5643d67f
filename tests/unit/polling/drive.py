"""A scheduler driven through time."""

from __future__ import annotations

from dataclasses import dataclass, field

from airflow_provider_siliconflow.client.models import VideoState, VideoStatus
from airflow_provider_siliconflow.polling.decision import WaitRequest
from airflow_provider_siliconflow.polling.estimator import new_estimators
from airflow_provider_siliconflow.polling.job import PollJob
from airflow_provider_siliconflow.polling.rate_limit import RateLimit
from airflow_provider_siliconflow.polling.scheduler import PollScheduler

PENDING = VideoStatus("id", VideoState.IN_PROGRESS)


@dataclass
class Drive:
    """Walk an scheduler through time: every poll is answered at once, and tells that nothing is ready."""

    scheduler: PollScheduler
    now: float = 0.0
    polls: list[tuple[float, str]] = field(default_factory=list)

    def until(self, end: float) -> None:
        while (next_wakeup := self.scheduler.next_wakeup(self.now)) is not None and next_wakeup <= end:
            self.now = next_wakeup
            for _ in range(1000):
                wait = self.scheduler.pop_due(self.now)
                if not wait:
                    break
                self.polls.append((self.now, wait.request_id))
                self.scheduler.record_poll(wait, PENDING, sent=self.now, now=self.now)
                self.scheduler.requeue(wait)
        self.now = end


def scheduler(per_minute: float = 1e9) -> PollScheduler:
    return PollScheduler(RateLimit(per_minute, 30.0), new_estimators())


def add(scheduler: PollScheduler, request_id: str = "v", now: float = 0.0, waited: float = 0.0, left: float = 1e6,
        interval: float | None = None) -> PollJob:  # fmt: skip
    request = WaitRequest(request_id, waited=waited, first=10.0, left=left, interval=interval)
    return scheduler.add(request, now=now)
