"""
Benchmark 3: 10,000 waiting videos and 600 calls a minute at most, on a simulated clock, beside a round robin.

``python -m tests.benchmarks.rate_limit``. A video unseen ten minutes after it was ready has lost the URL that its first
response would have carried.
"""

from __future__ import annotations

import heapq
import random
from collections import deque
from collections.abc import Callable
from functools import partial
from statistics import fmean

from airflow_provider_siliconflow.triggers.base import MIN_DEFERRAL_SECONDS
from tests.benchmarks.polls import field
from tests.benchmarks.report import head, table
from tests.benchmarks.simulation import Run, Scenario, Video, figures

WAITING = 10_000
PER_MINUTE = 600.0
#: Seconds until a URL expires, by the less generous page.
URL_LIFETIME = 600.0


def at_once() -> Scenario:
    """All submitted at the same moment, to a service that makes all at the same time."""
    rng = random.Random(3)
    return Scenario([Video(0.0, 0.0, field(rng, 0.0)) for _ in range(WAITING)])


def slow() -> Scenario:
    """Submitted over 40 minutes; each takes 40 minutes, give or take 5."""
    rng = random.Random(4)
    times = sorted(rng.uniform(0, 2400) for _ in range(WAITING))
    return Scenario([Video(now, now, now + rng.gauss(2400, 300)) for now in times])


def two_kinds() -> Scenario:
    """Submitted over 20 minutes; half take 200 s, half 20 minutes, and nobody tells which."""
    rng = random.Random(8)
    times = sorted(rng.uniform(0, 1200) for _ in range(WAITING))
    return Scenario(
        [Video(now, now, now + (rng.gauss(200, 20) if rng.random() < 0.5 else rng.gauss(1200, 60))) for now in times]
    )


def in_queue(disorder: float) -> Scenario:
    """
    All submitted at once, 600 made at the same time, no positions told.

    :param disorder: Positions by which a video may fall back, by chance.
    """
    rng = random.Random(5)
    free, videos = [0.0] * 600, [Video(0.0, 0.0, 0.0) for _ in range(WAITING)]
    turns = [number + rng.uniform(0, disorder) for number in range(WAITING)]
    for number in sorted(range(WAITING), key=turns.__getitem__):
        begun = heapq.heappop(free)
        ready = begun + field(rng, 0.0)
        videos[number] = Video(0.0, begun, ready)
        heapq.heappush(free, ready)
    return Scenario(videos)


def round_robin(scenario: Scenario) -> Scenario:
    """Poll each video in turn, as fast as the rate allows."""
    coming = deque(sorted(scenario.videos, key=lambda video: video.submitted))
    waiting: deque[Video] = deque()
    now = 0.0
    while coming or waiting:
        while coming and coming[0].submitted + MIN_DEFERRAL_SECONDS <= now:
            waiting.append(coming.popleft())
        if not waiting:
            now = coming[0].submitted + MIN_DEFERRAL_SECONDS
            continue
        video = waiting.popleft()
        video.polls += 1
        now += 60 / PER_MINUTE
        if now >= video.ready:
            video.seen = now
        else:
            waiting.append(video)
    return scenario


def oracle(scenario: Scenario) -> Scenario:
    """Poll each video once, as soon as it is ready and the rate allows: nobody can do better."""
    now = 0.0
    for video in sorted(scenario.videos, key=lambda video: video.ready):
        now = max(now + 60 / PER_MINUTE, video.ready)
        video.polls, video.seen = 1, now
    return scenario


def main() -> None:
    """Run the benchmark."""
    head("Under a rate limit")
    print(f"{WAITING} videos, {PER_MINUTE:.0f} calls a minute; delays in seconds.\n")
    scenarios: dict[str, Callable[[], Scenario]] = {
        "at once": at_once,
        "slow": slow,
        "two kinds": two_kinds,
        "a queue": partial(in_queue, 0),
        "a queue, in some disorder": partial(in_queue, WAITING / 5),
        "a crowd without order": partial(in_queue, 1e9),
    }
    rules: dict[str, Callable[[Scenario], Scenario]] = {
        "ours": lambda scenario: Run(scenario, PER_MINUTE).finish(),
        "round robin": round_robin,
        "oracle": oracle,
    }
    rows: list[tuple[str, str, float, float, float, float, float, int]] = []
    for name, make in scenarios.items():
        for rule, poll in rules.items():
            videos = poll(make()).videos
            delays = [video.delay for video in videos]
            late = sum(delay > URL_LIFETIME for delay in delays)
            rows.append((name, rule, fmean(video.polls for video in videos), *figures(delays), late))
    table(("scenario", "rule", "polls", "mean delay", "p50", "p95", "most", "unseen for 600 s"), rows)


if __name__ == "__main__":
    main()
