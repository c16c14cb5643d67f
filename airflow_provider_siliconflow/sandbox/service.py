"""The service behind the API: submits, statuses, money. No sockets; each method is one step of one thread."""

from __future__ import annotations

import dataclasses
import heapq
import json
import secrets
import string
from typing import TYPE_CHECKING, Any

from airflow_provider_siliconflow.client.models import VideoState
from airflow_provider_siliconflow.sandbox import responses, signed_urls
from airflow_provider_siliconflow.sandbox.accounts import Account, open_accounts
from airflow_provider_siliconflow.sandbox.checks import validate_submit
from airflow_provider_siliconflow.sandbox.jobs import NO_RESULTS, Job, JobQueue, OutcomeSampler, results
from airflow_provider_siliconflow.sandbox.journal import Journal
from airflow_provider_siliconflow.sandbox.ledger import Ledger, apply_event, entry
from airflow_provider_siliconflow.sandbox.limits import RateLimiter
from airflow_provider_siliconflow.sandbox.responses import Response

if TYPE_CHECKING:
    from airflow_provider_siliconflow.sandbox.clock import Clock
    from airflow_provider_siliconflow.sandbox.settings import Settings

_ALPHABET = string.ascii_lowercase + string.digits


class Service:
    """
    A simulation of the service.

    :param settings: The switches.
    :param clock: The time.
    """

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self.settings, self.clock = settings, clock
        self._journal = Journal(settings.ledger_file)
        self._start()
        for event in self._journal.read():
            self._replay(event)

    def _start(self) -> None:
        self.accounts = open_accounts(self.settings)
        self.counts = Ledger()
        self.jobs: dict[str, Job] = {}
        self._outcomes = OutcomeSampler(self.settings)
        self._queues: dict[tuple[str, str], JobQueue] = {}
        self._unfinished: list[tuple[float, int, Job]] = []
        self._submits = RateLimiter(self.settings.submits_per_minute)
        self._statuses = RateLimiter(self.settings.statuses_per_minute)

    def reset(self) -> None:
        """Forget all jobs, limits and money."""
        self._journal.clear()
        self._start()

    def close(self) -> None:
        """Close the journal."""
        self._journal.close()

    def submit(self, caller: Account, body: bytes) -> Response:
        """
        Accept and bill a video, or reject it.

        :param caller: The account.
        :param body: The body of the call.
        :return: The response.
        """
        now = self.settle()
        wanted = validate_submit(body, self.settings)
        if isinstance(wanted, Response):
            return wanted
        model = wanted["model"]
        wait = self._submits.admit((caller.name, model), now)
        if wait or 0 < self.settings.in_flight <= caller.in_flight[model]:
            return responses.rate_limited((wait or 1.0) if self.settings.retry_after else None)
        if caller.balance < caller.price:
            return responses.empty_balance(self.settings.balance_status)
        job = self._accept(caller, wanted, now)
        return responses.as_json({"requestId": job.request_id}, on_sent=lambda: self.note("answered", job.request_id))

    def _accept(self, caller: Account, wanted: dict[str, Any], now: float) -> Job:
        number = len(self.jobs)
        queue, work, seed, reason = self._outcomes.draw(number, wanted["prompt"])
        # Ids are not drawn from the seed: files are named after them, and two runs must not collide.
        request_id = "".join(secrets.choice(_ALPHABET) for _ in range(12))
        given = wanted.get("seed")
        job = Job(
            request_id,
            caller.name,
            caller.site,
            number,
            wanted["model"],
            wanted["prompt"],
            wanted["image_size"],
            wanted.get("image"),
            wanted.get("negative_prompt"),
            seed if given is None else given,
            now,
            reason=reason,
        )
        self._queue(job).join(job, queue, work)
        self._enter(job)
        self._journal.write("accepted", job=dataclasses.asdict(job))
        return job

    def _queue(self, job: Job) -> JobQueue:
        return self._queues.setdefault((job.site, job.model), JobQueue(self.settings.slots))

    def _enter(self, job: Job) -> None:
        self.jobs[job.request_id] = job
        self.counts.accepted += 1
        heapq.heappush(self._unfinished, (job.ready_at, job.number, job))
        self.accounts[job.account].in_flight[job.model] += 1
        if self.settings.charge == "accepted":
            self._bill(job, 1)

    def _bill(self, job: Job, videos: int) -> None:
        """Bill a job, or take its bill back (-1)."""
        job.billed = videos > 0
        self.counts.billed += videos
        self.accounts[job.account].charge(videos)

    def settle(self) -> float:
        """
        Finish the jobs whose time has come, and bill what is billed then.

        :return: The time.
        """
        now = self.clock.now()
        while self._unfinished and self._unfinished[0][0] <= now:
            job = heapq.heappop(self._unfinished)[2]
            job.finished = True
            self.accounts[job.account].in_flight[job.model] -= 1
            if job.reason is None:
                self.counts.finished += 1
            else:
                self.counts.failed += 1
            due = job.reason is None or self.settings.bill_failed
            if due != job.billed:
                self._bill(job, 1 if due else -1)
        return now

    def status(self, caller: Account, body: bytes, base: str) -> Response:
        """
        Return the status of a video.

        :param caller: The account.
        :param body: The body of the call.
        :param base: Scheme and host of the URLs in the response.
        :return: The response.
        """
        wait = self._statuses.admit(caller.name, now := self.settle())
        if wait:
            return responses.rate_limited(wait if self.settings.retry_after else None)
        try:
            job = self.jobs.get(json.loads(body)["requestId"])
        except (ValueError, TypeError, KeyError):
            return responses.bad_parameter("requestId is needed.")
        if job is None or job.account != caller.name:
            return responses.unknown_id(self.settings.unknown_id)
        job.status_calls += 1
        if job.is_gone(now, self.settings.keep_seconds):
            return responses.unknown_id(self.settings.expired_id)
        return self._status_of(job, now, base)

    def _status_of(self, job: Job, now: float, base: str) -> Response:
        word = job.word(now)
        body: dict[str, Any] = {"status": str(word), "reason": ""}
        if word is VideoState.SUCCEED:
            body["results"] = results(job, base + signed_urls.url_of(job, now, self.settings))
            first = job.shown_at is None
            return responses.as_json(body, on_sent=(lambda: self.note("shown", job.request_id)) if first else None)
        if word is VideoState.FAILED:
            body["reason"] = job.reason
        elif word is VideoState.IN_QUEUE and self.settings.position:
            body["position"] = self._queue(job).position(job, now)
        if self.settings.pending_results != "missing":
            body["results"] = NO_RESULTS if self.settings.pending_results == "empty" else None
        return responses.as_json(body)

    def position(self, job: Job) -> int:
        """
        Return a job's queue position now.

        :param job: The job.
        :return: 1 is next, 0 is no longer queued.
        """
        return self._queue(job).position(job, self.clock.now())

    def note(self, event: str, value: str = "") -> None:
        """
        Record what was sent.

        :param event: An event of :func:`~airflow_provider_siliconflow.sandbox.ledger.apply_event`.
        :param value: The request id or the status.
        """
        now = self.clock.now()
        apply_event(self.counts, self.jobs, event, value, now)
        self._journal.write(event, value=value, at=now)

    def rendered(self, job: Job, sha256: str) -> None:
        """
        Record the digest of a job's video.

        :param job: The job.
        :param sha256: In hexadecimal.
        """
        job.sha256 = sha256
        self._journal.write("rendered", request_id=job.request_id, sha256=sha256)

    def _replay(self, event: dict[str, Any]) -> None:
        if event["event"] == "rendered":
            self.jobs[event["request_id"]].sha256 = event["sha256"]
            return
        self.counts.submit_calls += event["event"] in ("accepted", "rejected")
        if event["event"] != "accepted":
            apply_event(self.counts, self.jobs, event["event"], event["value"], event["at"])
            return
        job = Job(**event["job"] | {"billed": False})
        self._queue(job).restore(job, job.started_at, job.ready_at)
        self._enter(job)

    def ledger(self, jobs: bool = True) -> Ledger:
        """
        Return a snapshot.

        :param jobs: With the list of jobs.
        :return: A copy that does not change.
        """
        now = self.settle()
        return Ledger(
            **vars(self.counts)
            | {
                "spent": {account.name: account.spent / 100 for account in self.accounts.values()},
                "rejections": dict(self.counts.rejections),
                "jobs": [entry(job, now) for job in self.jobs.values()] if jobs else [],
            }
        )
