"""Generate a list of videos in one task."""

from __future__ import annotations

import time
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, get_args

from airflow_provider_siliconflow import metrics
from airflow_provider_siliconflow._airflow.rendered import plain_path
from airflow_provider_siliconflow.archive.existing import IfExists
from airflow_provider_siliconflow.assets import read_asset
from airflow_provider_siliconflow.exceptions import InvalidArgumentError
from airflow_provider_siliconflow.jobs.announce import AnnouncesVideos
from airflow_provider_siliconflow.jobs.arguments import flag, one_of, optional_seconds, seconds
from airflow_provider_siliconflow.jobs.batch import BatchState
from airflow_provider_siliconflow.jobs.batch_open import open_lists, open_run, order_of, raise_for_list
from airflow_provider_siliconflow.jobs.labels import label_fields
from airflow_provider_siliconflow.label.settings import read_label
from airflow_provider_siliconflow.operators.base import DEFER_TIMEOUT_SLACK, PaidVideoOperator

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import PurePath

    from airflow.sdk import Asset, Context, ObjectStoragePath

    from airflow_provider_siliconflow.jobs.batch_run import BatchRun
    from airflow_provider_siliconflow.label import VideoLabel


class GenerateVideoBatchOperator(AnnouncesVideos, PaidVideoOperator):
    """
    Submit a list of videos, wait for all, archive each as it gets ready; return a manifest.

    A bad request never costs the others: what became of each is in its item of the manifest (``index``, ``state``,
    ``billing``, ``request_id``, ``path``, ``reason``, ``estimated_cost``, ``currency``). The list that a try begins
    with holds until its end. A retry re-attaches to what is paid for and submits only what is missing; each request has
    a durable record of its own, found again by its content. Videos that an earlier try has paid for and the list asks
    for no more are archived as well, and the task then fails with a :class:`.SubmitConflictError` instead of paying for
    what is new. A task that fails pushes its manifest as the XCom ``manifest``.

    :param requests: A list of prompts, or of mappings with ``prompt``, ``model``, ``image_size``,
        ``negative_prompt``, ``image``, ``seed``. A text that ends in ``.txt``, ``.md`` or ``.j2`` names a
        template file.
    :param destination: A folder, local or in any object storage; each video is ``<request_id>.mp4`` in it.
    :param model: For requests that do not say.
    :param image_size: For requests that do not say.
    :param siliconflow_conn_id: Airflow connection of type ``siliconflow``.
    :param deferrable: Wait in the triggerer, with one trigger for all, or else in the worker; by default as
        ``[operators] default_deferrable`` says.
    :param if_exists: What to do if another video is at a destination: ``fail``, ``skip`` or ``overwrite``.
    :param poke_interval: Seconds, or a ``timedelta``, between two polls of a video. By default, a deferred wait polls
        when a poll is worth it, by what past videos took; a worker polls every 15 s.
    :param timeout: Seconds, or a ``timedelta``, to wait for the videos after the last submit.
    :param submit_timeout: Seconds, or a ``timedelta``, for which submits that are rejected temporarily are tried again.
    :param on_unknown_submit: As for ``SubmitVideoOperator``; with ``resubmit`` the task fails at its end while it has
        tries left, since it takes a retry to submit anew.
    :param reuse_on_clear: As for ``SubmitVideoOperator``.
    :param fail_on_partial_error: Fail the task, after everything else is archived, if any request is not archived.
    :param probe_destination: Whether to find out before paying if a store can be written to, by a hidden object that is
        written and removed.
    :param video_label: As for ``GenerateVideoOperator``.
    :param asset: As for ``GenerateVideoOperator``; the events come once the task succeeds, one for each archived video.
    :param spend_limit: As for ``SubmitVideoOperator``.
    """

    template_fields: Sequence[str] = (
        "requests",
        "destination",
        "model",
        "image_size",
        "siliconflow_conn_id",
        "video_label",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {"requests": "json"}
    ui_color = "#d2dcf0"
    argument_checks: ClassVar[Mapping[str, Callable[[str, Any], object]]] = {
        **PaidVideoOperator.argument_checks,
        "timeout": seconds,
        "poke_interval": optional_seconds,
        "if_exists": partial(one_of, allowed=get_args(IfExists)),
        "fail_on_partial_error": flag,
        "probe_destination": flag,
        "video_label": read_label,
        "asset": read_asset,
    }

    def __init__(  # noqa: DOC102, DOC103  (those of the base class are documented as well)
        self,
        *,
        requests: list[str] | list[dict[str, Any]],
        destination: str | PurePath | ObjectStoragePath,
        model: str | None = None,
        image_size: str | None = None,
        if_exists: IfExists = "fail",
        poke_interval: timedelta | float | None = None,
        timeout: timedelta | float = 1800,
        fail_on_partial_error: bool = False,
        probe_destination: bool = True,
        video_label: VideoLabel | Mapping[str, Any] | None = None,
        asset: Asset | str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.requests = requests
        self.destination = plain_path(destination)
        self.model = model
        self.image_size = image_size
        self.if_exists = if_exists
        self.poke_interval = poke_interval
        self.timeout = timeout
        self.fail_on_partial_error = fail_on_partial_error
        self.probe_destination = probe_destination
        self.video_label = label_fields(video_label)
        self.declare_outlet(asset)
        self._run: BatchRun | None = None

    def execute(self, context: Context) -> dict[str, Any]:
        """
        Re-attach to what is paid for, submit what is missing, and archive what is ready.

        :param context: The task's context.
        :return: The manifest.
        :raises SubmitConflictError: if earlier tries have paid for videos that the list asks for no more.
        :raises SubmitOutcomeUnknownError: if the answer of a submit was lost.
        :raises VideoTimeoutError: if a video was not ready in time; a retry polls it again.
        :raises SiliconFlowError: if nothing at all is archived, or a paid video is not archived, or with
            ``fail_on_partial_error``.
        """
        run = self._begin(context, resumed=False)
        return self._advance(context, run)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> dict[str, Any]:
        """
        Archive what is ready and continue, now that the trigger saw waits end.

        :param context: The task's context.
        :param event: The :class:`.BatchEvent`.
        :return: The manifest.
        """
        from airflow_provider_siliconflow.polling.decision import WaitStatus
        from airflow_provider_siliconflow.triggers.events import BatchEvent

        woken = BatchEvent.decode(event)
        metrics.polled(woken.polls, woken.poll_errors)
        try:
            state = BatchState.from_json(woken.state or {})
        except ValueError as error:
            return self.execute_after_failed_deferral(context, woken.message or str(error))
        if woken.message:
            return self.execute_after_failed_deferral(context, woken.message)
        run = self._begin(context, resumed=True, state=state)
        state.polled(woken.last_polled)
        rejected = {request_id for request_id, how in woken.ended.items() if how is WaitStatus.REJECTED}
        run.archiver.archive_ended(set(woken.ended), rejected)
        return self._advance(context, run)

    def execute_after_failed_deferral(self, context: Context, error_text: str) -> dict[str, Any]:
        """
        Poll all videos in the worker where the deferral failed, and defer again for those that are not ready.

        :param context: The task's context.
        :param error_text: What Airflow tells of it.
        :return: The manifest.
        """
        from airflow_provider_siliconflow._airflow.resume import is_deferral_timeout
        from airflow_provider_siliconflow.triggers.resume import MAX_FAILED_DEFERRALS, count_failed_deferral

        run = self._begin(context, resumed=True)
        failures, deadline = count_failed_deferral(context, None, time.time() + run.order.timeout)
        is_last = is_deferral_timeout(error_text) or failures >= MAX_FAILED_DEFERRALS
        run.state.deadline = time.time() if is_deferral_timeout(error_text) else deadline
        run.archiver.archive_ended(run.state.request_ids())
        self.log.warning("Waiting for the videos in the triggerer failed: %s", error_text)
        if not is_last:
            return self._advance(context, run)
        run.wait_in_worker()
        run.leave_unsubmitted(f"Waiting to submit failed: {error_text} (is a triggerer running?)")
        return self._end(context, run)

    def on_kill(self) -> None:
        """Log what happens to the money: nothing can cancel a video."""
        run = self._run
        if run:
            self.log.warning("Stopping the task cancels nothing. %s", run.describe())

    def _begin(self, context: Context, *, resumed: bool, state: BatchState | None = None) -> BatchRun:
        """Return the list of this try with its jobs; for a start and a failed deferral, re-attached."""
        problem = self.check_resumed_arguments() if resumed else ""
        lists = open_lists(context, self.hook, self.policy())
        self.sweep_on_success(lists)
        if not resumed:
            try:
                self.check_arguments()
            except InvalidArgumentError as error:
                raise_for_list(lists, error, self.policy())
        order = order_of(self, context)
        run = open_run(context, self.hook, order, self.give_up_or_wait, resumed=resumed, state=state)
        run.problem = problem
        self._run = run
        if state is None:
            run.submitter.reattach()
            run.archiver.archive_ended(run.submitter.take_unpolled())
        else:
            run.archiver.record_pending()
        return run

    def _advance(self, context: Context, run: BatchRun) -> dict[str, Any]:
        while True:
            submit_at = run.advance()
            if not run.state.pending and submit_at is None:
                return self._end(context, run)
            # A spend limit resets at midnight: nobody holds a worker until then.
            if self.deferrable or run.submitter.waits_for_slot:
                self._defer(context, run, submit_at)
            run.wait_in_worker(submit_at)

    def _end(self, context: Context, run: BatchRun) -> dict[str, Any]:
        ti = context["ti"]
        has_retry = ti.try_number <= ti.max_tries
        result, error = run.end(has_retry=has_retry, fail_on_partial_error=self.fail_on_partial_error)
        if error:
            ti.xcom_push(key="manifest", value=result)
            raise error
        for told in run.records.archived():
            self.announce(context, told)
        return result

    def _defer(self, context: Context, run: BatchRun, submit_at: float | None) -> NoReturn:
        # Imported here, as Airflow's triggers cost a DAG file more than all of this package.
        from airflow_provider_siliconflow.triggers.base import MIN_DEFERRAL_SECONDS
        from airflow_provider_siliconflow.triggers.batch import VideoBatchTrigger

        run.archiver.record_pending()
        now, state = time.time(), run.state
        wake_at = run.wake_at(submit_at)
        self.log.info("%s videos pending, %s requests decided.", len(state.pending), len(state.items))
        self.defer(
            trigger=VideoBatchTrigger(self.siliconflow_conn_id, **run.wait_arguments(wake_at, now)),
            method_name="execute_complete",
            timeout=timedelta(seconds=max(wake_at - now, MIN_DEFERRAL_SECONDS) + DEFER_TIMEOUT_SLACK),
        )
