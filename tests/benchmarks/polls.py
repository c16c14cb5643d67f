"""
Benchmark 2: polls for each video against delay, simulated on a fake clock.

``python -m tests.benchmarks.polls [--plot FILE]``. The provider's own scheduler starts without any experience in each
scenario. A fixed interval's delay is exact. "Floor" is the least part of the best fixed interval's delay that any rule
can reach with as many polls, if videos are alike and nothing but their age is known: (∫√(f·S))² / mean, with f the
density and S the share still to come. A memoryless service has floor 1: no rule beats a fixed interval there.
"""

from __future__ import annotations

import argparse
import math
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from statistics import fmean
from typing import Any

from airflow_provider_siliconflow.polling import intervals
from tests.benchmarks.report import head, table
from tests.benchmarks.simulation import Run, Scenario, Video, figures, queue, steady_flow

VIDEOS = 1000
#: Seconds between polls, as peers have them by default.
PEERS = (0.5, 1, 3, 5, 6, 10, 15, 30, 60)


def steady(rng: random.Random, now: float) -> float:
    """Five minutes, give or take 15 s."""
    return rng.gauss(300, 15)


def long_tailed(rng: random.Random, now: float) -> float:
    """A minute at least, and far more for some."""
    return 60 + 100 * rng.lognormvariate(0, 1)


def bimodal(rng: random.Random, now: float) -> float:
    """Two minutes or seven."""
    return rng.gauss(120, 8) if rng.random() < 0.5 else rng.gauss(420, 12)


def field(rng: random.Random, now: float) -> float:
    """Draw as the field reports: 60 s at least, 240 s in the middle, 540 s at most; shapeless in between."""
    low, high = (60, 240) if rng.random() < 0.5 else (240, 540)
    return math.exp(rng.uniform(math.log(low), math.log(high)))


def drifting(rng: random.Random, now: float) -> float:
    """Three minutes by day, eight in the small hours."""
    return rng.gauss(330 - 150 * math.cos(2 * math.pi * now / (VIDEOS * 30)), 15)


def waves() -> Scenario:
    """Make videos of five minutes; of each hundred, the first waits for two minutes in a queue, each next 4 s less."""
    rng = random.Random(7)
    submits = [(number % 100, number * 10.0) for number in range(VIDEOS)]
    begun = [now + 120 - 4 * position if position < 30 else now for position, now in submits]
    return Scenario([Video(now, at, at + rng.gauss(300, 5)) for (_, now), at in zip(submits, begun, strict=True)])


@dataclass
class Row:
    """Hold what one scenario showed."""

    name: str
    scenario: Scenario
    floor: float | None
    polls: float
    mean: float
    p95: float
    fixed: float
    fixed_mean: float


def fixed(times: list[float], interval: float) -> tuple[float, float, float]:
    """Return polls for each video, and mean and 95th percentile of the delay, of a fixed interval."""
    polls = [math.ceil(time / interval) for time in times]
    delays = [count * interval - time for count, time in zip(polls, times, strict=True)]
    mean, _, p95, _ = figures(delays)
    return fmean(polls), mean, p95


def best_fixed(times: list[float], polls: float) -> float:
    """Return the fixed interval with the least mean delay among those that take no more polls."""
    low, high = 0.1, 10_000.0
    for _ in range(60):
        middle = math.sqrt(low * high)
        low, high = (middle, high) if fixed(times, middle)[0] > polls else (low, middle)
    # A longer one may do better by luck, where all videos take the same time.
    return min((high * (1 + step / 100) for step in range(101)), key=lambda interval: fixed(times, interval)[1])


