"""The audit of chaos scenarios finds each violation, tried on forged outcomes."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_siliconflow.exceptions import SubmitOutcomeUnknownError
from tests.system.chaos_audit import Report, VideoOutcome, read_error, read_item
from tests.system.chaos_plan import Video, kills_of, scenarios_of

FIRST, OTHER = "aaaaaaaaaaaa", "bbbbbbbbbbbb"


def test_a_seed_determines_the_scenario() -> None:
    assert scenarios_of(1, 30, 10) == scenarios_of(1, 30, 10)
    videos = scenarios_of(1, 300, 0)[0].videos
    assert len({video.prompt for video in videos}) == 300
    assert videos != scenarios_of(2, 300, 0)[0].videos
    assert kills_of(1, 300) == kills_of(1, 300)
    assert {kill.victim for kill in kills_of(1, 24)} == {"task", "triggerer", "scheduler", "supervisor"}


def job(request_id: str = FIRST, *, outcome: str = "Succeed", answered: bool = True, at: float = 0) -> dict[str, Any]:
    """Return a job as the ledger shows it."""
    times = {"accepted_at": at, "ready_at": at + 10}
    sha256 = hashlib.sha256(request_id.encode()).hexdigest()
    return {"request_id": request_id, "outcome": outcome, "answered": answered, "sha256": sha256, **times}


def audited(kind: str, *jobs: dict[str, Any], resubmits: int = 0, text: str = "", killed: bool = True) -> Any:
    """Return the audit of a forged video, whose task reports the first of its jobs."""
    report = Report(kind, jobs[0]["request_id"] if jobs else None, text)  # type: ignore[arg-type]
    outcome = VideoOutcome(Video("a prompt", "one task", "fail", ("one_fail[0]",)), report, jobs, resubmits)
    return lambda archive: outcome.violations(archive, killed)


SENT = "A submit was sent, and whether it was accepted is not known."


@pytest.mark.parametrize(
    ("audit", "violated"),
    [
        (audited("archived", job()), []),
        (audited("archived", job(OTHER)), ["reported archived, which is not true", "lost"]),
        (audited("archived"), ["reported archived, which is not true"]),
        (audited("archived", job(), job(OTHER, at=20)), ["paid twice", "lost"]),
        (audited("archived", job(), job(OTHER, outcome="Failed", at=20)), ["paid twice"]),
        (audited("failed", job(outcome="Failed"), job(OTHER, outcome="Failed", at=20)), []),
        (audited("failed", job(outcome="Failed"), job(OTHER, outcome="Failed", at=5)), ["paid twice"]),
        (audited("failed", job(outcome="Failed", answered=False), job(OTHER, outcome="Failed", at=20)), ["paid twice"]),
        (audited("archived", job(), job(OTHER, answered=False, at=-20), resubmits=1), []),
        (audited("rejected"), []),
        (audited("rejected", job()), ["reported rejected, which is not true"]),
        (audited("rejected", job(OTHER)), ["reported rejected, which is not true", "lost"]),
        (audited("rejected", job(outcome="Failed")), []),
        (audited("unknown"), []),
        (audited("unknown", job(OTHER, answered=False), text=SENT), []),
        (audited("unknown", job(OTHER), text=SENT), ["reported unknown, which is not true"]),
        (audited("unknown", job(OTHER)), []),
        (audited("unknown", job(OTHER), killed=False), ["reported unknown, which is not true"]),
        (audited("failed", job(outcome="Failed")), []),
        (audited("failed", job()), ["reported failed, which is not true"]),
        (audited("pending", job()), []),
        (audited("pending", job(OTHER)), ["lost"]),
        (audited("pending", job(outcome="Failed")), ["reported pending, which is not true"]),
        (audited("silent"), ["reported silent, which is not true"]),
        (audited("silent", job(OTHER)), ["reported silent, which is not true", "lost"]),
    ],
)
def test_the_invariants(audit: Any, violated: list[str], tmp_path: Path) -> None:
    """In the archive, one video is whole and one is cut short."""
    for request_id, body in ((FIRST, FIRST), (OTHER, OTHER[:-1])):
        (tmp_path / f"{request_id}.mp4").write_text(body)
        manifest = {"request_id": request_id, "sha256": hashlib.sha256(request_id.encode()).hexdigest()}
        (tmp_path / f"{request_id}.json").write_text(json.dumps(manifest))
    assert audit(tmp_path) == violated


@pytest.mark.parametrize(
    ("text", "kind", "request_id"),
    [
        (str(SubmitOutcomeUnknownError("A submit was sent.")), "unknown", None),
        ("SiliconFlow could not make video abcdefghijkl: nudity. The service may bill it all the same.", "failed", "l"),
        ("HTTP 404: gone Whatever became of video abcdefghijkl, asking for it again costs nothing.", "pending", "l"),
        ("HTTP 403: Forbidden Nothing was submitted, nothing is billed.", "rejected", None),
        ("Connection pool is full.", "silent", None),
    ],
)
def test_what_an_error_says(text: str, kind: str, request_id: str | None) -> None:
    report = read_error(text)
    assert report == Report(kind, "abcdefghijkl" if request_id else None, text)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("state", "reason", "kind"),
    [
        ("archived", "", "archived"),
        ("rejected", "HTTP 403", "rejected"),
        ("unknown", "", "unknown"),
        ("failed", f"SiliconFlow could not make video {FIRST}: nudity.", "failed"),
        ("failed", f"HTTP 404: Whatever became of video {FIRST}, asking for it again costs nothing.", "pending"),
        ("timed_out", "", "pending"),
        ("not_archived", "", "pending"),
    ],
)
def test_what_an_item_says(state: str, reason: str, kind: str) -> None:
    item = {"state": state, "reason": reason, "request_id": FIRST}
    assert read_item(item) == Report(kind, FIRST, reason)  # type: ignore[arg-type]
