"""Wait until a video is ready."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.providers.common.compat.sdk import (
    AirflowSensorTimeout,
    AirflowSkipException,
    BaseSensorOperator,
    PokeReturnValue,
    conf,
)

from airflow_provider_siliconflow.client.models import VideoStatus
from airflow_provider_siliconflow.exceptions import (
    SiliconFlowError,
    VideoFailedError,
    VideoFailedPermanentlyError,
    VideoTimeoutError,
)
from airflow_provider_siliconflow.polling.decision import (
    DEFAULT_POKE_INTERVAL,
    FAILED_DEFERRAL,
    WaitResult,
    describe,
    evaluate,
    evaluate_after_event,
    event_of_failed_deferral,
    timeout_message,
)

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context, XComArg


class VideoReadySensor(BaseSensorOperator):
    """
    Wait until SiliconFlow has made a video, and return a fresh link to it.

    Looks once at the start. The link returned lives ten minutes to an hour (the API's pages differ), so hand it to
    :class:`~airflow_provider_siliconflow.operators.video.ArchiveVideoOperator` without delay. Pushes the XCom
    ``video``: ``request_id``, ``expires_at`` (ISO 8601 or None), ``seed``, ``inference_seconds`` and, where the
    service told one, the last ``position``.

    :param request_id: What :class:`~airflow_provider_siliconflow.operators.video.SubmitVideoOperator` returned.
    :param siliconflow_conn_id: The Airflow connection the video was submitted with.
    :param deferrable: Wait in the triggerer. Defaults to ``[operators] default_deferrable``.
    :param poke_interval: Seconds between two looks. By default, a deferred wait looks when a look is worth it, by
        what past videos took; poke and reschedule mode look every 15 s.
    :param timeout: Seconds to wait; the default is 30 minutes (videos take 3 to 9, says the field).
    :raises VideoFailedPermanentlyError: a :class:`~airflow_provider_siliconflow.exceptions.VideoFailedError`, if the
        service could not make the video.
    :raises AirflowSensorTimeout: if it was not ready in time.
    """

    template_fields: Sequence[str] = ("request_id", "siliconflow_conn_id")
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
        self.learned_interval = poke_interval is None
        # An XComArg is a text by the time the task runs.
        self.request_id: str = request_id  # type: ignore[assignment]
        self.siliconflow_conn_id = siliconflow_conn_id
        self.deferrable = deferrable
        self._last: VideoStatus | SiliconFlowError | None = None

    def execute(self, context: Context) -> str:
        """Wait in the chosen mode."""
        try:
            url: str = super().execute(context)
        except AirflowSensorTimeout as error:
            # Airflow's own message knows nothing of the money, and its own loop here nothing of never_fail.
            late = self._timeout(timeout_message(self.request_id, self._last, None))
            if self.never_fail:
                raise AirflowSkipException(f"Skipping due to never_fail: {late}") from error
            raise late from error
        except AirflowSkipException as skip:
            self._say_why(skip)
            raise
        return url

    def poke(self, context: Context) -> bool | PokeReturnValue:
        """Look once; in deferrable mode, leave the rest to the triggerer."""
        outcome = evaluate(self.request_id, self._poll(), now=time.time(), deadline=None)
        if outcome:
            return PokeReturnValue(True, self._finish(context, outcome))
        if self.deferrable:
            self._defer(deadline=time.time() + self.timeout)
        return False

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Go on after a wait; look all the same where no triggerer came, for the video may be ready."""
        if next_method == FAILED_DEFERRAL:
            event = event_of_failed_deferral(self.request_id, next_kwargs, now=time.time())
            next_method, next_kwargs = "execute_complete", {"event": event}
        try:
            return super().resume_execution(next_method, next_kwargs, context)
        except AirflowSkipException as skip:
            self._say_why(skip)
            raise

    def execute_complete(self, context: Context, event: dict[str, Any]) -> str:
        """
        Look for a fresh link, now that the trigger saw the wait end.

        :param event: ``{"ending": …, "request_id": …, "deadline": …}``.
        """
        outcome, deadline = evaluate_after_event(
            self.request_id,
            event,
            self._poll(),
            now=time.time(),
            later="A retry of this task takes up the wait at no cost.",
        )
        return self._finish(context, outcome) if outcome else self._defer(deadline)

    def _say_why(self, skip: AirflowSkipException) -> None:
        """Log what became of the video: Airflow's own words tell a failed one and a late one alike."""
        # Airflow names a cause where a look was final, and none where time was up on a worker.
        self.log.warning("%s", skip.__cause__ or timeout_message(self.request_id, self._last, None))

    def _poll(self) -> VideoStatus | SiliconFlowError:
        from airflow_provider_siliconflow.hooks.siliconflow import SiliconFlowHook

        self._last = SiliconFlowHook(self.siliconflow_conn_id).poll(self.request_id)
        self.log.info("Video %s: %s", self.request_id, describe(self._last))
        return self._last

    def _finish(self, context: Context, outcome: WaitResult) -> str:
        try:
            video = outcome.result()
        except VideoFailedError as error:
            raise VideoFailedPermanentlyError(
                error.message, request_id=error.request_id, reason=error.reason
            ) from error
        except VideoTimeoutError as error:
            raise self._timeout(str(error)) from error
        context["ti"].xcom_push(key="video", value=video.to_xcom())
        assert video.url
        return video.url

    @staticmethod
    def _timeout(what: str) -> AirflowSensorTimeout:
        return AirflowSensorTimeout(f"{what} Clear this task to wait for it again, which costs nothing.")

    def _defer(self, deadline: float) -> NoReturn:
        # Imported here, as Airflow's triggers cost a DAG file more than all of this package.
        from airflow_provider_siliconflow.triggers.video import defer_until_ready

        interval = None if self.learned_interval else self.poke_interval
        defer_until_ready(self, self.request_id, deadline, interval)
