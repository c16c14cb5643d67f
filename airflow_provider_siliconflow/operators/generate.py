"""Submit a video, wait for it and archive it, in one task."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_siliconflow.archive.existing import IfExists
from airflow_provider_siliconflow.billing import Billing, NextStep
from airflow_provider_siliconflow.exceptions import (
    SiliconFlowError,
    VideoFailedError,
)
from airflow_provider_siliconflow.jobs.archive import archive
from airflow_provider_siliconflow.jobs.record import SubmitRecord, SubmitStore
from airflow_provider_siliconflow.operators.submit import SubmitVideoOperator
from airflow_provider_siliconflow.polling.decision import (
    DEFAULT_POKE_INTERVAL,
    Wait,
    WaitResult,
)
from airflow_provider_siliconflow.polling.worker import poll_once, wait_for_paid_video

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_siliconflow.hooks.siliconflow import SiliconFlowHook
    from airflow_provider_siliconflow.triggers.resume import PaidVideo


class GenerateVideoOperator(SubmitVideoOperator):
    """
    Submit a video, wait for it in the triggerer and archive it, in one task; return its path.

    Takes up its own video after any crash. A video that failed is paid for and done with: a retry submits anew. A
    video that is late stays on record: a retry goes on waiting for it. Takes the parameters of
    :class:`~airflow_provider_siliconflow.operators.video.SubmitVideoOperator` besides these, and pushes its XCom
    ``submission`` as well as ``video`` and ``manifest``.

    :param destination: As for :class:`~airflow_provider_siliconflow.operators.video.ArchiveVideoOperator`; checked
        before anything is paid.
    :param if_exists: What to do if another video is there: ``fail``, ``skip`` (nothing is paid then) or
        ``overwrite``.
    :param deferrable: Wait in the triggerer, the default, or in the worker.
    :param poke_interval: Seconds between two looks. By default, a deferred wait looks when a look is worth it, by
        what past videos took; a worker looks every 15 s.
    :param timeout: Seconds to wait for the video.
    :raises VideoFailedError: if the service could not make the video.
    :raises VideoTimeoutError: if it was not ready in time.
    """

    template_fields: Sequence[str] = (*SubmitVideoOperator.template_fields, "destination")
    ui_color = "#d2dcf0"

    def __init__(
        self,
        *,
        destination: str,
        if_exists: IfExists = "fail",
        deferrable: bool = True,
        poke_interval: float | None = None,
        timeout: float = 1800,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.destination = destination
        self.if_exists = if_exists
        self.deferrable = deferrable
        self.poke_interval = poke_interval
        self.timeout = timeout

    def before_paying(self) -> None:
        """Find out now, while it is free, whether the video could be archived."""
        from airflow_provider_siliconflow.archive.publish import prepare_destination

        if there := prepare_destination(self.destination, owner=None, if_exists=self.if_exists):
            raise _AlreadyThereError(there)

    def after_submit(self, context: Context, record: SubmitRecord, hook: SiliconFlowHook) -> str:
        """Poll once; wait, if that is not enough."""
        assert record.request_id
        wait = Wait(record.request_id, time.time() + self.timeout)
        result = poll_once(hook, wait) if self.deferrable else None
        if self.deferrable and not result:
            self._paid_video(wait.request_id, record).defer(self, wait)
        interval = self.poke_interval or DEFAULT_POKE_INTERVAL
        result = result or wait_for_paid_video(hook, wait, poke_interval=interval)
        return self._finish(context, hook, result, SubmitStore(context).keep(wait.request_id))

    def execute_after_failed_deferral(self, context: Context, error_text: str) -> str:
        """Poll all the same, for the video may be ready, and go on waiting if it is not."""
        from airflow_provider_siliconflow.triggers.resume import resume_after_failed_deferral

        request_id = self._known_request_id(context)
        if not request_id:
            return super().execute_after_failed_deferral(context, error_text)
        return self._resume(context, request_id, resume_after_failed_deferral, error_text)

    def execute_complete(self, context: Context, event: Any = None) -> str:
        """
        Poll for a fresh URL, now that the trigger saw the wait end, and archive the video.

        :param event: As :func:`.events.decode` reads it.
        """
        from airflow_provider_siliconflow.triggers.events import decode
        from airflow_provider_siliconflow.triggers.resume import resume_wait

        request_id = decode(event).request_id or self._known_request_id(context)
        if not request_id:
            raise SiliconFlowError(f"Neither the record nor the event names the video: {event!r:.80}")
        return self._resume(context, request_id, resume_wait, event)

    def _resume(self, context: Context, request_id: str, go_on: Callable[..., WaitResult], given: Any) -> str:
        from airflow_provider_siliconflow.hooks.siliconflow import SiliconFlowHook

        self._request_id = request_id
        hook = SiliconFlowHook(self.siliconflow_conn_id)
        kept = SubmitStore(context).keep(request_id)
        result = go_on(self, context, hook, self._paid_video(request_id, kept), given)
        return self._finish(context, hook, result, kept)

    def _known_request_id(self, context: Context) -> str | None:
        ti = context["ti"]
        submission = ti.xcom_pull(key="submission", map_indexes=ti.map_index)
        if isinstance(submission, dict) and submission.get("request_id"):
            return str(submission["request_id"])
        record = SubmitStore(context).read()
        return record.request_id if record and not record.closed else None

    def _paid_video(self, request_id: str, record: SubmitRecord | None) -> PaidVideo:
        # Imported here, as Airflow's triggers cost a DAG file more than all of this package.
        from airflow_provider_siliconflow.triggers.resume import PaidVideo

        since = record.submitted if record else None
        return PaidVideo(request_id, self.timeout, self.poke_interval, self.model, since)

    def _submit(self, context: Context, since: float, refusals: int) -> str:
        try:
            return super()._submit(context, since, refusals)
        except _AlreadyThereError as there:
            self.log.info("%s is there already: nothing is submitted or paid.", there.manifest["path"])
            return self._take(context, there.manifest)

    @staticmethod
    def _take(context: Context, manifest: dict[str, Any]) -> str:
        context["ti"].xcom_push(key="manifest", value=manifest)
        path: str = manifest["path"]
        return path

    def _finish(self, context: Context, hook: SiliconFlowHook, outcome: WaitResult, kept: SubmitRecord | None) -> str:
        """
        Archive the video, or say why not, and what that means for the money.

        :param kept: The record of the video, if there is one.
        """
        from airflow_provider_siliconflow.archive.archiver import VideoFacts
        from airflow_provider_siliconflow.archive.publish import find_archived

        try:
            video = outcome.video()
            context["ti"].xcom_push(key="video", value=video.to_xcom())
            traces = (kept.trace_id,) if kept and kept.trace_id else ()
            facts = VideoFacts(video.request_id, self.model, self.prompt, trace_ids=traces).with_status(video)
            return archive(context, hook, self.destination, video.url, facts, self.if_exists)
        except SiliconFlowError as error:
            if made := find_archived(self.destination, outcome.request_id):
                self.log.info("%s was archived by a try before this one. The service says now: %s", made["path"], error)
                return self._take(context, made)
            if isinstance(error, VideoFailedError):
                if kept:
                    SubmitStore(context).close(kept, error.message)
                raise
            error.with_billing(
                Billing.RUNNING,
                request_id=outcome.request_id,
                next_step=NextStep.REATTACH if kept else NextStep.PAY_AGAIN,
            )
            raise


class _AlreadyThereError(Exception):
    """Carry the manifest of what stands at the destination, where that means there is nothing to pay for."""

    def __init__(self, manifest: dict[str, Any]) -> None:
        super().__init__(manifest)
        self.manifest = manifest
