"""What the operators of one video have in common: its request, and a submit that is repeated while it is rejected."""

from __future__ import annotations

import random
import time
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from airflow_provider_siliconflow._airflow.names import AirflowSkipException
from airflow_provider_siliconflow._airflow.rendered import plain_path
from airflow_provider_siliconflow.billing import Billing, NextStep, sentence
from airflow_provider_siliconflow.client.prices import UNKNOWN_PRICE
from airflow_provider_siliconflow.client.retry import FailureKind, Route, classify_failure
from airflow_provider_siliconflow.exceptions import InvalidArgumentError, SiliconFlowError, SpendLimitError
from airflow_provider_siliconflow.jobs.reattach import explain_invalid, unknown_sentence
from airflow_provider_siliconflow.jobs.record import SubmitStore
from airflow_provider_siliconflow.jobs.request import FIELDS, read_fields
from airflow_provider_siliconflow.jobs.video_facts import describe, of_request, origin_of, with_error
from airflow_provider_siliconflow.jobs.video_job import VideoJob
from airflow_provider_siliconflow.jobs.video_xcom import push
from airflow_provider_siliconflow.operators.base import DEFER_TIMEOUT_SLACK, PaidVideoOperator
from airflow_provider_siliconflow.spend_limit import read_spend_limit

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from airflow.sdk import Context

    from airflow_provider_siliconflow.jobs.target import Target


#: Seconds over which tasks continue that have waited for the same midnight.
_SPREAD = 60.0


