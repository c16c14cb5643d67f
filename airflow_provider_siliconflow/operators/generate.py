"""Submit a video, wait for it and archive it, in one task."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from airflow_provider_siliconflow.archive.existing import IfExists
from airflow_provider_siliconflow.billing import Billing, NextStep
from airflow_provider_siliconflow.exceptions import (
    SiliconFlowError,
    VideoFailedError,
    VideoTimeoutError,
)
from airflow_provider_siliconflow.jobs.archive import archive
from airflow_provider_siliconflow.jobs.record import SubmitRecord, SubmitStore
from airflow_provider_siliconflow.operators.submit import SubmitVideoOperator
from airflow_provider_siliconflow.polling.decision import (
    DEFAULT_POKE_INTERVAL,
    WaitResult,
    describe,
    evaluate,
    evaluate_after_event,
    event_of_failed_deferral,
)

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_siliconflow.client.models import VideoStatus
    from airflow_provider_siliconflow.hooks.siliconflow import SiliconFlowHook

_ON_RECORD = (
    "A retry of this task goes on waiting for it, which costs nothing; clearing the task makes another video, unless"
    " reuse_on_clear is set."
)
_NOT_ON_RECORD = "No record of it could be read: a retry that finds none makes another video and pays for it."


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
        """Look once; wait, if that is not enough."""
        assert record.request_id
        deadline = time.time() + self.timeout
        while True:
            look = self._poll(hook, record.request_id)
            outcome = evaluate(record.request_id, look, now=time.time(), deadline=deadline)
            if outcome:
                return self._finish(context, hook, outcome, SubmitStore(context).keep(record.request_id))
            if self.deferrable:
                self._defer_until_ready(record.request_id, deadline, record)
            time.sleep(max(0.0, min(self.poke_interval or DEFAULT_POKE_INTERVAL, deadline - time.time())))

    def resume_after_failed_deferral(self, context: Context, failure: dict[str, Any] | None) -> str:
        """Look all the same where no triggerer came, for the video may be ready."""
        ti = context["ti"]
        submission = ti.xcom_pull(key="submission", map_indexes=ti.map_index)
        if not submission:
            return super().resume_after_failed_deferral(context, failure)
        return self.execute_complete(
            context, event_of_failed_deferral(submission["request_id"], failure, now=time.time())
        )

    def execute_complete(self, context: Context, event: dict[str, Any]) -> str:
        """
        Look for a fresh link, now that the trigger saw the wait end, and archive the video.

        :param event: ``{"ending": …, "request_id": …, "deadline": …}``.
        """
        from airflow_provider_siliconflow.hooks.siliconflow import SiliconFlowHook

        self._request_id = request_id = event["request_id"]
        hook = SiliconFlowHook(self.siliconflow_conn_id)
        kept = SubmitStore(context).keep(request_id)
        look = self._poll(hook, request_id)
        outcome, deadline = evaluate_after_event(request_id, event, look, now=time.time(), later=_later(kept))
        if outcome is None:
            self._defer_until_ready(request_id, deadline, kept)
        return self._finish(context, hook, outcome, kept)

    def _defer_until_ready(self, request_id: str, deadline: float, record: SubmitRecord | None) -> NoReturn:
        # Imported here, as Airflow's triggers cost a DAG file more than all of this package.
        from airflow_provider_siliconflow.triggers.video import defer_until_ready

        since = record.submitted if record else None
        defer_until_ready(self, request_id, deadline, self.poke_interval, self.model, since)

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

    def _poll(self, hook: SiliconFlowHook, request_id: str) -> VideoStatus | SiliconFlowError:
        look = hook.poll(request_id)
        self.log.info("Video %s: %s", request_id, describe(look))
        return look

    def _finish(self, context: Context, hook: SiliconFlowHook, outcome: WaitResult, kept: SubmitRecord | None) -> str:
        """
        Archive the video, or say why not, and what that means for the money.

        :param kept: The record of the video, if there is one.
        """
        from airflow_provider_siliconflow.archive.archiver import VideoFacts
        from airflow_provider_siliconflow.archive.publish import find_archived

        try:
            video = outcome.result()
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
            if isinstance(error, VideoTimeoutError):
                raise VideoTimeoutError(f"{error} {_later(kept)}") from error
            error.with_billing(
                Billing.RUNNING,
                request_id=outcome.request_id,
                next_step=NextStep.REATTACH if kept else NextStep.PAY_AGAIN,
            )
            raise


def _later(kept: SubmitRecord | None) -> str:
    return _ON_RECORD if kept else _NOT_ON_RECORD


class _AlreadyThereError(Exception):
    """Carry the manifest of what stands at the destination, where that means there is nothing to pay for."""

    def __init__(self, manifest: dict[str, Any]) -> None:
        super().__init__(manifest)
        self.manifest = manifest
