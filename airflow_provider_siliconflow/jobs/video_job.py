"""One video that is paid for once: prepare, re-attach, submit, archive. Every operator that pays works through it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_siliconflow._airflow.names import AirflowFailException, AirflowNotFoundException
from airflow_provider_siliconflow.archive.options import STORE_TIMEOUT
from airflow_provider_siliconflow.billing import Billing
from airflow_provider_siliconflow.client.masking import describe_error
from airflow_provider_siliconflow.client.models import VideoStatus
from airflow_provider_siliconflow.exceptions import (
    DestinationError,
    SiliconFlowConfigError,
    SiliconFlowError,
    VideoFailedError,
    VideoNotArchivedError,
)
from airflow_provider_siliconflow.jobs.labels import check_label
from airflow_provider_siliconflow.jobs.record import now
from airflow_provider_siliconflow.jobs.recorded_video import RecordedVideo
from airflow_provider_siliconflow.jobs.request import build
from airflow_provider_siliconflow.jobs.spending import SpendGuard, guard_of
from airflow_provider_siliconflow.jobs.submit import submit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_siliconflow.client.models import VideoRequest
    from airflow_provider_siliconflow.jobs.target import Target
    from airflow_provider_siliconflow.spend_limit import SpendLimit


@dataclass
class VideoJob(RecordedVideo):
    """
    One video of a task, paid for once.

    :param target: Where the video goes; None for a task that only submits.
    :param origin: Where the video is made, for its manifest.
    :param spend_limit: The task's own limit, besides that of the connection.
    """

    target: Target | None = None
    origin: Mapping[str, Any] = field(default_factory=dict)
    spend_limit: SpendLimit | None = None
    #: Whether a POST was sent and not answered yet.
    is_submitting: bool = False
    #: What the last poll told, and its ISO 8601 time.
    status: VideoStatus | None = None
    seen_at: str | None = None
    #: The manifest of what is archived, once it is.
    manifest: dict[str, Any] | None = None
    _request: VideoRequest | None = None

    def prepare(self) -> dict[str, Any] | None:
        """
        Do everything that can fail before the money: read the request and its image, claim the destination.

        :return: The manifest of what is at the destination, where that means that there is nothing to pay for.
        :raises InvalidVideoRequestError: if the request cannot become a video.
        :raises ImageUnavailableError: if its image cannot be read for now.
        :raises VideoLabelError: if the video could not be labelled.
        :raises DestinationError: if the video could not be archived.
        """
        if self.target:
            check_label(self.hook, self.target.label)
        try:
            if self.target and (made := self.target.prepare(self.hook.settings.store_timeout)) is not None:
                self.manifest = made
                return made
        except DestinationError as error:
            error.with_billing(Billing.NOT_SUBMITTED)
            raise
        try:
            self.read_request()
        except SiliconFlowError:
            self.release()
            raise
        return None

    def read_request(self) -> None:
        """
        Read the request, and its image.

        :raises InvalidVideoRequestError: if the request cannot become a video.
        :raises ImageUnavailableError: if its image cannot be read for now.
        """
        if self._request is None:
            self._request = build(self.fields, self.hook.settings.image_folders)

    @property
    def submit_name(self) -> str:
        """Return what names the next submit among those of this task instance, the same for tries that repeat it."""
        # Of a clear or a deliberate re-submit, what was on record before is another.
        return f"{self.store.name}/{self.max_tries}/{self.before.intent_at if self.before else ''}"

    @property
    def guard(self) -> SpendGuard:
        """Return what the spend limits say."""
        return guard_of(self.hook, self.spend_limit, self.origin, self.policy.price)

    def submit(self) -> None:
        """
        Submit the video, which pays for it; :meth:`prepare` goes before.

        :raises SpendLimitError: if a spend limit is reached or cannot be read; nothing was sent.
        :raises SubmitOutcomeUnknownError: if the answer is lost: a video may be running and billed.
        :raises SiliconFlowError: if it is proven that no video came of it.
        """
        assert self._request, "prepared before"
        claim = self.guard.claim(self.submit_name)
        self.is_submitting = True
        try:
            # The times of this submit: an earlier one of this job may have been rejected long ago.
            intent = self.intent.model_copy(update={"intent_at": now()})
            made, self.is_recorded = submit(self.hook, self._request, self.store, intent, self.policy, self.before)
        except SiliconFlowError as error:
            if error.billing in (Billing.NOT_SUBMITTED, Billing.REJECTED):
                claim.release()
            raise
        finally:
            self.is_submitting = False
        self.record = made

    def release(self) -> None:
        """Release the claim on the destination, since there will be no video."""
        if self.target:
            from airflow_provider_siliconflow.archive.prepare import release_claim

            release_claim(self.target.destination, owner=self.target.owner, timeout=self._store_timeout)

    @property
    def _store_timeout(self) -> float:
        """Return the seconds for a call to a store; a connection that is broken by now hides no archived video."""
        try:
            return self.hook.settings.store_timeout
        except (SiliconFlowConfigError, AirflowNotFoundException):
            return STORE_TIMEOUT

    def record_poll(self, poll: object) -> None:
        """
        Note what a poll of the video told.

        :param poll: What the poll returned; an error tells nothing.
        """
        if isinstance(poll, VideoStatus):
            self.status, self.seen_at = poll, now()

    async def archive(self, video: VideoStatus) -> dict[str, Any]:
        """
        Archive the video that is ready.

        :param video: Its status, with a URL.
        :return: The manifest.
        :raises SiliconFlowError: if it cannot be archived now.
        """
        # Imported here, since it loads aiohttp, which a process that archives nothing does not need.
        from airflow_provider_siliconflow.archive.archiver import VideoFacts
        from airflow_provider_siliconflow.jobs.archive import archive_paid_video
        from airflow_provider_siliconflow.jobs.video_facts import manifest_details

        assert self.target
        assert self.record
        record = self.record
        self.record_poll(video)
        traces = (record.trace_id,) if record.trace_id else ()
        known = VideoFacts(
            record.request_id, record.model or None, record.prompt, trace_ids=traces, details=manifest_details(self)
        )
        self.manifest = await archive_paid_video(self.hook, self.target, video.url, known.with_status(video))
        return self.manifest

    def find_archived(self) -> dict[str, Any] | None:
        """
        Return the manifest of the video if an earlier try has archived it, whatever the service says by now.

        :return: The manifest; None if the video is not archived.
        """
        from airflow_provider_siliconflow.archive.publish import find_archived

        assert self.target
        made = find_archived(
            self.target.destination, self.request_id, owner=self.target.owner, timeout=self._store_timeout
        )
        self.manifest = made or self.manifest
        return made

    def explain(self, error: Exception) -> SiliconFlowError:
        """
        Return the error with which a task ends whose video is paid for and not archived.

        A failed video's record is closed, so that a retry submits anew. All else is retried, whatever it is: a retry
        re-attaches to the video, which costs nothing.

        :param error: What happened.
        :return: The error to raise.
        """
        if not isinstance(error, SiliconFlowError):
            error = VideoNotArchivedError(describe_error(error))
        if isinstance(error, VideoFailedError):
            if self.record and self.is_recorded:
                self.store.close(self.record, error.message)
            self.release()
            return error
        if isinstance(error, AirflowFailException):
            error = VideoNotArchivedError(str(error.with_billing(None)))
        return error.with_billing(Billing.RUNNING, request_id=self.request_id, next_step=self.next_step)
