"""
A night of chance: hundreds of videos, every way of making them, whatever can go wrong; judged by the ledger.

``python -m tests.system.chaos --videos 300 --seed 1`` starts a whole Airflow with PostgreSQL and two triggerers, runs
the night in it and prints what became of the videos; it fails if a law about the money is broken.
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
from pathlib import Path

from tests.system.chaos_judge import COUNTED, Court, Fate, count
from tests.system.chaos_plan import CALL_TIMEOUT, Night, faults, nights_of, strikes_of
from tests.system.chaos_strikes import Reaper
from tests.system.house import QUICK, House, Tell, supervised
from tests.system.judge import Run, stray_files
from tests.system.stack import StackSettings, running

_DAGS = Path(__file__).parent / "chaos_dags"
#: Videos take 6 to 54 s, and a link is dead as soon as an archive waits for a slot for half a minute.
_SANDBOX = ("--speed", "10", "--tiny", "--link-seconds", "30", "--body-bytes", "300000")
#: Seconds, on the sandbox's clock, in which the last video is ready.
_REST = 60
#: Turns of a wait (0.2 s) from one look at the run's state to the next.
_TURNS = 15
_COLUMNS = ("night", "intended", *COUNTED, "extra looks a video", "kills", "minutes")


def run_nights(*, seed: int, videos: int, calm: int, minutes: float, tell: Tell) -> list[str]:
    """
    Run the nights and tell of them.

    :param videos: How many in the night of chance.
    :param calm: How many in a night before, in which nothing goes wrong.
    :param minutes: After which a night that has not ended is given up.
    :return: What broke a law; empty if all is well.
    """
    wrong = []
    with _house(seed, videos, calm) as house:
        tell(_line(_COLUMNS) + "\n" + _line(["---"] * len(_COLUMNS)))
        for night in nights_of(seed, videos, calm):
            wrong += _run_night(house, night, minutes, tell)
    return wrong


@contextmanager
def _house(seed: int, videos: int, calm: int) -> Iterator[House]:
    with tempfile.TemporaryDirectory(prefix="siliconflow-chaos-") as folder:
        archive = Path(folder)
        env = {
            "CHAOS_ARCHIVE": archive.as_uri(),
            "CHAOS_SEED": str(seed),
            "CHAOS_VIDEOS": str(videos),
            "CHAOS_CALM": str(calm),
        }
        settings = StackSettings(
            _DAGS,
            database="postgres",
            triggerers=2,
            env=QUICK | env,
            connection={"timeout": CALL_TIMEOUT, "max_backoff": 2},
            sandbox=(*_SANDBOX, "--seed", str(seed)),
        )
        with running(settings) as stack:
            yield House("local", stack, archive)


def _run_night(house: House, night: Night, minutes: float, tell: Tell) -> list[str]:
    """Run one night, tell of it, and return what broke a law."""
    stack = house.stack
    strikes = strikes_of(night.seed, night.count) if night.chance else []
    reaper = Reaper(stack, strikes, night.count)
    before = stack.sandbox("ledger?jobs=no")
    if night.chance:
        stack.sandbox("faults", "POST", faults())
    run = Run(stack, night.name, house.archive)
    began, turns = time.monotonic(), itertools.count()

    def is_over() -> bool:
        reaper.step()
        return next(turns) % _TURNS == 0 and run.ended()

    with supervised(stack):
        stack.wait_until(f"the end of the night {night.name}", is_over, seconds=minutes * 60)
    took = time.monotonic() - began
    stack.sandbox("faults", "DELETE")
    stack.sandbox("advance", "POST", {"seconds": _REST})
    court = Court(run, night)
    _archive_by_hand(house, [claim.request_id for _, claim in court.claims if claim.ending == "told"])
    ledger = stack.sandbox("ledger")
    fates = court.fates(ledger["jobs"])
    wrong = [
        "\n".join([f"=== {law}: {fate.claim}", run.explain(fate.video.prompt, fate.video.chain)])
        for fate in fates
        for law in fate.broken_laws(house.archive, struck=bool(reaper.done))
    ]
    wrong += [f"{name} passes for a video and is none" for name in stray_files(house.archive, ledger["jobs"])]
    wrong += ["the key went to the storage"] * (ledger["key_leaks"] - before["key_leaks"])
    tell(_line(_row(night, fates, house.archive, reaper, took)))
    tell(f"\nKilled: {dict(reaper.done)}. Refusals by status: {ledger['refusals']}.\n")
    return wrong


def _archive_by_hand(house: House, request_ids: Sequence[str | None]) -> None:
    """Archive, in a service that is well again, what is known by id alone: whoever reads the errors can do so."""
    if request_ids:
        morning = Run(house.stack, "morning", house.archive, {"request_ids": request_ids})
        morning.wait(seconds=300)


def _row(night: Night, fates: Sequence[Fate], archive: Path, reaper: Reaper, took: float) -> list[object]:
    counts = count(fates, archive)
    return [
        *(night.name, len(fates), *(counts[name] for name in COUNTED)),
        *(f"{counts['looks'] / max(1, counts['looked at']) - 1:.1f}", reaper.done.total(), f"{took / 60:.1f}"),
    ]


def _line(cells: Sequence[object]) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Run the nights that the command line asks for.

    :return: Exit code: 1 if a law is broken.
    """
    # So that the videos go, too, if this is ended from outside.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    parser = argparse.ArgumentParser(prog="python -m tests.system.chaos", description="A night of chance.")
    parser.add_argument("--videos", type=int, default=300, help="how many in the night of chance (300)")
    parser.add_argument("--calm", type=int, default=0, help="how many in a night without faults before it (0)")
    parser.add_argument("--seed", type=int, default=1, help="of all chance (1)")
    parser.add_argument("--minutes", type=float, default=90, help="after which a night is given up (90)")
    wrong = run_nights(**vars(parser.parse_args(arguments)), tell=lambda line: print(line, flush=True))
    print("\n".join(wrong), file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
