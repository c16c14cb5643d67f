"""What is kept of a paid submit, and where: the intent, then the id, in Airflow's task state store."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_siliconflow.exceptions import SubmitRecordError

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_siliconflow.hooks.connection import Settings

log = logging.getLogger(__name__)

#: Key in the task state store, which Airflow scopes to the task instance and map index, and never to the try.
KEY = "siliconflow.submit"


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
        intent_at=now(),
    )


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


def now() -> str:
    """Return the time as it is kept: ISO 8601, UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
