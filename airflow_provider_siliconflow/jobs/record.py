"""The record of a paid submit: the intent, then the request id."""

from __future__ import annotations

import hashlib
import json
import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from airflow_provider_siliconflow.exceptions import SubmitRecordError
from airflow_provider_siliconflow.jobs.store import FindStores, StoreEntry

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_siliconflow.hooks.connection import Settings

log = logging.getLogger(__name__)

#: Name in the stores, which belong to the task instance and map index, and never to the try.
KEY = "siliconflow.submit"


class SubmitRecord(BaseModel):
    """
    What is known of a submit; an intent while ``request_id`` is None.

    A record of another release is read as far as that is safe: fields that are not known are kept, and those of which
    no decision depends may be missing.

    :param version: Version of this form.
    :param fingerprint: Hash of the request, the connection and the host.
    :param max_tries: The task instance's, at the time: Airflow raises it on a clear and leaves it on a retry.
    :param intent_at: ISO 8601 time just before the submit.
    :param model: The model that was asked for.
    :param host: The base URL that was asked.
    :param request_id: The video's request id, once known.
    :param trace_id: ``x-siliconcloud-trace-id`` of the submit, if it came.
    :param submitted_at: ISO 8601 time just after the submit.
    :param prompt: The prompt that was submitted, for the manifest: a template may render anew later.
    :param closed: Why the request id is of no more use; empty while it is.
    :param earlier_ids: Request ids that the task has paid for before and submitted anew after: a clear, a failed video,
        or consent to pay again.
    """

    model_config = ConfigDict(frozen=True, extra="allow", strict=True)

    version: int = 1
    fingerprint: str
    max_tries: int
    intent_at: str
    model: str = ""
    host: str = ""
    request_id: str | None = None
    trace_id: str | None = None
    submitted_at: str | None = None
    prompt: str | None = None
    closed: str = ""
    earlier_ids: list[str] = []

    @property
    def submitted(self) -> float | None:
        """Return the epoch seconds of the submit, if they are known."""
        try:
            return datetime.fromisoformat(self.submitted_at or "").timestamp()
        except ValueError:
            return None

    def with_id(self, request_id: str, *, trace_id: str | None = None, submitted_at: str = "") -> SubmitRecord:
        """
        Return the record of an intent that became a video.

        :param request_id: The video's request id.
        :param trace_id: ``x-siliconcloud-trace-id`` of the submit, if it came.
        :param submitted_at: ISO 8601 time of the submit; now if empty.
        :return: The new record.
        """
        made = {"request_id": request_id, "trace_id": trace_id, "submitted_at": submitted_at or now()}
        return self.model_copy(update=made)

    def all_ids(self) -> list[str]:
        """
        Return the request ids that the task has paid for.

        :return: The earlier ones first.
        """
        return [*self.earlier_ids, *([self.request_id] if self.request_id else [])]


def intent_of(fields: Mapping[str, Any], *, conn_id: str, settings: Settings, max_tries: int) -> SubmitRecord:
    """
    Return the record to write before a submit.

    :param fields: The request as the user gave it, an image by its path.
    :param conn_id: The Airflow connection.
    :param settings: What the connection says.
    :param max_tries: The task instance's.
    :return: An intent.
    """
    given = {name: str(value) for name, value in fields.items() if value not in (None, "")}
    material = json.dumps([given, conn_id, settings.base_url], sort_keys=True)
    return SubmitRecord(
        fingerprint=hashlib.sha256(material.encode()).hexdigest(),
        model=given.get("model", ""),
        host=settings.base_url,
        max_tries=max_tries,
        prompt=given.get("prompt"),
        intent_at=now(),
    )


class SubmitStore:
    """
    One :class:`SubmitRecord` in the stores of a task instance.

    :param find: Finds the stores.
    :param name: What is kept.
    """

    def __init__(self, find: FindStores, name: str = KEY) -> None:
        self._entry = StoreEntry(find, name)
        self.name = name

    def read(self) -> SubmitRecord | None:
        """
        Return the record, or None if it is certain that there is none.

        :return: The record; of two in two stores, the later one, or the one that knows more.
        :raises SubmitRecordError: if that cannot be told.
        """
        found = self._entry.read(SubmitRecord, is_enough=lambda record: record.request_id is not None)
        return max(found, key=lambda record: (record.intent_at, record.request_id is not None), default=None)

    def write(self, record: SubmitRecord) -> None:
        """
        Keep a record.

        :param record: What to keep.
        :raises SubmitRecordError: if it cannot be kept.
        """
        self._entry.write(record)

    def keep(self, made: SubmitRecord) -> bool:
        """
        Write the record of a video whose request id this try knows, unless it is written already.

        :param made: The record, with its request id.
        :return: Whether the stores hold it now; how the video fares does not depend on that.
        """
        try:
            kept = self.read()
            if kept and kept.request_id not in (None, made.request_id):
                return False
            self.write(kept if kept and kept.request_id else made)
        except SubmitRecordError:
            log.exception("The record of video %s cannot be written now.", made.request_id)
            return False
        return True

    def close(self, record: SubmitRecord, why: str) -> None:
        """
        Write that the request id of a paid video is of no more use, so that the next try submits anew.

        :param record: The video's record.
        :param why: What happened to it.
        """
        try:
            self.write(record.model_copy(update={"closed": why}))
        except SubmitRecordError:
            # What stays is the request id: the next try polls it first, which costs nothing.
            log.exception("The record of video %s cannot be closed.", record.request_id)

    def forget(self, before: SubmitRecord | None = None) -> None:
        """
        Take back an intent of which it is proven that no video came.

        :param before: The record that the intent has replaced, which may be of a paid video; None if there was none.
        """
        try:
            if before:
                self._entry.write(before)
            else:
                self._entry.delete()
        except Exception:
            # What stays is an intent without a request id: the next try errs on the side of not paying twice.
            log.exception("The record of a submit that was rejected cannot be taken back.")

    def sweep(self) -> None:
        """Delete the record of a task that has succeeded, where nothing else deletes it."""
        self._entry.sweep()


def now() -> str:
    """
    Return the time as it is kept.

    :return: ISO 8601, UTC, to the second.
    """
    return datetime.now(UTC).isoformat(timespec="seconds")
