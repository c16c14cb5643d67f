"""
A chaos scenario: hundreds of videos by every operator, every fault at seeded chance; audited by the ledger.

``python -m tests.system.chaos --videos 300 --seed 1`` starts a whole Airflow with PostgreSQL and two triggerers, runs
the scenario in it and prints the outcomes of the videos; it fails if an invariant is violated.
"""

from __future__ import annotations

import argparse
import itertools
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.system.audit import ArchivedFiles, Run
from tests.system.chaos_audit import COUNTED, Auditor, VideoOutcome, count, paid_for_one_destination
from tests.system.chaos_connections import Connections, LossyProxy
from tests.system.chaos_faults import CALL_TIMEOUT, faults
from tests.system.chaos_incidents import Incidents, Scene
from tests.system.chaos_kills import KillInjector, kills_of
from tests.system.chaos_plan import Scenario, scenarios_of
from tests.system.cluster import QUICK, Echo, supervised
from tests.system.stack import Stack, StackSettings, running

_DAGS = Path(__file__).parent / "chaos_dags"
_SPEED = 10
#: Videos take 6 to 54 s, and a URL has expired when an archive task waits for a slot for half a minute.
_SANDBOX = ("--speed", str(_SPEED), "--tiny", "--url-seconds", "30", "--body-bytes", "300000")
#: Seconds, on the sandbox's clock, in which the last video is ready.
_REST = 60
#: Turns of a wait (0.2 s) from one check of the run's state to the next.
_TURNS = 15
_COLUMNS = ("scenario", "intended", *COUNTED, "extra polls per video", "kills", "minutes")


@dataclass(frozen=True)
class _World:
    """What the scenarios share."""

    stack: Stack
    archive: Path
    proxy: LossyProxy
    connections: Connections


def run_scenarios(*, seed: int, videos: int, calm: int, minutes: float, echo: Echo) -> list[str]:
    """
    Run the scenarios and print a line for each.

    :param videos: How many in the chaos scenario.
    :param calm: How many in a scenario before it, without faults.
    :param minutes: After which a scenario that has not ended is aborted.
    :return: The violations; empty if all is well.
    """
    violations = []
    with _world(seed, videos, calm) as world:
        echo(_line(_COLUMNS) + "\n" + _line(["---"] * len(_COLUMNS)))
        for scenario in scenarios_of(seed, videos, calm):
            violations += _run_scenario(world, scenario, minutes, echo)
    return violations


@contextmanager
def _world(seed: int, videos: int, calm: int) -> Iterator[_World]:
    with tempfile.TemporaryDirectory(prefix="siliconflow-chaos-") as folder:
        archive = Path(folder)
        env = {
            "CHAOS_ARCHIVE": archive.as_uri(),
            "CHAOS_SEED": str(seed),
            "CHAOS_VIDEOS": str(videos),
            "CHAOS_CALM": str(calm),
        }
        settings = StackSettings(
            _DAGS, database="postgres", triggerers=2, env=QUICK | env, sandbox=(*_SANDBOX, "--seed", str(seed))
        )
        with running(settings) as stack:
            proxy = LossyProxy(stack, seed)
            yield _World(stack, archive, proxy, Connections(stack, proxy, CALL_TIMEOUT))


def _run_scenario(world: _World, scenario: Scenario, minutes: float, echo: Echo) -> list[str]:
    """Run one scenario, print its line, and return the violations."""
    stack = world.stack
    injector = KillInjector(stack, kills_of(scenario.seed, scenario.count) if scenario.chance else [])
    began, before = time.monotonic(), stack.sandbox("ledger?jobs=no")
    if scenario.chance:
        stack.sandbox("faults", "POST", faults())
    run = Run(stack, scenario.name, world.archive)
    incidents = Incidents(Scene(run, scenario, world.connections, _SPEED, scenario.seed), scenario.chance)
    turns = itertools.count()

    def is_over() -> bool:
        now = stack.sandbox("ledger?jobs=no")
        steps = sum(now[name] - before[name] for name in ("submit_calls", "fetched"))
        injector.step(steps / (2 * scenario.count))
        incidents.step(steps / (2 * scenario.count))
        return next(turns) % _TURNS == 0 and run.ended()

    with supervised(stack):
        stack.wait_until(f"the end of the scenario {scenario.name}", is_over, seconds=minutes * 60)
        incidents.finish()
    took = time.monotonic() - began
    stack.sandbox("faults", "DELETE")
    stack.sandbox("advance", "POST", {"seconds": _REST})
    auditor = Auditor(run, scenario, stack.sandbox("ledger")["jobs"], world.proxy.lost_ids(CALL_TIMEOUT))
    _archive_by_hand(world, [report.request_id for _, report in auditor.reports if report.kind == "pending"])
    ledger = stack.sandbox("ledger")
    outcomes = auditor.outcomes()
    archive = ArchivedFiles(world.archive, ledger["jobs"])
    echo(_line(_row(scenario, outcomes, archive, injector, took)))
    echo(f"\nKilled: {dict(injector.done)}. Incidents: {dict(incidents.done)}.")
    echo(f"Answers lost: {world.proxy.losses()}. Rejections by status: {ledger['rejections']}.\n")
    violations = _violations(run, outcomes, archive, killed=bool(injector.done))
    return violations + ["the API key was sent to the storage"] * (ledger["key_leaks"] - before["key_leaks"])


def _violations(run: Run, outcomes: Sequence[VideoOutcome], archive: ArchivedFiles, killed: bool) -> list[str]:
    violations = []
    for outcome in outcomes:
        if found := outcome.violations(archive, killed):
            logs = run.explain(outcome.video.prompt, outcome.video.chain)
            violations.append(f"=== {', '.join(found)}: {outcome.video}, {outcome.report}\n{logs}")
    violations += paid_for_one_destination(outcomes)
    return violations + [f"{name} looks like an archived video and is none" for name in archive.strays]


def _archive_by_hand(world: _World, request_ids: Sequence[str | None]) -> None:
    """Archive, without faults, what is known by id alone: a user who reads the errors can do so."""
    if request_ids:
        recovery = Run(world.stack, "recovery", world.archive, {"request_ids": request_ids})
        recovery.wait(seconds=300)


def _row(
    scenario: Scenario, outcomes: Sequence[VideoOutcome], archive: ArchivedFiles, injector: KillInjector, took: float
) -> list[object]:
    counts = count(outcomes, archive)
    return [
        *(scenario.name, len(outcomes), *(counts[name] for name in COUNTED)),
        *(f"{counts['polls'] / max(1, counts['polled']) - 1:.1f}", injector.done.total(), f"{took / 60:.1f}"),
    ]


def _line(cells: Sequence[object]) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Run the scenarios that the command line asks for.

    :return: Exit code: 1 if an invariant is violated.
    """
    # So that the videos go, too, if this is ended from outside.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    parser = argparse.ArgumentParser(prog="python -m tests.system.chaos", description="A chaos scenario.")
    parser.add_argument("--videos", type=int, default=300, help="how many in the chaos scenario (300)")
    parser.add_argument("--calm", type=int, default=0, help="how many in a scenario without faults before it (0)")
    parser.add_argument("--seed", type=int, default=1, help="of all chance (1)")
    parser.add_argument("--minutes", type=float, default=90, help="after which a scenario is aborted (90)")
    violations = run_scenarios(**vars(parser.parse_args(arguments)), echo=lambda line: print(line, flush=True))
    print("\n".join(violations), file=sys.stderr)
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
