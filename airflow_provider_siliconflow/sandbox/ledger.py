"""What was billed: the figures that all tests about money are audited against."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_siliconflow.sandbox.jobs import Job

#: Fields of a job that the ledger shows.
SHOWN = (
    *(
        "request_id",
        "account",
        "site",
        "model",
        "prompt",
        "image_size",
        "seed",
        "accepted_at",
        "started_at",
        "ready_at",
    ),
    *("billed", "answered", "finished", "reason", "status_calls", "shown_at", "downloads", "sha256"),
)


@dataclass
class Ledger:
    """
    The sums and the jobs.

    :param submit_calls: POSTs that reached the submit route, whatever became of them.
    :param accepted: Submits that became a job.
    :param answered: Accepted submits whose caller got the id.
    :param billed: Jobs paid for.
    :param spent: What they cost, by account.
    :param rejected: Submits that did not become a job, rejected or faulted.
    :param rejections: The same by HTTP status; status 0 is a reset.
    :param finished: Jobs that succeeded.
    :param failed: Jobs that ended ``Failed``.
    :param shown: Jobs whose success a status call has returned.
    :param fetched: Downloads that reached a video's last byte.
    :param status_calls: Calls of the status route.
    :param download_calls: Calls of the storage.
    :param key_leaks: Calls of the storage that carried an API key.
    :param jobs: The jobs, oldest first.
    """

    submit_calls: int = 0
    accepted: int = 0
    answered: int = 0
    billed: int = 0
    spent: dict[str, float] = field(default_factory=dict)
    rejected: int = 0
    rejections: dict[str, int] = field(default_factory=dict)
    finished: int = 0
    failed: int = 0
    shown: int = 0
    fetched: int = 0
    status_calls: int = 0
    download_calls: int = 0
    key_leaks: int = 0
    jobs: list[dict[str, Any]] = field(default_factory=list)


def entry(job: Job, now: float) -> dict[str, Any]:
    """
    Return what the ledger shows of a job.

    :param job: The job.
    :param now: Epoch seconds.
    :return: Its fields; ``outcome`` is its status word now.
    """
    return {name: getattr(job, name) for name in SHOWN} | {"outcome": str(job.word(now))}


def apply_event(ledger: Ledger, jobs: Mapping[str, Job], event: str, value: str, at: float) -> None:
    """
    Apply an event of the journal to the sums and the jobs.

    :param ledger: The sums, which change.
    :param jobs: The jobs by request id, which change.
    :param event: ``answered``, ``shown`` or ``fetched`` with a request id, ``rejected`` with a status, ``leaked``.
    :param value: The request id or the status.
    :param at: When, epoch seconds.
    """
    if event == "rejected":
        ledger.rejected += 1
        ledger.rejections[value] = ledger.rejections.get(value, 0) + 1
    elif event == "leaked":
        ledger.key_leaks += 1
    elif event == "fetched":
        ledger.fetched += 1
        jobs[value].downloads += 1
    elif event == "answered":
        ledger.answered += 1
        jobs[value].answered = True
    elif event == "shown" and jobs[value].shown_at is None:
        ledger.shown += 1
        jobs[value].shown_at = at
