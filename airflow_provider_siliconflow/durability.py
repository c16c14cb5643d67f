"""The record of a paid submit: the intent, then the id; and what a later try of the task may conclude from it."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from enum import Enum
from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_siliconflow.api.video import VideoRequest
from airflow_provider_siliconflow.exceptions import (
    SiliconFlowError,
    SubmitConflictError,
    SubmitOutcomeUnknownError,
    SubmitRecordError,
)

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_siliconflow.hooks.settings import Settings
    from airflow_provider_siliconflow.hooks.siliconflow import SiliconFlowHook

log = logging.getLogger(__name__)

#: Key in the task state store, which Airflow scopes to the task instance and map index, and never to the try.
KEY = "siliconflow.submit"

OnUnknownSubmit = Literal["fail", "resubmit"]


class Conclusion(Enum):
    """Name what a try may do."""

    SUBMIT = "submit"
    TAKE_UP = "take up"


@dataclass(frozen=True)
class SubmitRecord:
    """
    Hold what is known of a submit; an intent while ``request_id`` is None.

    :param fingerprint: Of the request, the connection and the host.
    :param model: The model asked for.
    :param host: The base URL asked.
    :param max_tries: The task instance's, at the time: Airflow raises it on a clear and leaves it on a retry.
    :param intent_at: ISO 8601 time just before the submit.
    :param request_id: The video's id, once known.
    :param trace_id: ``x-siliconcloud-trace-id`` of the submit, if it came.
    :param submitted_at: ISO 8601 time just after the submit.
    :param closed: Why the id is of no more use; empty while it is.
    """

    fingerprint: str
    model: str
    host: str
    max_tries: int
    intent_at: str
    request_id: str | None = None
    trace_id: str | None = None
    submitted_at: str | None = None
    closed: str = ""

    @property
    def submitted(self) -> float | None:
        """Return the epoch seconds of the submit, if there was one."""
        return datetime.fromisoformat(self.submitted_at).timestamp() if self.submitted_at else None


@dataclass(frozen=True)
class Policy:
    """
    Hold what the user said about paying again.

    :param on_unknown_submit: What to do where submitting may pay for the same video twice.
    :param reuse_on_clear: Whether a cleared task takes up the video it has paid for.
    :param price: What one video costs, in words.
    """

    on_unknown_submit: OnUnknownSubmit = "fail"
    reuse_on_clear: bool = False
    price: str = "the price of a video"


def intent_of(asked: Mapping[str, Any], *, conn_id: str, settings: Settings, max_tries: int) -> SubmitRecord:
    """
    Make the record to write before a submit.

    :param asked: What the user asks for, as given: a picture by its path, for what is paid for must be found again
        although the picture is gone.
    """
    given = {name: str(value) for name, value in asked.items() if value not in (None, "")}
    material = json.dumps([given, conn_id, settings.base_url], sort_keys=True)
    return SubmitRecord(
        fingerprint=hashlib.sha256(material.encode()).hexdigest(),
        model=given.get("model", ""),
        host=settings.base_url,
        max_tries=max_tries,
        intent_at=_now(),
    )


def conclude(record: SubmitRecord | None, intent: SubmitRecord, policy: Policy) -> Conclusion:
    """
    Say what a try may do, given the record of the tries before it.

    :param record: What is on record; None only if it is certain that nothing is.
    :param intent: What this try is about to submit.
    :param policy: What the user said about paying again.
    :raises SubmitOutcomeUnknownError: if a submit may have been accepted, and the policy is to fail.
    :raises SubmitConflictError: if another request was paid for, and the policy is to fail.
    """
    if record is None or record.closed:
        return Conclusion.SUBMIT
    # A clear raises max_tries; no retry does, nor a dead scheduler's leftovers. Airflow may hand a task that was
    # cleared as it ran on as a retry: it takes up its video, which costs nothing, and can be cleared again.
    cleared = record.max_tries != intent.max_tries
    if cleared and not (policy.reuse_on_clear and record.request_id):
        log.warning(
            "The task was cleared: it submits anew and pays %s again. On record was %s.", policy.price, _told(record)
        )
        return Conclusion.SUBMIT
    if record.request_id and record.fingerprint == intent.fingerprint:
        return Conclusion.TAKE_UP
    doubt = _conflict(record, policy) if record.request_id else _unknown(record, policy.price)
    if policy.on_unknown_submit == "fail":
        raise doubt
    log.warning("%s on_unknown_submit='resubmit' says to submit anew, for %s.", doubt.message, policy.price)
    return Conclusion.SUBMIT


class SubmitStore:
    """
    Keep one :class:`SubmitRecord` in Airflow's task state store.

    :param context: The task's context; Airflow before 3.3 has no store in it, and then nothing is kept.
    :param key: Key in the store.
    """

    def __init__(self, context: Context, key: str = KEY) -> None:
        self._store: Any = context.get("task_state_store")
        self._key = key

    @property
    def exists(self) -> bool:
        """Tell whether anything is kept at all."""
        return self._store is not None

    def read(self) -> SubmitRecord | None:
        """
        Return the record, or None if there is none.

        :raises SubmitRecordError: if that cannot be told.
        """
        if self._store is None:
            return None
        try:
            kept = self._store.get(self._key)
            return None if kept is None else SubmitRecord(**kept)
        except Exception as error:
            raise SubmitRecordError(
                f"The record of what was paid for cannot be read ({type(error).__name__}: {error}). That is not the"
                " same as no record, so the request was not submitted by this try; a retry reads again."
            ) from error

    def write(self, record: SubmitRecord) -> None:
        """
        Keep a record.

        :raises SubmitRecordError: if it cannot be kept.
        """
        if self._store is None:
            return
        try:
            self._store.set(self._key, asdict(record))
        except Exception as error:
            raise SubmitRecordError(
                f"The record of a submit cannot be written: {type(error).__name__}: {error}."
            ) from error

    def keep(self, request_id: str) -> SubmitRecord | None:
        """
        Return the record of a video that is known to this try, whose id could not be written before if need be.

        :return: None if nothing holds the id; how the video fares does not hang on that.
        """
        try:
            record = self.read()
            if record and record.request_id is None:
                record = replace(record, request_id=request_id, submitted_at=record.intent_at)
                self.write(record)
        except SubmitRecordError:
            log.exception("Goes on without the record of video %s.", request_id)
            return None
        return record if record and record.request_id == request_id else None

    def close(self, record: SubmitRecord, why: str) -> None:
        """Say of a paid video that its id is of no more use, so that the next try submits anew."""
        try:
            self.write(replace(record, closed=why))
        except SubmitRecordError:
            # What stays is the id: the next try meets the same end first, and pays nothing for that.
            log.exception("The record of video %s cannot be closed.", record.request_id)

    def forget(self) -> None:
        """Drop an intent that is known to have come to nothing."""
        if self._store is None:
            return
        try:
            self._store.delete(self._key)
        except Exception:
            # What stays is an intent without an id: the next try errs on the side of not paying twice.
            log.exception("The record of a submit that was refused cannot be deleted.")


def submit_once(
    hook: SiliconFlowHook,
    make_request: Callable[[], VideoRequest],
    store: SubmitStore,
    intent: SubmitRecord,
    policy: Policy,
    before_paying: Callable[[], None],
) -> SubmitRecord:
    """
    Submit a video unless it is known to be paid for; write down the intent before, and the id after.

    :param make_request: Makes the request, once it is certain that it is to be submitted; may raise to prevent it.
    :param before_paying: Called before that; may raise as well.
    :return: The record, with its ``request_id``.
    :raises SubmitOutcomeUnknownError: if a video may be running whose id is lost.
    :raises SubmitConflictError: if another request was paid for by the same task.
    :raises SiliconFlowError: if nothing was submitted.
    """
    if not store.exists:
        log.warning(
            "This Airflow has no task state store (3.3 and later have): should this try die after the submit, a retry"
            " cannot know of the video and pays for another. Consider retries=0 for tasks that submit."
        )
    record = store.read()
    if record and conclude(record, intent, policy) is Conclusion.TAKE_UP:
        log.info("Takes up %s; nothing is submitted or paid again.", _told(record))
        return record
    before_paying()
    request = make_request()
    try:
        store.write(intent)
    except SubmitRecordError as error:
        error.money = "The request was not submitted by this try."
        raise
    try:
        submitted = hook.submit_video(request, attempts=1)
    except SubmitOutcomeUnknownError as error:
        error.message += f" It was sent between {intent.intent_at} and {_now()}; a second would cost {policy.price}."
        raise
    except SiliconFlowError:
        store.forget()
        raise
    made = replace(intent, request_id=submitted.request_id, trace_id=submitted.trace_id, submitted_at=_now())
    try:
        store.write(made)
    except SubmitRecordError:
        # The id is not lost while this try goes on, so it goes on.
        log.exception("Video %s is paid for, but this try alone knows its id.", submitted.request_id)
    return made


def _unknown(record: SubmitRecord, price: str) -> SubmitOutcomeUnknownError:
    return SubmitOutcomeUnknownError(
        f"A try before this one was about to submit {record.model} to {record.host} at {record.intent_at} and ended"
        f" before it could note the answer. A second submit would cost {price}.",
        host=record.host,
        model=record.model,
    )


def _conflict(record: SubmitRecord, policy: Policy) -> SubmitConflictError:
    way = "Set on_unknown_submit='resubmit'" if policy.reuse_on_clear else "Clear the task"
    return SubmitConflictError(
        f"This task has already paid for {_told(record)}, but its request, connection or host is another one now"
        f" (the DAG, its templates or the mapped list changed between the tries). {way} to submit the new request and"
        " pay for it."
    )


def _told(record: SubmitRecord) -> str:
    if record.request_id is None:
        return f"an attempt to submit {record.model} at {record.intent_at}, of unknown outcome"
    return f"video {record.request_id} ({record.model}, submitted at {record.submitted_at} to {record.host})"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