def floor(draw: Callable[[random.Random, float], float]) -> float:
    """Return the least delay of any rule over that of the best fixed interval (see the module's docstring)."""
    rng = random.Random(9)
    count, width = 300_000, 2.0
    times = [draw(rng, 0.0) for _ in range(count)]
    bins = Counter(int(time // width) for time in times)
    total, left = 0.0, count
    for at in sorted(bins):
        total += math.sqrt(bins[at] / count / width * (left - bins[at] / 2) / count) * width
        left -= bins[at]
    return total**2 / fmean(times)


def measure() -> list[Row]:
    """Run all scenarios."""
    scenarios = {
        "steady, 300 ± 15 s": (steady_flow(VIDEOS, 30, 1, steady), floor(steady)),
        "long-tailed": (steady_flow(VIDEOS, 30, 2, long_tailed), floor(long_tailed)),
        "bimodal, 120 or 420 s": (steady_flow(VIDEOS, 30, 3, bimodal), floor(bimodal)),
        "drifting, 180 to 480 s": (steady_flow(VIDEOS, 30, 4, drifting), None),
        "queue, positions told": (queue(20, 50, 1500, 5, 6, tells_position=True), None),
        "queue, positions not told": (queue(20, 50, 1500, 5, 6, tells_position=False), None),
        "waves of a short queue": (waves(), None),
        "as the field reports": (steady_flow(VIDEOS, 30, 5, field), floor(field)),
    }
    rows = []
    for name, (videos, least) in scenarios.items():
        Run(videos).finish()
        times = [video.ready - video.submitted for video in videos.videos]
        polls = fmean(video.polls for video in videos.videos)
        mean, _, p95, _ = figures([video.delay for video in videos.videos])
        interval = best_fixed(times, polls)
        rows.append(Row(name, videos, least, polls, mean, p95, interval, fixed(times, interval)[1]))
    return rows


def plot(rows: list[Row], to: Path) -> None:
    """Draw delay over polls, ours as one point in each image and all fixed intervals as a line."""
    pyplot: Any = import_module("matplotlib.pyplot")
    figure, axes = pyplot.subplots(2, 4, figsize=(12, 5.6), sharey=True, constrained_layout=True)
    for axis, row in zip(axes.flat, rows, strict=True):
        times = [video.ready - video.submitted for video in row.scenario.videos]
        points = [fixed(times, interval)[:2] for interval in (3, 5, 6, 10, 15, 30, 60, 120)]
        axis.plot(*zip(*points, strict=True), "o-", color="#999999", label="fixed interval", markersize=4)
        axis.plot([row.polls], [row.mean], "*", color="#6b4eff", markersize=15, label="learned")
        axis.set(title=row.name, xscale="log", yscale="log", xlim=(1.5, 150), ylim=(1, 70))
        axis.grid(alpha=0.3)
    axes[0][0].legend()
    figure.supxlabel("polls for each video")
    figure.supylabel("mean delay, seconds")
    figure.savefig(to, dpi=90)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plot", type=Path, help="draw the figures into this file (needs matplotlib)")
    to = parser.parse_args().plot
    head("Polls and delay")
    print(f"{VIDEOS} videos a scenario; a poll is worth {intervals.POLL_COST} s of delay; delays in seconds.\n")
    rows = measure()
    table(
        ("scenario", "mean time", "polls", "mean delay", "p95", "best fixed", "its mean delay", "ratio", "floor"),
        [
            (
                row.name,
                fmean(video.ready - video.submitted for video in row.scenario.videos),
                row.polls, row.mean, row.p95, f"{row.fixed:.0f} s", row.fixed_mean, row.mean / row.fixed_mean,
                row.floor if row.floor is not None else "",
            )
            for row in rows
        ],
    )  # fmt: skip
    print("\nPolls / mean delay / p95 of the fixed intervals that peers have:\n")
    table(
        ("scenario", *(f"{interval} s" for interval in PEERS)),
        [(row.name, *(_peer(row.scenario, interval) for interval in PEERS)) for row in rows],
    )
    if to:
        plot(rows, to)


def _peer(videos: Scenario, interval: float) -> str:
    polls, mean, p95 = fixed([video.ready - video.submitted for video in videos.videos], interval)
    return f"{polls:.0f} / {mean:.1f} / {p95:.1f}"


if __name__ == "__main__":
    main()
