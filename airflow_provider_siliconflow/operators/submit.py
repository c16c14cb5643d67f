"""Submit a video, once."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.providers.common.compat.sdk import BaseOperator

from airflow_provider_siliconflow._airflow import ResumeMixin
from airflow_provider_siliconflow.billing import Billing, NextStep
from airflow_provider_siliconflow.client.models import VideoRequest
from airflow_provider_siliconflow.client.retry import FailureKind, Route, classify_failure
from airflow_provider_siliconflow.exceptions import (
    InvalidVideoRequestError,
    SiliconFlowError,
    SubmitOutcomeUnknownError,
)
from airflow_provider_siliconflow.jobs.images import image_field
from airflow_provider_siliconflow.jobs.record import SubmitRecord, SubmitStore, intent_of
from airflow_provider_siliconflow.jobs.submit import OnUnknownSubmit, ResubmitPolicy, submit_once

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_siliconflow.hooks.siliconflow import SiliconFlowHook

#: Seconds of back-off after a refusal: the least (why: see MIN_DEFERRAL_SECONDS of the video trigger) and the most.
_LEAST_WAIT, _MOST_WAIT = 10.0, 300.0
#: Seconds beyond the trigger's own time after which Airflow may call the deferral dead.
DEFER_TIMEOUT_SLACK = 300.0


_REQUEST = ("prompt", "model", "image_size", "negative_prompt", "image", "seed")


class SubmitVideoOperator(ResumeMixin, BaseOperator):
    """
    Submit a video to SiliconFlow, once, and return its request id.

    The intent is written to Airflow's task state store (3.3 and later) before the submit and the id right after it,
    so a retry takes up the video it has paid for. While the service refuses for now (429, 503, no connection), the
    task defers itself. Pushes the XCom ``submission``: ``request_id``, ``model``, ``host``, ``trace_id``,
    ``submitted_at`` (ISO 8601).

    :param prompt: What to show; the vendor's guide advises fewer than 200 words.
    :param model: Model id, e.g. ``Wan-AI/Wan2.2-T2V-A14B``; an unknown one is warned of, not refused.
    :param image_size: ``1280x720``, ``720x1280`` or ``960x960``.
    :param negative_prompt: What not to show.
    :param image: For image-to-video: an http(s) URL (which the service fetches), a data URI, a local path, a URI of an
        object store, a ``Path`` or an ``ObjectStoragePath``; at most 32 MiB.
    :param seed: A number that makes the result repeatable.
    :param siliconflow_conn_id: Airflow connection of type ``siliconflow``.
    :param submit_timeout: Seconds for which a submit that is refused for now is tried again.
    :param on_unknown_submit: What a retry does where submitting may pay for the same video twice: ``fail``, or
        ``resubmit``.
    :param reuse_on_clear: Whether a cleared task takes up the video it has paid for; by default it makes another.
    :raises InvalidVideoRequestError: for a request that cannot become a video, before anything is paid.
    :raises SubmitOutcomeUnknownError: if the answer was lost: a video may be running and billed.
    """

    template_fields: Sequence[str] = (*_REQUEST, "siliconflow_conn_id")
    ui_color = "#d9d2f7"

    def __init__(
        self,
        *,
        prompt: str,
        model: str,
        image_size: str,
        negative_prompt: str | None = None,
        image: str | None = None,
        seed: int | str | None = None,
        siliconflow_conn_id: str = "siliconflow_default",
        submit_timeout: float = 3600,
        on_unknown_submit: OnUnknownSubmit = "fail",
        reuse_on_clear: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.prompt = prompt
        self.model = model
        self.image_size = image_size
        self.negative_prompt = negative_prompt
        self.image = image
        self.seed = seed
        self.siliconflow_conn_id = siliconflow_conn_id
        self.submit_timeout = submit_timeout
        self.on_unknown_submit = on_unknown_submit
        self.reuse_on_clear = reuse_on_clear
        self._request_id: str | None = None

    def execute(self, context: Context) -> str:
        """Submit the video and return its request id."""
        return self._submit(context, since=time.time(), refusals=0)

    def execute_after_failed_deferral(self, context: Context, error_text: str) -> str:
        """
        Go on after a deferral that failed; here, one that waited to submit.

        :param error_text: Why it failed.
        """
        error = SiliconFlowError(f"Waiting to submit failed ({error_text}): is a triggerer running?")
        error.with_billing(Billing.NOT_SUBMITTED, next_step=NextStep.SUBMIT)
        raise error

    def resume_submit(self, context: Context, event: Any = None) -> str:
        """
        Submit again what was rejected temporarily.

        :param event: As :func:`.events.decode_submit_retry` reads it.
        """
        from airflow_provider_siliconflow.triggers.events import decode_submit_retry

        known = decode_submit_retry(event, now=time.time())
        return self._submit(context, since=known.since, refusals=known.rejections)

    def on_kill(self) -> None:
        """Tell the truth: nothing can cancel a video."""
        if self._request_id:
            self.log.warning(
                "This cancels nothing: video %s keeps running at SiliconFlow and is billed. A retry takes it up by its"
                " record, if one was kept.",
                self._request_id,
            )

    def before_paying(self) -> None:
        """Raise what speaks against a submit that is about to be made; here, nothing does."""

    def after_submit(self, context: Context, record: SubmitRecord, hook: SiliconFlowHook) -> str:
        """Go on with a submitted video; here, return its id."""
        assert record.request_id
        return record.request_id

    def _submit(self, context: Context, since: float, refusals: int) -> str:
        from airflow_provider_siliconflow.hooks.siliconflow import SiliconFlowHook

        asked = {name: getattr(self, name) for name in _REQUEST}
        hook = SiliconFlowHook(self.siliconflow_conn_id)
        ti = context["ti"]
        policy = ResubmitPolicy(self.on_unknown_submit, self.reuse_on_clear, hook.settings.price)
        intent = intent_for(context, hook, asked)
        make_request = partial(read_request, asked, hook.settings.image_folders)
        try:
            record = submit_once(hook, make_request, SubmitStore(context), intent, policy, self.before_paying)
        except SubmitOutcomeUnknownError as error:
            if self.on_unknown_submit == "resubmit":
                raise SiliconFlowError(
                    error.message, billing=Billing.UNKNOWN, next_step=NextStep.RESUBMIT, price=error.price
                ) from error
            raise
        except SiliconFlowError as error:
            if classify_failure(Route.SUBMIT, error) is not FailureKind.RETRY:
                raise
            self._defer(error, since, refusals + 1)
        self._request_id = record.request_id
        self.log.info("Video %s is submitted (%s, trace id %s)", record.request_id, record.host, record.trace_id)
        facts = ("request_id", "model", "host", "trace_id", "submitted_at")
        ti.xcom_push(key="submission", value={name: getattr(record, name) for name in facts})
        return self.after_submit(context, record, hook)

    def _defer(self, error: SiliconFlowError, since: float, refusals: int) -> NoReturn:
        """Leave the worker until the service may take the submit, so that waiting costs neither a slot nor a retry."""
        # Imported here, as Airflow's triggers cost a DAG file more than all of this package.
        from airflow_provider_siliconflow.triggers.submit import SubmitRetryTrigger

        wait = wait_after(refusals, asked=getattr(error, "retry_after", None))
        now = time.time()
        if now + wait > since + self.submit_timeout:
            raise SiliconFlowError(
                f"Submitting was refused {refusals} times in {now - since:.0f} s (submit_timeout is"
                f" {self.submit_timeout:.0f} s); the last time: {error}"
            ) from error
        self.log.warning("Refused for now: %s Tries again in %.0f s.", error, wait)
        self.defer(
            trigger=SubmitRetryTrigger(now + wait, since, refusals, wait),
            method_name="resume_submit",
            timeout=timedelta(seconds=wait + DEFER_TIMEOUT_SLACK),
        )


def read_request(given: Mapping[str, Any], image_folders: Sequence[str] | None = None) -> VideoRequest:
    """
    Make a request of rendered arguments.

    :param given: Fields of :class:`VideoRequest`; ``seed`` may be a text, ``image`` a path.
    :param image_folders: Folders that a local image must be in; None for any.
    :raises InvalidVideoRequestError: if it cannot be sent as it is, or its image cannot be read.
    :raises ImageUnavailableError: if the store of its image cannot be reached for now.
    """
    # Imported here, as a DAG file has no need of it.
    from airflow_provider_siliconflow.client import endpoints

    image = given.get("image")
    request = VideoRequest(
        model=given.get("model", ""),
        prompt=given.get("prompt", ""),
        image_size=given.get("image_size", ""),
        negative_prompt=given.get("negative_prompt") or None,
        image=None if image is None or image == "" else image_field(image, image_folders),
        seed=_integer(given.get("seed")),
    )
    endpoints.submit(request)
    return request


def intent_for(context: Context, hook: SiliconFlowHook, asked: Mapping[str, Any]) -> SubmitRecord:
    """Make the record that this try writes before it submits a request."""
    return intent_of(
        asked,
        conn_id=hook.siliconflow_conn_id,
        settings=hook.settings,
        max_tries=context["ti"].max_tries,
    )


def wait_after(refusals: int, asked: float | None) -> float:
    """
    Return the seconds to wait after a refused submit.

    :param refusals: Refusals so far.
    :param asked: Seconds the service asked for, where it did.
    """
    if asked is not None:
        return max(asked, _LEAST_WAIT)
    backoff = min(_LEAST_WAIT * 2.0 ** min(refusals - 1, 10), _MOST_WAIT)
    return max(_LEAST_WAIT, random.uniform(0.5, 1.5) * backoff)


def _integer(seed: int | str | None) -> int | None:
    """Read a seed, which a template turns into text."""
    if isinstance(seed, str):
        text = seed.strip()
        if not text or text == "None":
            return None
        try:
            return int(text)
        except ValueError:
            raise InvalidVideoRequestError(f"seed {seed!r} is not an integer.") from None
    return seed
