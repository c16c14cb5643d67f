"""What happened to the money: the judge of all tests about it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

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
    Hold the sums and the jobs.

    :param submit_calls: POSTs that reached the submit route, whatever became of them.
    :param accepted: Submits that became a job.
    :param answered: Accepted submits whose caller was told the id.
    :param billed: Jobs paid for.
    :param spent: What they cost, by account.
    :param refused: Submits that did not become a job, refused or faulted.
    :param refusals: The same by HTTP status; status 0 is a reset.
    :param finished: Jobs that succeeded.
    :param failed: Jobs that ended ``Failed``.
    :param shown: Jobs whose success a status call has told.
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
    refused: int = 0
    refusals: dict[str, int] = field(default_factory=dict)
    finished: int = 0
    failed: int = 0
    shown: int = 0
    fetched: int = 0
    status_calls: int = 0
    download_calls: int = 0
    key_leaks: int = 0
    jobs: list[dict[str, Any]] = field(default_factory=list)


def entry(job: Job, now: float) -> dict[str, Any]:
    """Return what the ledger shows of a job; ``outcome`` is its status word now."""
    return {name: getattr(job, name) for name in SHOWN} | {"outcome": str(job.word(now))}


class Journal:
    """
    Keep events in a file of JSON lines, so that jobs and ledger survive a restart of the sandbox.

    :param path: The file; empty keeps nothing.
    """

    def __init__(self, path: str) -> None:
        self._path = Path(path) if path else None
        self._file: IO[str] | None = None

    def read(self) -> Iterator[dict[str, Any]]:
        """Yield the events of earlier runs. A last line cut short by a kill is dropped."""
        if self._path is None or not self._path.exists():
            return
        lines = self._path.read_text("utf-8").split("\n")
        self._path.write_text("".join(line + "\n" for line in lines[:-1]), "utf-8")
        for line in lines[:-1]:
            yield json.loads(line)

    def write(self, event: str, **values: Any) -> None:
        """Append an event; it has left this process when this returns."""
        if self._path is None:
            return
        if self._file is None:
            self._file = self._path.open("a", encoding="utf-8")
        self._file.write(json.dumps({"event": event, **values}) + "\n")
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def clear(self) -> None:
        """Forget all events."""
        self.close()
        if self._path is not None:
            self._path.unlink(missing_ok=True)


def job_event(job: Job) -> dict[str, Any]:
    """Return all of a job, for the journal."""
    return dataclasses.asdict(job)
