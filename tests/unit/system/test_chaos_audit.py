"""The audit of chaos scenarios finds each violation, tried on forged outcomes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_siliconflow.billing import Billing
from airflow_provider_siliconflow.client.retry import final_submit_error
from airflow_provider_siliconflow.exceptions import (
    SiliconFlowConnectionError,
    SiliconFlowError,
    SubmitOutcomeUnknownError,
    VideoFailedError,
    VideoTimeoutError,
)
from tests.system.audit import ArchivedFiles
from tests.system.chaos_audit import VideoOutcome, paid_for_one_destination
from tests.system.chaos_kills import kills_of
from tests.system.chaos_plan import CONNECTIONS, MODEL, Video, identity_of, scenarios_of
from tests.system.reports import Report, ReportKind, count_resubmits, read_error, read_item

FIRST, OTHER = "aaaaaaaaaaaa", "bbbbbbbbbbbb"


@pytest.mark.parametrize("count", [24, 30, 300])
def test_a_seed_determines_the_scenario(count: int) -> None:
    assert scenarios_of(1, count, 10) == scenarios_of(1, count, 10)
    videos = scenarios_of(1, count, 0)[0].videos
    assert len({video.prompt for video in videos}) == count
    assert videos != scenarios_of(2, count, 0)[0].videos
    assert kills_of(1, count) == kills_of(1, count)
    assert {kill.victim for kill in kills_of(1, 24)} == {"task", "triggerer", "scheduler", "supervisor"}


@pytest.mark.parametrize("count", [24, 30, 300])
def test_a_scenario_has_every_fault(count: int) -> None:
    (scenario,) = scenarios_of(1, count, 0)
    routes = [CONNECTIONS[video.conn_id] for video in scenario.videos]
    assert 1 / 4 < 1 - routes.count("direct") / count < 2 / 5
    assert set(routes) == {"direct", "proxy", "tunnel"}
    assert {video.variant for video in scenario.videos} >= {"pair", "cleared", "away"}
    pairs = [video.pair for video in scenario.videos if video.pair is not None]
    assert {pairs.count(pair) for pair in pairs} == {2}
    chains = [video.chain[-1] for video in scenario.videos if video.variant != "batch"]
    assert len(set(chains)) == len(chains)
    assert [video for videos in scenario.batches for video in videos] == scenario.group("batch", "fail")
    assert {identity_of(video.template) for video in scenario.videos} == {video.prompt for video in scenario.videos}


def job(
    request_id: str = FIRST,
    *,
    outcome: str = "Succeed",
    answered: bool = True,
    at: float = 0,
    prompt: str = "a prompt",
) -> dict[str, Any]:
    """Return a job as the ledger shows it."""
    times = {"accepted_at": at, "ready_at": at + 10}
    sha256 = hashlib.sha256(request_id.encode()).hexdigest()
    facts = {"outcome": outcome, "answered": answered, "sha256": sha256, "prompt": prompt}
    return {"request_id": request_id, **facts, **times}


def outcome_of(
    kind: ReportKind, *jobs: dict[str, Any], resubmits: int = 0, text: str = "", pair: int | None = None
) -> VideoOutcome:
    """Return the outcome of a forged video, whose task reports the first of its jobs."""
    report = Report(kind, jobs[0]["request_id"] if jobs else None, text)
    video = Video("a prompt", "one task", "fail", "siliconflow_direct", ("one_fail[0]",), pair=pair)
    return VideoOutcome(video, report, jobs, resubmits)


def audited(
    kind: ReportKind, *jobs: dict[str, Any], resubmits: int = 0, text: str = "", killed: bool = True
) -> Callable[[ArchivedFiles], list[str]]:
    """Return the audit of a forged video."""
    outcome = outcome_of(kind, *jobs, resubmits=resubmits, text=text)
    return lambda archive: outcome.violations(archive, killed)


@pytest.fixture
def archive(tmp_path: Path) -> ArchivedFiles:
    """Return an archive in which one video is whole and one is cut short."""
    for request_id, body in ((FIRST, FIRST), (OTHER, OTHER[:-1])):
        (tmp_path / f"{request_id}.mp4").write_text(body)
        manifest = {"request_id": request_id, "sha256": hashlib.sha256(request_id.encode()).hexdigest()}
        (tmp_path / f"{request_id}.mp4.json").write_text(json.dumps(manifest))
    return ArchivedFiles(tmp_path, [job(), job(OTHER)])


SENT = str(final_submit_error(SiliconFlowConnectionError("reset"), model=MODEL))


@pytest.mark.parametrize(
    ("audit", "violated"),
    [
        (audited("archived", job()), []),
        (audited("archived", job(OTHER)), ["reported archived, which is not true", "lost", "destroyed"]),
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
def test_the_invariants(
    audit: Callable[[ArchivedFiles], list[str]], violated: list[str], archive: ArchivedFiles
) -> None:
    assert audit(archive) == violated


def test_what_is_not_whole_is_a_stray(archive: ArchivedFiles) -> None:
    assert (archive.ids, archive.strays) == ({FIRST}, [f"{OTHER}.mp4"])


@pytest.mark.parametrize("manifest", [None, OTHER])
def test_a_video_without_its_own_manifest_is_a_stray(tmp_path: Path, manifest: str | None) -> None:
    (tmp_path / "pair-0.mp4").write_text(FIRST)
    if manifest:
        sha256 = hashlib.sha256(FIRST.encode()).hexdigest()
        (tmp_path / "pair-0.mp4.json").write_text(json.dumps({"request_id": manifest, "sha256": sha256}))
    files = ArchivedFiles(tmp_path, [job(), job(OTHER)])
    assert (files.ids, files.strays) == (set(), ["pair-0.mp4"])


@pytest.mark.parametrize(
    ("pair", "violations"),
    [
        ((outcome_of("archived", job(), pair=0), outcome_of("rejected", pair=0)), 0),
        ((outcome_of("archived", job(), pair=0), outcome_of("archived", job(OTHER), pair=1)), 0),
        ((outcome_of("archived", job(), pair=0), outcome_of("pending", job(OTHER), pair=0)), 1),
        ((outcome_of("unknown", job(), pair=0), outcome_of("archived", job(OTHER), pair=0)), 0),
    ],
)
def test_two_videos_of_one_destination(pair: tuple[VideoOutcome, VideoOutcome], violations: int) -> None:
    assert len(list(paid_for_one_destination(pair))) == violations


TIMED_OUT = VideoTimeoutError(f"Video {FIRST} was not ready in time.", billing=Billing.RUNNING, request_id=FIRST)


@pytest.mark.parametrize(
    ("error", "kind", "request_id"),
    [
        (SubmitOutcomeUnknownError("A submit was sent."), "unknown", None),
        (VideoFailedError("nudity", request_id=FIRST), "failed", FIRST),
        (TIMED_OUT, "pending", FIRST),
        (SiliconFlowError("403", billing=Billing.REJECTED), "rejected", None),
        (SiliconFlowError("No file.", billing=Billing.NOT_SUBMITTED), "rejected", None),
        # An error may quote its cause: what it says itself comes last.
        (SiliconFlowError(f"After {TIMED_OUT}", billing=Billing.UNKNOWN), "unknown", None),
        (SiliconFlowError(f"2 videos are under way: {FIRST}, {OTHER}"), "pending", FIRST),
        (SiliconFlowError("Connection pool is full."), "silent", None),
        # Of another video.
        (VideoFailedError("nudity", request_id=OTHER), "silent", None),
    ],
)
def test_what_an_error_says(error: SiliconFlowError, kind: ReportKind, request_id: str | None) -> None:
    assert read_error(str(error), [FIRST]) == Report(kind, request_id, str(error))


@pytest.mark.parametrize(
    ("state", "billing", "kind"),
    [
        ("archived", "archived", "archived"),
        ("rejected", "rejected", "rejected"),
        ("rejected", "not_submitted", "rejected"),
        ("unknown", "unknown", "unknown"),
        ("failed", "failed", "failed"),
        ("failed", "running", "pending"),
        ("timed_out", "running", "pending"),
        ("not_archived", None, "pending"),
    ],
)
def test_what_an_item_says(state: str, billing: str | None, kind: ReportKind) -> None:
    item = {"state": state, "billing": billing, "reason": "why", "request_id": FIRST}
    assert read_item(item) == Report(kind, FIRST, "why")


def test_only_warnings_count_as_resubmits() -> None:
    said = "It submits anew: on_unknown_submit='resubmit'."
    events = [{"event": said, "level": level} for level in ("warning", "error", "warning")]
    assert count_resubmits([said, *events]) == 2
