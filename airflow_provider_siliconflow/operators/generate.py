"""Submit a video, wait for it and archive it, in one task."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, get_args

from airflow_provider_siliconflow import metrics
from airflow_provider_siliconflow._airflow.rendered import plain_path
from airflow_provider_siliconflow.archive.existing import IfExists
from airflow_provider_siliconflow.assets import read_asset
from airflow_provider_siliconflow.exceptions import SiliconFlowError
from airflow_provider_siliconflow.jobs.announce import AnnouncesVideos
from airflow_provider_siliconflow.jobs.archive import owner_of, run_for_task
from airflow_provider_siliconflow.jobs.arguments import flag, one_of, optional_seconds, seconds
from airflow_provider_siliconflow.jobs.labels import label_fields
from airflow_provider_siliconflow.jobs.target import Target
from airflow_provider_siliconflow.jobs.video_facts import describe, waited_seconds, with_error
from airflow_provider_siliconflow.jobs.video_xcom import push
from airflow_provider_siliconflow.label.settings import read_label
from airflow_provider_siliconflow.operators.submitting import SubmittingOperator, waiting_to_submit_failed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import timedelta
    from pathlib import PurePath

    from airflow.sdk import Asset, Context, ObjectStoragePath

    from airflow_provider_siliconflow.jobs.video_job import VideoJob
    from airflow_provider_siliconflow.label import VideoLabel
    from airflow_provider_siliconflow.polling.decision import WaitResult
    from airflow_provider_siliconflow.triggers.resume import PaidVideo


class GenerateVideoOperator(AnnouncesVideos, SubmittingOperator):
    """
    Submit a video, wait for it and archive it, in one task; return its path.

    Re-attaches to its own video after any crash. A video that failed is paid for: a retry submits anew. A video that is
    not ready in time stays on record: a retry polls it again. Takes the parameters of
    :class:`~airflow_provider_siliconflow.operators.video.SubmitVideoOperator` besides these, and pushes its XCom
    ``submission`` as well as ``video`` and ``manifest``.

    :param destination: As for :class:`~airflow_provider_siliconflow.operators.video.ArchiveVideoOperator`; checked
        and claimed before anything is paid.
    :param if_exists: What to do if another video is there: ``fail``, ``skip`` (nothing is paid then) or
        ``overwrite``.
    :param poke_interval: Seconds, or a ``timedelta``, between two polls. By default, a deferred wait polls when a poll
        is worth it, by what past videos took; a worker polls every 15 s.
    :param timeout: Seconds, or a ``timedelta``, to wait for the video.
    :param probe_destination: Whether to find out before paying if a store can be written to, by a hidden object that is
        written and removed.
    :param video_label: The labels of AI-generated video that the archived file gets: a
        :class:`~airflow_provider_siliconflow.label.VideoLabel` or a mapping of its fields; None for those of the
        connection.
    :param asset: The asset that gets an event for each archived video: an ``Asset``, or the URI or the name of one; by
        default one for the folder that the video is in. Whatever it is, a DAG with the schedule
        :data:`~airflow_provider_siliconflow.assets.NEW_VIDEO` runs.
    """

    template_fields: Sequence[str] = (*SubmittingOperator.template_fields, "destination", "video_label")
    ui_color = "#d2dcf0"
    argument_checks: ClassVar[Mapping[str, Callable[[str, Any], object]]] = {
        **SubmittingOperator.argument_checks,
        "timeout": seconds,
        "poke_interval": optional_seconds,
        "if_exists": partial(one_of, allowed=get_args(IfExists)),
        "probe_destination": flag,
        "video_label": read_label,
        "asset": read_asset,
    }

    def __init__(
        self,
        *,
        destination: str | PurePath | ObjectStoragePath,
        if_exists: IfExists = "fail",
        poke_interval: timedelta | float | None = None,
        timeout: timedelta | float = 1800,
        probe_destination: bool = True,
        video_label: VideoLabel | Mapping[str, Any] | None = None,
        asset: Asset | str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.destination = plain_path(destination)
        self.if_exists = if_exists
        self.poke_interval = poke_interval
        self.timeout = timeout
        self.probe_destination = probe_destination
        self.video_label = label_fields(video_label)
        self.declare_outlet(asset)

    def execute(self, context: Context) -> str:
        """
        Submit the video, or re-attach to it, wait for it and archive it.

        :param context: The task's context.
        :return: The path of the video.
        :raises SiliconFlowError: what went wrong; its ``billing`` says what happened to the money.
        """
        return self._start(context, since=time.time(), rejections=0)

    def resume_submit(self, context: Context, event: dict[str, Any]) -> str:
        """
        Submit again what was rejected temporarily, and continue.

        :param context: The task's context.
        :param event: The :class:`.SubmitRetryEvent`.
        :return: The path of the video.
        """
        from airflow_provider_siliconflow.triggers.events import SubmitRetryEvent

        retry = SubmitRetryEvent.decode(event)
        return self._start(context, since=retry.first_rejection(now=time.time()), rejections=retry.rejections)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> str:
        """
        Poll for a fresh URL, now that the trigger saw the wait end, and archive the video.

        :param context: The task's context.
        :param event: The :class:`.WaitEvent`.
        :return: The path of the video.
        """
        from airflow_provider_siliconflow.triggers.events import WaitEvent
        from airflow_provider_siliconflow.triggers.resume import resume_wait

        job = self._resumed_job(context, WaitEvent.decode(event).request_id, "its event names no video")
        result = resume_wait(self, context, self.hook, self._paid(job), event)
        return self._finish(context, job, result)

    def execute_after_failed_deferral(self, context: Context, error_text: str) -> str:
        """
        Poll in the worker where the deferral failed, for the video may be ready.

        :param context: The task's context.
        :param error_text: What Airflow tells of it.
        :return: The path of the video.
        """
        from airflow_provider_siliconflow.triggers.resume import resume_after_failed_deferral

        job = self._resumed_job(context, "", error_text)
        result = resume_after_failed_deferral(self, context, self.hook, self._paid(job), error_text)
        return self._finish(context, job, result)

    def _start(self, context: Context, *, since: float, rejections: int) -> str:
        job = self.new_job(context, self._target(context))
        with self.failures_told(context):
            if not job.reattach():
                made = job.prepare()
                if made is not None:
                    self.log.info("%s is there already: nothing is submitted or paid.", made["path"])
                    return self._return(context, job, made)
                self.submit(context, job, since=since, rejections=rejections)
        job.ensure_recorded()
        self.push_submission(context, job)
        return self._finish(context, job, self._wait(context, job))

    def _target(self, context: Context) -> Target:
        return Target(self.destination, self.if_exists, owner_of(context), self.probe_destination, self.video_label)

    def _resumed_job(self, context: Context, told: str, why: str) -> VideoJob:
        """Return the job of the video that this try has submitted; its record knows best which one that is."""
        self.check_resumed_arguments()
        job = self.new_resumed_job(context, self._target(context))
        ti = context["ti"]
        submission = ti.xcom_pull(key="submission", map_indexes=ti.map_index)
        pushed = submission.get("request_id") if isinstance(submission, dict) else None
        request_id = job.recorded_id() or pushed or told
        if not request_id:
            raise waiting_to_submit_failed(why)
        job.adopt(str(request_id))
        return job

    def _wait(self, context: Context, job: VideoJob) -> WaitResult:
        from airflow_provider_siliconflow.polling.decision import DEFAULT_POKE_INTERVAL, Wait, WaitResult, WaitStatus
        from airflow_provider_siliconflow.polling.worker import poll_once, wait_for_paid_video

        wait = Wait(job.request_id, time.time() + seconds("timeout", self.timeout))
        if not self.deferrable:
            interval = optional_seconds("poke_interval", self.poke_interval)
            return wait_for_paid_video(
                self.hook, wait, poke_interval=DEFAULT_POKE_INTERVAL if interval is None else interval
            )
        # Once, where the triggerer finds out whether a rejection is no accident.
        result = poll_once(self.hook, wait)
        if result is None and isinstance(wait.last, SiliconFlowError) and job.find_archived():
            # An earlier try has archived it, and the service may have forgotten it since.
            return WaitResult(WaitStatus.REJECTED, job.request_id, wait.last, wait.deadline)
        if result is None:
            job.record_poll(wait.last)
            push(context, describe(job))
            self._paid(job).defer(self, wait)
        assert result, "deferred otherwise"
        return result

    def _paid(self, job: VideoJob) -> PaidVideo:
        # Imported here, as Airflow's triggers cost a DAG file more than all of this package.
        from airflow_provider_siliconflow.triggers.resume import PaidVideo

        return PaidVideo(
            job.request_id,
            timeout=seconds("timeout", self.timeout),
            poke_interval=optional_seconds("poke_interval", self.poke_interval),
            model=job.fields.get("model"),
            submitted_at=job.record.submitted if job.record else None,
        )

    def _finish(self, context: Context, job: VideoJob, result: WaitResult) -> str:
        """Archive the video, or say why not, and what that means for the bill."""
        job.record_poll(result.last)
        metrics.wait_ended(result.status, waited_seconds(job))
        try:
            video = result.video()
            context["ti"].xcom_push(key="video", value=video.to_xcom())
            return self._return(context, job, run_for_task(context, lambda: job.archive(video)))
        except Exception as error:
            if made := job.find_archived():
                self.log.info("%s was archived by an earlier try. The service says now: %s", made["path"], error)
                return self._return(context, job, made)
            told = job.explain(error)
            push(context, with_error(describe(job), told, job.policy.price))
            raise told from (None if told is error else error)

    def _return(self, context: Context, job: VideoJob, manifest: dict[str, Any]) -> str:
        told = describe(job)
        push(context, told)
        self.announce(context, told)
        context["ti"].xcom_push(key="manifest", value=manifest)
        path: str = manifest["path"]
        return path
