"""Make a list of videos in one task."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.providers.common.compat.sdk import BaseOperator

from airflow_provider_siliconflow._airflow import ResumeMixin, is_deferral_timeout
from airflow_provider_siliconflow.archive.existing import IfExists
from airflow_provider_siliconflow.exceptions import SiliconFlowError, VideoTimeoutError
from airflow_provider_siliconflow.jobs.batch import (
    BatchItem,
    ItemState,
    PendingVideo,
    Progress,
    keys,
    manifest,
    read_items,
)
from airflow_provider_siliconflow.jobs.record import KEY, SubmitStore
from airflow_provider_siliconflow.jobs.submit import OnUnknownSubmit
from airflow_provider_siliconflow.polling.decision import DEFAULT_POKE_INTERVAL

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_siliconflow.operators.batch_archive import Archiver
    from airflow_provider_siliconflow.operators.batch_submit import Submitter

DEFER_TIMEOUT_SLACK = 300.0


class GenerateVideoBatchOperator(ResumeMixin, BaseOperator):
    """
    Submit a list of videos, wait for all with one trigger, archive each as it gets ready; return a manifest.

    A bad request never costs the others: what became of each is in its row of the manifest (``index``, ``state``
    ``archived``/``rejected``/``failed``/``unknown``, ``request_id``, ``path``, ``reason``, ``cost``). A retry takes up
    what is in flight and submits only what is missing: each request has a durable record of its own, found again by its
    content, so a list that has changed between two tries pays for nothing twice. What was taken off the list is not
    archived. A task that fails pushes its manifest as the XCom ``manifest``; its rows can be ``timed_out`` and
    ``not_archived`` as well, to which a retry re-attaches, and ``not_submitted`` (the store of an image was down),
    which a retry submits.

    :param requests: A list of prompts, or of mappings with ``prompt``, ``model``, ``image_size``,
        ``negative_prompt``, ``image``, ``seed``.
    :param destination: A folder, local or in any object storage; each video is ``<request_id>.mp4`` in it.
    :param model: For requests that do not say.
    :param image_size: For requests that do not say.
    :param siliconflow_conn_id: Airflow connection of type ``siliconflow``.
    :param if_exists: What to do if another video is at a destination: ``fail``, ``skip`` or ``overwrite``.
    :param poke_interval: Seconds between two looks at a video; None to learn from what videos take.
    :param timeout: Seconds to wait for the videos after the last submit.
    :param submit_timeout: Seconds for which submits that are refused for now are tried again.
    :param on_unknown_submit: As for ``SubmitVideoOperator``; with ``resubmit`` the task fails at its end while it has
        tries left, since it takes a retry to submit anew.
    :param reuse_on_clear: As for ``SubmitVideoOperator``.
    :param fail_on_partial_error: Fail the task, after everything else is safe, if any request was not done.
    :raises SiliconFlowError: if nothing at all was made, or a paid video is not archived, or with
        ``fail_on_partial_error``.
    :raises VideoTimeoutError: if a video was not ready in time; a retry goes on waiting for it.
    """

    template_fields: Sequence[str] = ("requests", "destination", "model", "image_size", "siliconflow_conn_id")
    ui_color = "#d2dcf0"

    def __init__(
        self,
        *,
        requests: list[str] | list[dict[str, Any]],
        destination: str,
        model: str | None = None,
        image_size: str | None = None,
        siliconflow_conn_id: str = "siliconflow_default",
        if_exists: IfExists = "fail",
        poke_interval: float | None = None,
        timeout: float = 1800,
        submit_timeout: float = 3600,
        on_unknown_submit: OnUnknownSubmit = "fail",
        reuse_on_clear: bool = False,
        fail_on_partial_error: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.requests = requests
        self.destination = destination
        self.model = model
        self.image_size = image_size
        self.siliconflow_conn_id = siliconflow_conn_id
        self.if_exists = if_exists
        self.poke_interval = poke_interval
        self.timeout = timeout
        self.submit_timeout = submit_timeout
        self.on_unknown_submit = on_unknown_submit
        self.reuse_on_clear = reuse_on_clear
        self.fail_on_partial_error = fail_on_partial_error
        self._progress: Progress | None = None
        self._first_poll_after: float | None = None

    def execute(self, context: Context) -> dict[str, Any]:
        """Take up what is paid for, submit what is missing, and go on as far as the videos are."""
        submitter, archiver, progress = self._take_up(context)
        return self._advance(context, submitter, archiver, progress)

    def _take_up(self, context: Context) -> tuple[Submitter, Archiver, Progress]:
        """Find what is paid for by its records, and archive what of it is ready."""
        progress = Progress(accepted_at=time.time())
        submitter, archiver = self._halves(context, progress)
        submitter.take_up()
        archiver.archive_ended(dict.fromkeys(submitter.unseen()))
        return submitter, archiver, progress

    def execute_complete(self, context: Context, event: Any = None) -> dict[str, Any]:
        """
        Go on after a wait.

        :param event: As :func:`.events.decode_batch` reads it.
        """
        from airflow_provider_siliconflow.triggers.clock import next_first_poll
        from airflow_provider_siliconflow.triggers.events import decode_batch

        woken = decode_batch(event)
        if woken.message or woken.state is None:
            return self.execute_after_failed_deferral(context, woken.message)
        try:
            progress = Progress.from_json(woken.state)
        except (KeyError, TypeError, ValueError) as error:
            return self.execute_after_failed_deferral(context, f"its state cannot be read: {error!r}")
        progress.polled(woken.last_polled)
        submitter, archiver = self._halves(context, progress)
        before = len(progress.pending)
        archiver.archive_ended(woken.ended)
        if woken.ended and len(progress.pending) == before:
            # The clocks or connections of triggerer and worker differ: start workers for nothing less often.
            from airflow_provider_siliconflow.triggers.video import MIN_DEFERRAL_SECONDS

            self._first_poll_after = next_first_poll(woken.first_poll_after, MIN_DEFERRAL_SECONDS)
        return self._advance(context, submitter, archiver, progress)

    def execute_after_failed_deferral(self, context: Context, error_text: str) -> dict[str, Any]:
        """
        Archive what is ready after a deferral that failed, and wait for the rest.

        :param error_text: Why it failed.
        """
        from airflow_provider_siliconflow.triggers.resume import MAX_FAILED_DEFERRALS, count_failed_deferral

        submitter, archiver, progress = self._take_up(context)
        if not progress.pending and not progress.missing(len(progress.keys)):
            return self._end(context, progress)
        if is_deferral_timeout(error_text) or not SubmitStore(context).exists:
            raise SiliconFlowError(
                f"Waiting for the videos in the triggerer failed ({error_text}). {self._told(context, progress)}"
            )
        failures, _ = count_failed_deferral(context, None, progress.deadline)
        self.log.warning("Waiting for the videos failed (%s), %s times in this try.", error_text, failures)
        while failures >= MAX_FAILED_DEFERRALS and progress.pending:
            time.sleep(self.poke_interval or DEFAULT_POKE_INTERVAL)
            archiver.archive_ended({video.request_id: None for video in progress.pending.values()})
        return self._advance(context, submitter, archiver, progress)

    def on_kill(self) -> None:
        """Tell the truth: nothing can cancel a video."""
        if self._progress and self._progress.pending:
            self.log.warning(
                "This cancels nothing: %s videos keep running at SiliconFlow and are billed. A retry takes them up by"
                " their records, if they were kept.",
                len(self._progress.pending),
            )

    def _halves(self, context: Context, progress: Progress) -> tuple[Submitter, Archiver]:
        from airflow_provider_siliconflow.hooks.siliconflow import SiliconFlowHook
        from airflow_provider_siliconflow.operators.batch_archive import Archiver
        from airflow_provider_siliconflow.operators.batch_submit import Submitter

        self._progress = progress
        defaults = {"model": self.model, "image_size": self.image_size}
        items = read_items(self.requests, {name: value for name, value in defaults.items() if value})
        for pending_video in progress.follow(keys(items)):
            self.log.warning(
                "Video %s is asked for no more: it keeps running at the service, is billed, and is not archived.",
                pending_video.request_id,
            )
        stores = [SubmitStore(context, f"{KEY}.{key}") for key in progress.keys]
        # A list of videos has no single name.
        folder = self.destination if self.destination.endswith("/") else f"{self.destination}/"
        hook = SiliconFlowHook(self.siliconflow_conn_id)
        return (
            Submitter(self, context, hook, items, progress, stores, folder),
            Archiver(hook, items, progress, stores, folder, self.if_exists),
        )

    def _advance(
        self, context: Context, submitter: Submitter, archiver: Archiver, progress: Progress
    ) -> dict[str, Any]:
        try:
            wait = submitter.submit_missing()
        except SiliconFlowError as error:
            error.message += f" {self._told(context, progress)}"
            raise
        archiver.archive_ended(dict.fromkeys(submitter.unseen()))
        if progress.pending or wait is not None:
            self._defer(progress, wait)
        return self._end(context, progress)

    def _end(self, context: Context, progress: Progress) -> dict[str, Any]:
        result = manifest(progress.rows)
        if error := self._failure(context, progress.rows, result):
            context["ti"].xcom_push(key="manifest", value=result)
            raise error
        return result

    @staticmethod
    def _told(context: Context, progress: Progress) -> str:
        """Say what became of the money so far."""
        pending_videos: list[PendingVideo] = list(progress.pending.values())
        done = sum(row.state is ItemState.ARCHIVED for row in progress.rows)
        ids = f" ({', '.join(video.request_id for video in pending_videos)})" if pending_videos else ""
        return (
            f"{done} videos are archived; {len(pending_videos)} are submitted, keep running at the service and"
            f" are billed{ids}."
            f" {_later(context)}"
        )

    def _defer(self, progress: Progress, wait: float | None) -> NoReturn:
        # Imported here, as Airflow's triggers cost a DAG file more than all of this package.
        from airflow_provider_siliconflow.triggers.batch import VideoBatchTrigger
        from airflow_provider_siliconflow.triggers.video import MIN_DEFERRAL_SECONDS

        now = time.time()
        wake_at = min(
            *([progress.deadline] if progress.pending else []),
            *([now + wait] if wait is not None else []),
            float("inf"),
        )
        pending_videos = progress.pending.values()
        models = {video.model for video in pending_videos}
        self.log.info("%s videos under way, %s rows decided.", len(pending_videos), len(progress.rows))
        self.defer(
            trigger=VideoBatchTrigger(
                self.siliconflow_conn_id,
                {video.request_id: video.times() for video in pending_videos},
                progress.deadline,
                wake_at,
                state=progress.to_json(),
                poke_interval=self.poke_interval,
                model=models.pop() if len(models) == 1 else None,
                first_poll_after=self._first_poll_after,
            ),
            method_name="execute_complete",
            timeout=timedelta(
                seconds=max(wake_at - now, self._first_poll_after or MIN_DEFERRAL_SECONDS) + DEFER_TIMEOUT_SLACK
            ),
        )

    def _failure(self, context: Context, rows: Sequence[BatchItem], result: dict[str, Any]) -> SiliconFlowError | None:
        """Say why the task fails, if it does."""
        undone = [row for row in rows if row.state is not ItemState.ARCHIVED]
        for row in undone:
            self.log.error("Request %s: %s: %s", row.index, row.state.value, row.reason)
        told = f"{result['archived']} of {len(rows)} videos are archived"
        if pending := [row for row in undone if row.state in (ItemState.TIMED_OUT, ItemState.NOT_ARCHIVED)]:
            kind = VideoTimeoutError if result["timed_out"] else SiliconFlowError
            return kind(
                f"{told}; {len(pending)} are submitted and billed, and not safe yet: {pending[0].reason}"
                f" {_later(context)}"
            )
        ti = context["ti"]
        not_submitted = [row for row in undone if row.state is ItemState.NOT_SUBMITTED]
        if not_submitted and ti.try_number <= ti.max_tries:
            return SiliconFlowError(
                f"{told}; {len(not_submitted)} not submitted for now and not billed, a retry submits what is missing."
                f" The first: {not_submitted[0].reason}"
            )
        if result["unknown"] and self.on_unknown_submit == "resubmit" and ti.try_number <= ti.max_tries:
            return SiliconFlowError(
                f"{told}; of {result['unknown']} submits the outcome is unknown. A retry submits them anew:"
                " on_unknown_submit='resubmit'."
            )
        if undone and (self.fail_on_partial_error or not result["archived"]):
            return SiliconFlowError(
                f"{told}: {result['failed']} failed at the service,"
                f" {result['rejected'] + result['not_submitted']} were rejected or not submitted and cost nothing,"
                f" of {result['unknown']} the outcome is unknown. The first: {undone[0].reason}"
            )
        return None


def _later(context: Context) -> str:
    """Say what a retry makes of the videos that are under way."""
    if SubmitStore(context).exists:
        return "A retry of this task takes them up at no cost."
    return "This Airflow keeps no record of them (3.3 and later do): a retry makes others and pays for them."
