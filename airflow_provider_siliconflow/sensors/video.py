"""Wait until a video is ready."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseSensorOperator, PokeReturnValue

from airflow_provider_siliconflow import metrics
from airflow_provider_siliconflow._airflow.names import AirflowSensorTimeout, AirflowSkipException, conf
from airflow_provider_siliconflow._airflow.resume import ResumeMixin
from airflow_provider_siliconflow.billing import Billing, NextStep
from airflow_provider_siliconflow.exceptions import (
    VideoFailedError,
    VideoFailedPermanentlyError,
    VideoTimeoutError,
    VideoUnavailableError,
)
from airflow_provider_siliconflow.jobs.arguments import seconds, text
from airflow_provider_siliconflow.jobs.hook_mixin import HookMixin
from airflow_provider_siliconflow.jobs.record import now
from airflow_provider_siliconflow.jobs.video_facts import with_error, with_status
from airflow_provider_siliconflow.jobs.video_link import VideoLink
from airflow_provider_siliconflow.jobs.video_xcom import pull_upstream, push
from airflow_provider_siliconflow.polling.decision import (
    DEFAULT_POKE_INTERVAL,
    PollResult,
    Wait,
    WaitResult,
    WaitStatus,
)
from airflow_provider_siliconflow.polling.worker import poll_once, poll_paid_video

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

    from airflow.sdk import Context, XComArg

    from airflow_provider_siliconflow.client.models import VideoStatus
    from airflow_provider_siliconflow.client.video_record import VideoRecord
    from airflow_provider_siliconflow.exceptions import SiliconFlowError
    from airflow_provider_siliconflow.triggers.resume import PaidVideo


class VideoReadySensor(ResumeMixin, HookMixin, BaseSensorOperator):
    """
    Wait until SiliconFlow has made a video, and return a fresh URL of it.

    Polls once at the start. The URL returned expires in ten minutes to an hour (the API's pages differ), so hand it to
    :class:`~airflow_provider_siliconflow.operators.video.ArchiveVideoOperator` without delay. Pushes the XCom
    ``video``: ``request_id``, ``expires_at`` (ISO 8601 or None), ``seed``, ``inference_seconds`` and, where the
    service told one, the last ``position``. No error of the service ends the wait for a paid video before its deadline,
    but for polls that are rejected for minutes on end; the task then fails so that a retry polls again.

    :param request_id: What :class:`~airflow_provider_siliconflow.operators.video.SubmitVideoOperator` returned.
    :param siliconflow_conn_id: The Airflow connection the video was submitted with.
    :param deferrable: Wait in the triggerer. Defaults to ``[operators] default_deferrable``.
    :param poke_interval: Seconds (or ``timedelta``) between two polls. By default, a deferred wait polls when it is
        worth it, by what past videos took; poke and reschedule mode poll every 15 s.
    :param timeout: Seconds (or ``timedelta``) to wait; users report that videos take 3 to 9 minutes.
    """

    template_fields: Sequence[str] = ("request_id", "siliconflow_conn_id")
    operator_extra_links = (VideoLink(),)
    ui_color = "#e8e4fb"

    def __init__(
        self,
        *,
        request_id: str | XComArg,
        siliconflow_conn_id: str = "siliconflow_default",
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        poke_interval: timedelta | float | None = None,
        timeout: timedelta | float = 1800,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            poke_interval=DEFAULT_POKE_INTERVAL if poke_interval is None else poke_interval, timeout=timeout, **kwargs
        )
        # Compared by identity: a cluster policy that sets the same number of seconds sets another object.
        self._estimated_interval = self.poke_interval if poke_interval is None else None
        # An XComArg is a text by the time the task runs.
        self.request_id: str = request_id  # type: ignore[assignment]
        self.siliconflow_conn_id = siliconflow_conn_id
        self.deferrable = deferrable
        self._last: PollResult | None = None
        self._record: VideoRecord | None = None
        self._pushed: tuple[object, ...] = ()

    def execute(self, context: Context) -> str:
        """
        Wait in the chosen mode.

        :param context: The task's context.
        :return: A fresh URL of the video.
        :raises VideoTimeoutError: if the video is not ready in time; a retry polls again.
        :raises VideoFailedPermanentlyError: if the service could not make it.
        :raises VideoUnavailableError: if every poll was rejected for a grace period; a retry polls again.
        :raises AirflowSkipException: instead of these, with ``soft_fail`` or ``never_fail``.
        """
        self._read_request_id()
        # A cluster policy may have set a timedelta.
        self.poke_interval = seconds("poke_interval", self.poke_interval)
        self.timeout = seconds("timeout", self.timeout)
        try:
            url: str = super().execute(context)
        except AirflowSensorTimeout as error:
            # Airflow's own message knows nothing of the money, and its own loop here nothing of never_fail.
            late = self._timeout_error(self._late())
            self._tell(context, with_error(self._told(context), late))
            if self.never_fail:
                raise AirflowSkipException(f"Skipping due to never_fail: {late}") from error
            raise late from error
        except AirflowSkipException as skip:
            self._log_cause(skip)
            raise
        return url

    def poke(self, context: Context) -> bool | PokeReturnValue:
        """
        Poll once; in deferrable mode, leave the rest to the triggerer.

        :param context: The task's context.
        :return: The URL, or False to keep waiting.
        """
        wait = Wait(self.request_id, deadline=time.time() + self.timeout)
        # Once, where the triggerer finds out whether a rejection is no accident.
        result = poll_once(self.hook, wait) if self.deferrable else poll_paid_video(self.hook, wait)
        self._last = wait.last
        if result:
            return PokeReturnValue(True, self._finish(context, result))
        self._tell(context, self._told(context))
        if self.deferrable:
            self._paid_video().defer(self, wait)
        return False

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """
        Resume as Airflow's sensors do, and log what a skip is for.

        :param next_method: See :class:`.ResumeMixin`; so the others.
        :param next_kwargs: Arguments of the method.
        :param context: The task's context.
        :return: A fresh URL of the video.
        :raises AirflowSkipException: with ``soft_fail`` or ``never_fail``, where the wait failed.
        """
        self._read_request_id()
        try:
            return super().resume_execution(next_method, next_kwargs, context)
        except AirflowSkipException as skip:
            if self.soft_fail and isinstance(skip.__cause__, VideoUnavailableError):
                # As in poke mode: Airflow's soft_fail skips what no retry can change.
                raise skip.__cause__ from None
            self._log_cause(skip)
            raise

    def execute_complete(self, context: Context, event: Any = None) -> str:
        """
        Poll for a fresh URL, now that the trigger saw the wait end.

        :param context: The task's context.
        :param event: As :func:`.events.decode` reads it.
        :return: A fresh URL of the video.
        """
        from airflow_provider_siliconflow.triggers.resume import resume_wait

        return self._finish(context, resume_wait(self, context, self.hook, self._paid_video(), event))

    def execute_after_failed_deferral(self, context: Context, error_text: str) -> str:
        """
        Poll all the same, for the video may be ready, and keep waiting if it is not.

        :param context: The task's context.
        :param error_text: Why the deferral failed.
        :return: A fresh URL of the video.
        """
        from airflow_provider_siliconflow.triggers.resume import resume_after_failed_deferral

        result = resume_after_failed_deferral(self, context, self.hook, self._paid_video(), error_text)
        return self._finish(context, result)

    def _paid_video(self) -> PaidVideo:
        # Imported here, as Airflow's triggers cost a DAG file more than all of this package.
        from airflow_provider_siliconflow.triggers.resume import PaidVideo

        is_estimated = self.poke_interval is self._estimated_interval
        return PaidVideo(
            self.request_id,
            timeout=seconds("timeout", self.timeout),
            poke_interval=None if is_estimated else seconds("poke_interval", self.poke_interval),
        )

    def _read_request_id(self) -> None:
        # What an empty template renders to names no video, and native rendering makes a number of digits.
        self.request_id = text("request_id", self.request_id) or ""

    def _finish(self, context: Context, result: WaitResult) -> str:
        self._last = result.last
        metrics.wait_ended(result.status, self._told(context).waited_seconds)
        try:
            video = self._video(result)
        except Exception as error:
            self._tell(context, with_error(self._told(context), error))
            raise
        self._tell(context, self._told(context))
        context["ti"].xcom_push(key="video", value=video.to_xcom())
        assert video.url
        return video.url

    def _video(self, result: WaitResult) -> VideoStatus:
        """Return the video that is ready, or say what its end means for the bill."""
        try:
            return result.video()
        except VideoFailedError as error:
            raise VideoFailedPermanentlyError(
                error.message, request_id=result.request_id, reason=error.reason
            ) from error
        except VideoTimeoutError as error:
            raise self._timeout_error(error) from error
        except VideoUnavailableError as error:
            error.with_billing(Billing.RUNNING, request_id=result.request_id, next_step=NextStep.POLL)
            raise

    def _told(self, context: Context) -> VideoRecord:
        """Return what is known of the video: what the tasks before this one told, and the last poll."""
        if self._record is None:
            self._record = pull_upstream(context, self.request_id)
        return with_status(self._record, self._last, now())

    def _tell(self, context: Context, told: VideoRecord) -> None:
        """Push the record of the video, if it tells anything that was not pushed before."""
        news = (told.state, told.service_state, told.position)
        if news != self._pushed:
            push(context, told)
            self._pushed = news

    def _late(self) -> SiliconFlowError:
        return WaitResult(WaitStatus.TIMED_OUT, self.request_id, self._last, None).error()

    def _timeout_error(self, error: SiliconFlowError) -> AirflowSensorTimeout:
        billed = error.with_billing(Billing.RUNNING, request_id=self.request_id, next_step=NextStep.POLL)
        return AirflowSensorTimeout(str(billed))

    def _log_cause(self, skip: AirflowSkipException) -> None:
        """Log what became of the video: Airflow's own words tell a failed one and a late one alike."""
        # Airflow names a cause where a poll was final, and none where time was up on a worker.
        self.log.warning("%s", skip.__cause__ or self._late())