class SubmittingOperator(PaidVideoOperator):
    """
    Base of the operators that submit one video.

    :param prompt: What to show; the vendor's guide advises fewer than 200 words. A text that ends in ``.txt``, ``.md``
        or ``.j2`` names a template file; so for the negative prompt.
    :param model: Model id, e.g. ``Wan-AI/Wan2.2-T2V-A14B``; an unknown one is warned of, not refused.
    :param image_size: ``1280x720``, ``720x1280`` or ``960x960``.
    :param negative_prompt: What not to show.
    :param image: For image-to-video: an http(s) URL, a data URI, a local path or any object-storage URI.
    :param seed: A number that makes the result repeatable.
    """

    template_fields: Sequence[str] = (*FIELDS, "siliconflow_conn_id")
    template_fields_renderers: ClassVar[dict[str, str]] = {"prompt": "md", "negative_prompt": "md"}

    def __init__(
        self,
        *,
        prompt: str,
        model: str,
        image_size: str,
        negative_prompt: str | None = None,
        image: str | None = None,
        seed: int | str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.prompt = prompt
        self.model = model
        self.image_size = image_size
        self.negative_prompt = negative_prompt
        self.image = plain_path(image)
        self.seed = seed
        self._job: VideoJob | None = None

    def new_job(self, context: Context, target: Target | None = None) -> VideoJob:
        """
        Return the job of this task's video.

        :param context: The task's context.
        :param target: Where the video goes; None for a task that only submits.
        :return: The job; nothing was read or submitted yet.
        :raises SiliconFlowError: if an argument cannot be understood; what it says of the bill is of the record.
        """
        store, max_tries = self._open_store(context), context["ti"].max_tries
        try:
            self.check_arguments()
            fields = read_fields({name: getattr(self, name) for name in FIELDS})
        except InvalidArgumentError as error:
            told = explain_invalid(error, store.read(), max_tries, self.policy(self.model))
            asked = {name: value for name in FIELDS if isinstance(value := getattr(self, name), str) and name != "seed"}
            push(context, with_error(of_request(asked, None, UNKNOWN_PRICE), told))
            raise told from (None if told is error else error)
        origin = origin_of(context, self.siliconflow_conn_id)
        limit = read_spend_limit("spend_limit", self.spend_limit)
        self._job = VideoJob(self.hook, fields, store, self.policy(self.model), max_tries, target, origin, limit)
        return self._job

    def new_resumed_job(self, context: Context, target: Target) -> VideoJob:
        """
        Return the job of a video that this try has submitted, whatever a DAG deployed meanwhile says of its request.

        :param context: The task's context.
        :param target: Where the video goes.
        :return: The job.
        """
        try:
            fields = read_fields({name: getattr(self, name) for name in FIELDS})
        except InvalidArgumentError as error:
            self.log.error("%s This try continues with the video that it has paid for.", error.message)
            fields = {}
        store, max_tries = self._open_store(context), context["ti"].max_tries
        origin = origin_of(context, self.siliconflow_conn_id)
        self._job = VideoJob(self.hook, fields, store, self.policy(self.model), max_tries, target, origin)
        return self._job

    def submit(self, context: Context, job: VideoJob, *, since: float, rejections: int) -> None:
        """
        Submit a prepared job; where the service rejects it temporarily, wait and submit again.

        A worker waits here; a deferrable task leaves it and begins anew in ``resume_submit``.

        :param context: The task's context.
        :param job: The job, prepared.
        :param since: Epoch seconds of the first try.
        :param rejections: Rejections so far.
        :raises AirflowSkipException: after a dry run.
        :raises SiliconFlowError: if there is no video.
        """
        if job.guard.is_dry_run:
            job.release()
            raise AirflowSkipException(job.guard.count_dry_run([job.submit_name]))
        while True:
            try:
                job.submit()
            except SpendLimitError as error:
                job.release()
                if not error.resume_at:
                    raise
                push(context, with_error(describe(job), error))
                self.log.warning("%s Waits until then.", error.message)
                resume_at = error.resume_at.timestamp() + random.uniform(0.0, _SPREAD)
                self._defer_submit(resume_at, 0, resume_at - time.time())
            except SiliconFlowError as error:
                rejections += 1
                wait = self._seconds_to_wait(job, error, since, rejections)
                push(context, with_error(describe(job), error))
            else:
                return
            if self.deferrable:
                self._defer_submit(since, rejections, wait)
            time.sleep(wait)

    def push_submission(self, context: Context, job: VideoJob) -> None:
        """
        Push the XCom ``submission``, and the record of the video.

        :param context: The task's context.
        :param job: The job, submitted or re-attached.
        """
        assert job.record
        facts = job.record.model_dump(include={"request_id", "model", "host", "trace_id", "submitted_at"})
        try:
            context["ti"].xcom_push(key="submission", value=facts)
        except Exception:
            # The video is paid for: a try that knows its request id continues.
            self.log.exception("The XCom 'submission' of video %s cannot be pushed.", job.request_id)
        push(context, describe(job))

    @contextmanager
    def failures_told(self, context: Context) -> Iterator[None]:
        """
        Push the record of the video before an error ends the task.

        :param context: The task's context.
        :raises Exception: what was raised within.
        """
        try:
            yield
        except Exception as error:
            if self._job:
                push(context, with_error(describe(self._job), error, self._job.policy.price))
            raise

    def on_kill(self) -> None:
        """Log what happens to the money: nothing can cancel a video."""
        job = self._job
        if job and job.is_submitting:
            told = unknown_sentence(job.policy)
            self.log.warning("The task is stopped in the middle of a submit. %s", told)
        elif job and job.record:
            told = sentence(Billing.RUNNING, request_ids=(job.request_id,), next_step=job.next_step)
            self.log.warning("Stopping the task cancels nothing. %s", told)

    def _open_store(self, context: Context) -> SubmitStore:
        store = SubmitStore(self.find_stores(context))
        self.sweep_on_success(store)
        return store

    def _seconds_to_wait(self, job: VideoJob, error: SiliconFlowError, since: float, rejections: int) -> float:
        """Return when to submit again; raise where that is of no use, with the destination free if nothing is paid."""
        try:
            if classify_failure(Route.SUBMIT, error) is FailureKind.RETRY:
                return self.give_up_or_wait(error, since=since, rejections=rejections)
            raise error
        except SiliconFlowError as final:
            if final.billing in (Billing.NOT_SUBMITTED, Billing.REJECTED):
                job.release()
            raise

    def _defer_submit(self, since: float, rejections: int, wait: float) -> NoReturn:
        """Leave the worker until the service may accept the submit, so that waiting costs neither slot nor retry."""
        # Imported here, as Airflow's triggers cost a DAG file more than all of this package.
        from airflow_provider_siliconflow.triggers.submit import SubmitRetryTrigger

        self.defer(
            trigger=SubmitRetryTrigger(time.time() + wait, since, rejections, wait),
            method_name="resume_submit",
            timeout=timedelta(seconds=wait + DEFER_TIMEOUT_SLACK),
        )


def waiting_to_submit_failed(error_text: str) -> SiliconFlowError:
    """
    Return the error for a task whose deferral between two submits failed.

    :param error_text: What Airflow tells of it.
    :return: The error.
    """
    return SiliconFlowError(
        f"Waiting to submit again failed: {error_text} (is a triggerer running?).",
        billing=Billing.NOT_SUBMITTED,
        next_step=NextStep.SUBMIT,
    )
