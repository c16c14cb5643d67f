"""What the record and the manifest of a video tell: from its request, the polls of it, its archive or its error."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_siliconflow._airflow.names import AirflowSensorTimeout
from airflow_provider_siliconflow.billing import Billing
from airflow_provider_siliconflow.client.masking import describe_error, excerpt
from airflow_provider_siliconflow.client.models import VideoStatus
from airflow_provider_siliconflow.client.video_record import (
    RecordState,
    VideoRecord,
    known_fields,
    shown_image,
)
from airflow_provider_siliconflow.exceptions import SiliconFlowError, VideoFailedError, VideoTimeoutError
from airflow_provider_siliconflow.jobs.task_name import TaskName

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow.sdk import Context

    from airflow_provider_siliconflow.client.prices import Price
    from airflow_provider_siliconflow.jobs.record import SubmitRecord
    from airflow_provider_siliconflow.jobs.video_job import VideoJob

#: The fields that tell what a video costs.
_ESTIMATE = ("estimated_cost", "currency", "price_date", "price_source")
#: Characters of a reason.
_REASON = 1000


def origin_of(context: Context, conn_id: str) -> dict[str, Any]:
    """
    Return where a video is made, for its manifest.

    :param context: The task's context.
    :param conn_id: The Airflow connection.
    :return: ``conn_id``, ``dag_id``, ``run_id``, ``task_id``, ``map_index``.
    """
    return {"conn_id": conn_id, **TaskName.of(context)._asdict()}


def describe(job: VideoJob) -> VideoRecord:
    """
    Return the record of a job's video: what was asked for, what the service told of it, and what is archived.

    :param job: The job.
    :return: The record.
    """
    told = with_status(of_request(job.fields, job.record, job.policy.price), job.status, job.seen_at)
    return told if job.manifest is None else with_manifest(told, job.manifest)


def waited_seconds(job: VideoJob) -> float | None:
    """
    Return how long a job's video took from its submit until a task saw that it was ready.

    :param job: The job.
    :return: Seconds; None where it is not ready or that is not known.
    """
    return describe(job).waited_seconds


def manifest_details(job: VideoJob) -> dict[str, Any]:
    """
    Return what a manifest tells of a job's video beside its bytes: the same as its record, and where it was made.

    :param job: The job, whose video is ready.
    :return: Plain JSON by field.
    """
    return details_of(describe(job), {**job.origin, "host": job.record.host if job.record else None})


def details_of(told: VideoRecord, origin: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return what a manifest tells of a video beside its bytes.

    :param told: What is known of it.
    :param origin: As :func:`origin_of` returned it, with the ``host``.
    :return: Plain JSON by field.
    """
    archived = replace(told, state=RecordState.ARCHIVED, billing=Billing.ARCHIVED, reason=None)
    facts = archived.to_json()
    del facts["version"]
    return {**facts, **origin}


def of_request(fields: Mapping[str, Any], record: SubmitRecord | None, price: Price) -> VideoRecord:
    """
    Return the record of a video from its request, before or after the submit.

    :param fields: The request, as :func:`.request.read_fields` returns it.
    :param record: The record of its submit, if there is one.
    :param price: What one video costs.
    :return: The record.
    """
    asked = {name: fields.get(name) for name in ("model", "prompt", "negative_prompt", "image_size")}
    told = VideoRecord(
        state=RecordState.NOT_SUBMITTED,
        **asked,
        image=shown_image(fields.get("image")),
        seed_asked=fields.get("seed"),
        billing=Billing.NOT_SUBMITTED,
    )
    if record and record.request_id:
        told = replace(
            told,
            model=record.model or told.model,
            prompt=record.prompt or told.prompt,
            state=RecordState.SUBMITTED,
            request_id=record.request_id,
            submitted_at=record.submitted_at,
            billing=Billing.RUNNING,
        )
    return with_cost(told, price)


