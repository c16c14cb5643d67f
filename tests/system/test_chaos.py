"""A small night of chance (the long one is ``python -m tests.system.chaos``), and forged ones to try the judge."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_siliconflow.exceptions import SubmitOutcomeUnknownError
from tests.system.chaos import run_nights
from tests.system.chaos_judge import Claim, Fate, read_error, read_row
from tests.system.chaos_plan import Video, nights_of, strikes_of
from tests.system.house import Tell

pytestmark = pytest.mark.system

#: One with refusals and lost answers among the first submits.
SEED = 2
MADE, OTHER = "aaaaaaaaaaaa", "bbbbbbbbbbbb"


def test_a_night_of_chance(tell: Tell) -> None:
    wrong = run_nights(seed=SEED, videos=24, calm=0, minutes=15, tell=tell)
    assert not wrong, "\n".join([f"seed {SEED}", *wrong])


def test_a_seed_says_it_all() -> None:
    assert nights_of(1, 30, 10) == nights_of(1, 30, 10)
    videos = nights_of(1, 300, 0)[0].videos
    assert len({video.prompt for video in videos}) == 300
    assert videos != nights_of(2, 300, 0)[0].videos
    assert strikes_of(1, 300) == strikes_of(1, 300)
    assert {strike.victim for strike in strikes_of(1, 24)} == {"task", "triggerer", "scheduler", "supervisor"}


def job(request_id: str = MADE, *, outcome: str = "Succeed", answered: bool = True, at: float = 0) -> dict[str, Any]:
    """Return a job as the ledger shows it."""
    times = {"accepted_at": at, "ready_at": at + 10}
    sha256 = hashlib.sha256(request_id.encode()).hexdigest()
    return {"request_id": request_id, "outcome": outcome, "answered": answered, "sha256": sha256, **times}


def laws(ending: str, *jobs: dict[str, Any], again: int = 0, text: str = "", struck: bool = True) -> Any:
    """Return how to judge a forged video, whose task names the first of its jobs."""
    claim = Claim(ending, jobs[0]["request_id"] if jobs else None, text)  # type: ignore[arg-type]
    fate = Fate(Video("a prompt", "one task", "fail", ("one_fail[0]",)), claim, jobs, again)
    return lambda archive: fate.broken_laws(archive, struck)


SENT = "A submit was sent, and whether it was accepted is not known."


@pytest.mark.parametrize(
    ("judge", "broken"),
    [
        (laws("archived", job()), []),
        (laws("archived", job(OTHER)), ["said archived, which is not so", "lost"]),
        (laws("archived"), ["said archived, which is not so"]),
        (laws("archived", job(), job(OTHER, at=20)), ["paid twice", "lost"]),
        (laws("archived", job(), job(OTHER, outcome="Failed", at=20)), ["paid twice"]),
        (laws("failed", job(outcome="Failed"), job(OTHER, outcome="Failed", at=20)), []),
        (laws("failed", job(outcome="Failed"), job(OTHER, outcome="Failed", at=5)), ["paid twice"]),
        (laws("failed", job(outcome="Failed", answered=False), job(OTHER, outcome="Failed", at=20)), ["paid twice"]),
        (laws("archived", job(), job(OTHER, answered=False, at=-20), again=1), []),
        (laws("nothing"), []),
        (laws("nothing", job()), ["said nothing, which is not so"]),
        (laws("nothing", job(OTHER)), ["said nothing, which is not so", "lost"]),
        (laws("nothing", job(outcome="Failed")), []),
        (laws("unknown"), []),
        (laws("unknown", job(OTHER, answered=False), text=SENT), []),
        (laws("unknown", job(OTHER), text=SENT), ["said unknown, which is not so"]),
        (laws("unknown", job(OTHER)), []),
        (laws("unknown", job(OTHER), struck=False), ["said unknown, which is not so"]),
        (laws("failed", job(outcome="Failed")), []),
        (laws("failed", job()), ["said failed, which is not so"]),
        (laws("told", job()), []),
        (laws("told", job(OTHER)), ["lost"]),
        (laws("told", job(outcome="Failed")), ["said told, which is not so"]),
        (laws("silent"), ["said silent, which is not so"]),
        (laws("silent", job(OTHER)), ["said silent, which is not so", "lost"]),
    ],
)
def test_the_laws(judge: Any, broken: list[str], tmp_path: Path) -> None:
    """In the archive, one video is whole and one is cut short."""
    for request_id, body in ((MADE, MADE), (OTHER, OTHER[:-1])):
        (tmp_path / f"{request_id}.mp4").write_text(body)
        told = {"request_id": request_id, "sha256": hashlib.sha256(request_id.encode()).hexdigest()}
        (tmp_path / f"{request_id}.json").write_text(json.dumps(told))
    assert judge(tmp_path) == broken


@pytest.mark.parametrize(
    ("text", "ending", "request_id"),
    [
        (str(SubmitOutcomeUnknownError("A submit was sent.")), "unknown", None),
        ("SiliconFlow could not make video abcdefghijkl: nudity. The service may bill it all the same.", "failed", "l"),
        ("HTTP 404: gone Whatever became of video abcdefghijkl, asking for it again costs nothing.", "told", "l"),
        ("HTTP 403: Forbidden Nothing was submitted, nothing is billed.", "nothing", None),
        ("Connection pool is full.", "silent", None),
    ],
)
def test_what_an_error_says(text: str, ending: str, request_id: str | None) -> None:
    claim = read_error(text)
    assert claim == Claim(ending, "abcdefghijkl" if request_id else None, text)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("state", "reason", "ending"),
    [
        ("archived", "", "archived"),
        ("rejected", "HTTP 403", "nothing"),
        ("unknown", "", "unknown"),
        ("failed", f"SiliconFlow could not make video {MADE}: nudity.", "failed"),
        ("failed", f"HTTP 404: Whatever became of video {MADE}, asking for it again costs nothing.", "told"),
        ("timed_out", "", "told"),
        ("not_archived", "", "told"),
    ],
)
def test_what_a_row_says(state: str, reason: str, ending: str) -> None:
    row = {"state": state, "reason": reason, "request_id": MADE}
    assert read_row(row) == Claim(ending, MADE, reason)  # type: ignore[arg-type]
