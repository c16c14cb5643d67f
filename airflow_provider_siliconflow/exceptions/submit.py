"""Why a video is not submitted, or not known to be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_siliconflow._airflow.names import AirflowFailException
from airflow_provider_siliconflow.billing import Billing, NextStep
from airflow_provider_siliconflow.exceptions.base import InvalidArgumentError, SiliconFlowError

if TYPE_CHECKING:
    from datetime import datetime


class InvalidVideoRequestError(InvalidArgumentError):
    """
    Raised when a request cannot become a video, before anything is sent.

    :param message: All that is wrong with it.
    """

    def __init__(self, message: str = "") -> None:
        super().__init__(message, billing=Billing.NOT_SUBMITTED)


class ImageUnavailableError(SiliconFlowError):
    """
    Raised when an image cannot be read for now, because its store or disk fails; nothing was sent.

    :param message: What went wrong.
    """

    def __init__(self, message: str = "") -> None:
        super().__init__(message, billing=Billing.NOT_SUBMITTED, next_step=NextStep.SUBMIT)


class SubmitOutcomeUnknownError(SiliconFlowError, AirflowFailException):
    """
    Raised when a submit was sent and its answer is lost: a video may be running and billed.

    :param message: What is known of the submit: the window, the model, the host, the cause.
    :param host: The base URL that was asked.
    :param model: The model that was asked for.
    :param trace_id: ``x-siliconcloud-trace-id``, where a response carried one.
    :param next_step: What a retry or a clear does.
    :param price: What one video costs, in words.
    """

    def __init__(
        self,
        message: str = "",
        *,
        host: str = "",
        model: str = "",
        trace_id: str | None = None,
        next_step: NextStep = NextStep.CLEAR,
        price: str = "",
    ) -> None:
        super().__init__(message, billing=Billing.UNKNOWN, next_step=next_step, price=price)
        self.host = host
        self.model = model
        self.trace_id = trace_id


class SubmitRejectedError(SiliconFlowError):
    """Raised when a submit was rejected temporarily (429, 503, no connection) until ``submit_timeout`` had passed."""


class SpendLimitError(SiliconFlowError):
    """
    Raised when a submit would exceed the spend limit, or when that cannot be found out; nothing was submitted.

    :param message: Which limit, how much of it is used, and when it resets.
    :param resume_at: When the task continues by itself, aware; None where it does not.
    """

    def __init__(self, message: str = "", *, resume_at: datetime | None = None) -> None:
        super().__init__(message, billing=Billing.NOT_SUBMITTED, next_step=NextStep.SUBMIT_WITHIN_LIMIT)
        self.resume_at = resume_at


class SubmitRecordError(SiliconFlowError):
    """Raised when the record of what a task has paid for cannot be read or written: that is not an absent record."""


class SubmitConflictError(SiliconFlowError, AirflowFailException):
    """Raised when a task has paid for a video already, but for another request than the one it has now."""
