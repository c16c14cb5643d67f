"""A video and its record: what a task has paid for, found again and kept."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow_provider_siliconflow._airflow.names import AirflowNotFoundException
from airflow_provider_siliconflow.billing import NextStep
from airflow_provider_siliconflow.exceptions import SiliconFlowConfigError, SubmitRecordError
from airflow_provider_siliconflow.jobs.reattach import ResubmitPolicy, explain_invalid, reattach
from airflow_provider_siliconflow.jobs.record import SubmitRecord, SubmitStore, intent_of, now

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_siliconflow.hooks.siliconflow import SiliconFlowHook

log = logging.getLogger(__name__)


@dataclass
class RecordedVideo:
    """
    One video of a task, as its record knows it.

    :param hook: The service.
    :param fields: The request as the user gave it, as :func:`.request.read_fields` returns it.
    :param store: Where its record is kept.
    :param policy: What the user said about paying again.
    :param max_tries: The task instance's.
    """

    hook: SiliconFlowHook
    fields: Mapping[str, Any]
    store: SubmitStore
    policy: ResubmitPolicy
    max_tries: int
    #: The record of the video, once it has a request id.
    record: SubmitRecord | None = field(default=None, kw_only=True)
    #: Whether the record is in the store.
    is_recorded: bool = field(default=False, kw_only=True)
    #: What was on record before a submit.
    before: SubmitRecord | None = field(default=None, init=False, repr=False)

    @cached_property
    def intent(self) -> SubmitRecord:
        """
        Return the record to write before a submit.

        :return: The record, without a request id.
        """
        return intent_of(
            self.fields,
            conn_id=self.hook.siliconflow_conn_id,
            settings=self.hook.settings,
            max_tries=self.max_tries,
        )

    @property
    def request_id(self) -> str:
        """Return the video's request id; there is one after :meth:`reattach` or :meth:`submit`."""
        assert self.record
        assert self.record.request_id
        return self.record.request_id

    @property
    def next_step(self) -> NextStep:
        """Return what a retry or a clear does about the video."""
        return self.policy.after_accepted if self.is_recorded else NextStep.PAY_AGAIN

    def reattach(self) -> bool:
        """
        Re-attach to the video that an earlier try has paid for; read the record before all that could hide it.

        :return: Whether there is one; if not, the job may be submitted.
        :raises SubmitRecordError: if the record cannot be read.
        :raises SubmitOutcomeUnknownError: if a submit may have been accepted, and the policy is to fail.
        :raises SubmitConflictError: if another request was paid for, and the policy is to fail.
        """
        try:
            kept = self.store.read()
        except SubmitRecordError as error:
            error.with_billing(error.billing, next_step=NextStep.READ_AGAIN)
            raise
        try:
            intent = self.intent
        except (SiliconFlowConfigError, AirflowNotFoundException) as error:
            told = explain_invalid(error, kept, self.max_tries, self.policy)
            raise told from (None if told is error else error)
        self.record, self.before = reattach(kept, intent, self.policy), kept
        self.is_recorded = self.record is not None
        return self.is_recorded

    def adopt(self, request_id: str) -> None:
        """
        Continue with a video whose request id this try knows, and record it if that failed before.

        :param request_id: The video's request id.
        """
        kept = None
        try:
            kept = self.store.read()
        except SubmitRecordError:
            log.exception("Continues without the record of video %s.", request_id)
        if kept and kept.request_id == request_id:
            self.record, self.is_recorded = kept, True
            return
        try:
            intent = kept if kept and kept.request_id is None else self.intent
        except (SiliconFlowConfigError, AirflowNotFoundException) as error:
            # A connection that is away must not end a paid video. A record without its fingerprint is no record.
            log.warning("The record of video %s cannot be written now: %s", request_id, error)
            known = {name: self.fields[name] for name in ("model", "prompt") if name in self.fields}
            made = SubmitRecord(fingerprint="", max_tries=self.max_tries, intent_at=now(), **known)
            self.record, self.is_recorded = made.with_id(request_id), False
            return
        self.record = intent.with_id(request_id, submitted_at=intent.intent_at)
        self.is_recorded = False
        self.ensure_recorded()

    def recorded_id(self) -> str | None:
        """
        Return the request id on record, of which no one edits a copy; None if there is none or it cannot be read.

        :return: The request id.
        """
        try:
            kept = self.store.read()
        except SubmitRecordError:
            return None
        return kept.request_id if kept and not kept.closed else None

    def ensure_recorded(self) -> None:
        """Write the record of a paid video if that failed before."""
        if self.record and not self.is_recorded:
            self.is_recorded = self.store.keep(self.record)
