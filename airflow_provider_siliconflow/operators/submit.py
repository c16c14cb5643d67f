"""Submit a video, once."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from airflow_provider_siliconflow.operators.submitting import SubmittingOperator, waiting_to_submit_failed

if TYPE_CHECKING:
    from airflow.sdk import Context


class SubmitVideoOperator(SubmittingOperator):
    """
    Submit a video to SiliconFlow, once, and return its request id.

    The intent is written to Airflow's task state store (3.3 and later) before the submit and the request id right
    after it, so that a retry re-attaches to the video it has paid for. While the service rejects the submit temporarily
    (429, 503, no connection), the task waits, in the triggerer if it is ``deferrable``. Pushes the XCom ``submission``:
    ``request_id``, ``model``, ``host``, ``trace_id``, ``submitted_at`` (ISO 8601).

    :param prompt: What to show; the vendor's guide advises fewer than 200 words. A text that ends in ``.txt``, ``.md``
        or ``.j2`` names a template file; so for the negative prompt.
    :param model: Model id, e.g. ``Wan-AI/Wan2.2-T2V-A14B``; an unknown one is warned of, not refused.
    :param image_size: ``1280x720``, ``720x1280`` or ``960x960``.
    :param negative_prompt: What not to show.
    :param image: For image-to-video: an http(s) URL, a data URI, a local path or any object-storage URI.
    :param seed: A number that makes the result repeatable.
    :param siliconflow_conn_id: Airflow connection of type ``siliconflow``.
    :param deferrable: Wait in the triggerer, or else in the worker; by default as ``[operators] default_deferrable``
        says.
    :param submit_timeout: Seconds, or a ``timedelta``, for which a submit that is rejected temporarily is tried again.
    :param on_unknown_submit: What a retry does where submitting may pay for the same video twice: ``fail``, or
        ``resubmit``.
    :param reuse_on_clear: Whether a cleared task re-attaches to the video it has paid for; by default it submits
        another.
    :param spend_limit: How many videos the tasks of the DAG may submit: a
        :class:`~airflow_provider_siliconflow.spend_limit.SpendLimit` or a mapping of its fields; besides the limit of
        the connection.
    """

    ui_color = "#d9d2f7"

    def execute(self, context: Context) -> str:
        """
        Submit the video, or re-attach to the one that an earlier try has submitted.

        :param context: The task's context.
        :return: The request id.
        :raises InvalidVideoRequestError: for a request that cannot become a video, before anything is paid.
        :raises SubmitOutcomeUnknownError: if the answer was lost: a video may be running and billed.
        :raises SubmitConflictError: if an earlier try has paid for another request.
        """
        return self._run(context, since=time.time(), rejections=0)

    def resume_submit(self, context: Context, event: dict[str, Any]) -> str:
        """
        Submit again what was rejected temporarily.

        :param context: The task's context.
        :param event: The :class:`.SubmitRetryEvent`.
        :return: The request id.
        """
        from airflow_provider_siliconflow.triggers.events import SubmitRetryEvent

        retry = SubmitRetryEvent.decode(event)
        return self._run(context, since=retry.first_rejection(now=time.time()), rejections=retry.rejections)

    def execute_after_failed_deferral(self, context: Context, error_text: str) -> str:
        """
        Fail where waiting to submit again failed.

        :param context: The task's context.
        :param error_text: What Airflow tells of it.
        :return: Nothing.
        :raises SiliconFlowError: always.
        """
        raise waiting_to_submit_failed(error_text)

    def _run(self, context: Context, *, since: float, rejections: int) -> str:
        job = self.new_job(context)
        with self.failures_told(context):
            if not job.reattach():
                job.prepare()
                self.submit(context, job, since=since, rejections=rejections)
        job.ensure_recorded()
        self.push_submission(context, job)
        return job.request_id