def with_status(told: VideoRecord, seen: object, seen_at: str | None) -> VideoRecord:
    """
    Return a record with what a poll of the video told.

    :param told: What is known.
    :param seen: What the poll returned; anything but a status tells nothing.
    :param seen_at: ISO 8601 time of the poll.
    :return: The record.
    """
    if not isinstance(seen, VideoStatus):
        return told
    told = replace(
        told,
        service_state=seen.status_text or seen.status.value,
        position=seen.position,
        polled_at=seen_at,
        seed=told.seed if seen.seed is None else seen.seed,
        inference_seconds=seen.inference_seconds,
    )
    if not seen.url or told.ready_at:
        return told
    return replace(told, state=RecordState.READY, ready_at=seen_at, waited_seconds=_between(told.submitted_at, seen_at))


def with_manifest(told: VideoRecord, manifest: Mapping[str, Any]) -> VideoRecord:
    """
    Return the record of a video that is archived.

    :param told: What is known.
    :param manifest: What its manifest tells, which was written by the task that archived it.
    :return: The record.
    """
    if told.request_id and manifest.get("request_id") != told.request_id:
        reason = f"Another video is at {manifest.get('path')}, and if_exists says to skip: this one is not archived."
        return replace(told, state=RecordState.NOT_ARCHIVED, reason=reason)
    # What this task's video costs: a manifest of another run may tell of another price.
    estimate = {name: getattr(told, name) for name in _ESTIMATE}
    facts = known_fields(manifest) | estimate | {"state": RecordState.ARCHIVED, "position": None}
    if told.billing == Billing.NOT_SUBMITTED:
        reason = "It was there already: nothing was submitted and nothing was paid."
        return replace(told, **facts | {"billing": told.billing, "reason": reason})
    return replace(told, **facts | {"billing": Billing.ARCHIVED, "reason": None})


def with_error(told: VideoRecord, error: BaseException, price: Price | None = None) -> VideoRecord:
    """
    Return the record of a video whose task fails.

    :param told: What is known.
    :param error: Why.
    :param price: What one video costs; None to keep the estimate.
    :return: The record.
    """
    billing = getattr(error, "billing", None)
    if billing is None and told.request_id:
        billing = Billing.FAILED if isinstance(error, VideoFailedError) else Billing.RUNNING
    failed = replace(
        told,
        state=state_of(error, billing),
        billing=billing or told.billing,
        request_id=told.request_id or getattr(error, "request_id", None) or None,
        reason=excerpt(str(error), length=_REASON) if isinstance(error, SiliconFlowError) else describe_error(error),
    )
    return failed if price is None else with_cost(failed, price)


def state_of(error: BaseException, billing: Billing | None) -> RecordState:
    """
    Return how far a video has come whose task fails.

    :param error: Why.
    :param billing: What is known of the bill.
    :return: The state.
    """
    if isinstance(error, VideoFailedError):
        return RecordState.FAILED
    if isinstance(error, VideoTimeoutError | AirflowSensorTimeout):
        return RecordState.TIMED_OUT
    return {
        Billing.REJECTED: RecordState.REJECTED,
        Billing.UNKNOWN: RecordState.UNKNOWN,
        Billing.RUNNING: RecordState.NOT_ARCHIVED,
        Billing.FAILED: RecordState.FAILED,
        Billing.ARCHIVED: RecordState.ARCHIVED,
    }.get(billing or Billing.NOT_SUBMITTED, RecordState.NOT_SUBMITTED)


def with_cost(told: VideoRecord, price: Price) -> VideoRecord:
    """
    Return a record with the estimated cost of its video.

    :param told: What is known.
    :param price: What one video costs.
    :return: The record.
    """
    return replace(told, **price.facts(told.billing))


def _between(first: str | None, second: str | None) -> float | None:
    try:
        seconds = datetime.fromisoformat(second or "") - datetime.fromisoformat(first or "")
    except (TypeError, ValueError):
        return None
    return max(0.0, seconds.total_seconds())
