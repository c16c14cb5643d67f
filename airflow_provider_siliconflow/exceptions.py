"""
The errors of this provider, by cause.

::

    SiliconFlowError                      anything below; an AirflowException
    ├── InvalidArgumentError          *   an argument cannot be understood
    │   └── InvalidVideoRequestError  *   … of a video that was about to be submitted
    ├── ImageUnavailableError             the store of an image cannot be reached, before anything was sent
    ├── SiliconFlowConfigError        *   the Airflow connection cannot be used as it is
    ├── SiliconFlowConnectionError        no whole response came: refused, timed out, reset
    ├── SiliconFlowAPIError               the service responded, but not with what was asked for
    │   ├── SiliconFlowAuthenticationError  *   401
    │   ├── SiliconFlowPermissionError      *   403
    │   ├── SiliconFlowBalanceError         *   402, codes 30xxx
    │   ├── SiliconFlowBadRequestError      *   400, 413, 451 …, codes 20xxx
    │   ├── SiliconFlowNotFoundError        *   404, 410, a redirect
    │   ├── SiliconFlowRateLimitError           429
    │   ├── SiliconFlowOverloadedError          503, codes 50xxx
    │   └── SiliconFlowServerError              500, 502, 504, code 60000, a malformed response
    ├── SubmitOutcomeUnknownError     *   a submit was sent and its answer is lost: a video may be billed
    ├── SubmitRejectedError               a submit was rejected temporarily until submit_timeout
    ├── SpendLimitError                   the limit of videos is reached, or cannot be read: nothing was submitted
    ├── SubmitRecordError                 the record of a submit cannot be read or written
    ├── SubmitConflictError           *   the task has paid for another request than the one it has now
    ├── VideoTimeoutError                 a video was not ready in time; a retry polls it again
    ├── VideoUnavailableError             the service rejected every poll of a paid video for a while
    ├── VideoFailedError                  the service could not make the video
    │   └── VideoFailedPermanentlyError *   … and the task could only poll the same request id again
    ├── VideoNotArchivedError             a paid video could not be archived; a retry re-attaches to it
    ├── VideoExpiredError                 the URL of a video has expired and no fresh one was to be had
    ├── VideoIntegrityError               what was downloaded is not a whole video
    ├── VideoLabelError                   a video cannot be labelled as asked; it is not published unlabelled
    ├── UnsafeUrlError                    a URL of a video leads where no video of the service can be
    └── DestinationError                  the destination cannot be read or written
        └── DestinationRefusedError   *   … or holds another video, or cannot hold one

    * no retry can succeed: an AirflowFailException as well

Each error says what happened to the money in its field ``billing``; :mod:`airflow_provider_siliconflow.billing` makes
the sentence of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from airflow_provider_siliconflow._airflow.names import AirflowException, AirflowFailException
from airflow_provider_siliconflow.billing import Billing, NextStep, sentence

if TYPE_CHECKING:
    from datetime import datetime


class SiliconFlowError(AirflowException):
    """
    Base of every error of this provider.

    :param message: What happened.
    :param billing: What is known of the bill; None where no money is involved.
    :param request_id: The request id of the video it is about, where there is one.
    :param next_step: What a retry or a clear does about the video.
    :param price: What one video costs, in words.
    """

    def __init__(
        self,
        message: str = "",
        *,
        billing: Billing | None = None,
        request_id: str | None = None,
        next_step: NextStep | None = None,
        price: str = "",
    ) -> None:
        super().__init__(message)
        self.message = message
        self.billing = billing
        self.request_id = request_id
        self.next_step = next_step
        self.price = price

    def __str__(self) -> str:
        ids = (self.request_id,) if self.request_id else ()
        told = sentence(self.billing, request_ids=ids, next_step=self.next_step, price=self.price)
        return " ".join(part for part in (self._description(), told) if part)

    def with_billing(
        self,
        billing: Billing | None,
        *,
        request_id: str | None = None,
        next_step: NextStep | None = None,
        price: str = "",
    ) -> Self:
        """
        Set what is known of the bill where the error was raised by code that could not know it.

        :param billing: What is known of the bill.
        :param request_id: The video's request id, where there is one.
        :param next_step: What a retry or a clear does about the video.
        :param price: What one video costs, in words.
        :return: The error itself.
        """
        self.billing, self.request_id, self.next_step, self.price = billing, request_id, next_step, price
        return self

    def _description(self) -> str:
        return self.message


class InvalidArgumentError(SiliconFlowError, AirflowFailException):
    """Raised when an argument of a task cannot be understood."""


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


class SiliconFlowConfigError(SiliconFlowError, AirflowFailException):
    """Raised when an Airflow connection has no key, or a host or field that cannot be read."""


class SiliconFlowConnectionError(SiliconFlowError):
    """
    Raised when no whole response came back.

    :param message: What went wrong.
    :param host: The API's base URL.
    :param sent: False only if it is certain that nothing of the request was sent.
    """

    def __init__(self, message: str = "", *, host: str = "", sent: bool = True) -> None:
        super().__init__(message)
        self.host = host
        self.sent = sent

    def _description(self) -> str:
        return f"No answer from {self.host}: {self.message}."


class SiliconFlowAPIError(SiliconFlowError):
    """
    Raised when a response is not what was asked for.

    :param message: The service's own words, verbatim but for masked secrets.
    :param status_code: The HTTP status.
    :param code: SiliconFlow's own code, where the response had one.
    :param trace_id: ``x-siliconcloud-trace-id``, for the vendor's support.
    :param host: The base URL that was asked.
    :param retry_after: Seconds the service asked to wait, where it did.
    """

    #: What the reader can do about it.
    hint: str = ""
    status_code: int  # type: ignore[assignment]  # Airflow's base keeps an HTTPStatus for its own web API

    def __init__(
        self,
        message: str = "",
        *,
        status_code: int = 0,
        code: int | None = None,
        trace_id: str | None = None,
        host: str = "",
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.status_code = status_code
        self.code = code
        self.trace_id = trace_id
        self.host = host
        self.retry_after = retry_after

    def _description(self) -> str:
        facts = [f"HTTP {self.status_code}"]
        if self.code is not None:
            facts.append(f"code {self.code}")
        if self.trace_id:
            facts.append(f"trace id {self.trace_id}")
        said = self.message or "(no message)"
        return " ".join(part for part in (f"{self.host} answered {', '.join(facts)}: {said}", self.hint) if part)


class SiliconFlowAuthenticationError(SiliconFlowAPIError, AirflowFailException):
    """Raised when the key was not accepted (401)."""

    hint = (
        "- The host did not accept the API key of the connection. Keys of api.siliconflow.cn and api.siliconflow.com"
        " are not interchangeable: check that the connection's host is the site the key was made on."
    )


class SiliconFlowPermissionError(SiliconFlowAPIError, AirflowFailException):
    """Raised when the account may not do this (403)."""


class SiliconFlowBalanceError(SiliconFlowAPIError, AirflowFailException):
    """Raised when the account cannot pay (402, codes 30xxx)."""

    hint = "- Top up the account."


class SiliconFlowBadRequestError(SiliconFlowAPIError, AirflowFailException):
    """Raised when the service rejects the request as it stands (400, 413, 451 and others, codes 20xxx)."""


class SiliconFlowNotFoundError(SiliconFlowAPIError, AirflowFailException):
    """Raised when the host does not know what was asked for (404, 410, a redirect; for a request id, 400 as well)."""


class SiliconFlowRateLimitError(SiliconFlowAPIError):
    """Raised when the account's or the model's rate limit is reached (429)."""


class SiliconFlowOverloadedError(SiliconFlowAPIError):
    """Raised when the service has no capacity now (503, codes 50xxx)."""


class SiliconFlowServerError(SiliconFlowAPIError):
    """Raised when the service has a fault (500, 502, 504, code 60000) or its response is malformed."""


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
        super().__init__(message, billing=Billing.NOT_SUBMITTED, next_step=NextStep.SUBMIT)
        self.resume_at = resume_at


class SubmitRecordError(SiliconFlowError):
    """Raised when the record of what a task has paid for cannot be read or written: that is not an absent record."""


class SubmitConflictError(SiliconFlowError, AirflowFailException):
    """Raised when a task has paid for a video already, but for another request than the one it has now."""


class VideoTimeoutError(SiliconFlowError):
    """Raised when a video was not ready in time; its request id is kept, and a retry polls it again."""


class VideoUnavailableError(SiliconFlowError):
    """Raised when the service rejected every poll of a paid video for a grace period; a retry polls it again."""


class VideoFailedError(SiliconFlowError):
    """
    Raised when the service could not make the video.

    :param message: What happened.
    :param request_id: The video's request id.
    :param reason: The service's reason, verbatim but for masked secrets; may be empty.
    """

    def __init__(self, message: str = "", *, request_id: str = "", reason: str = "") -> None:
        super().__init__(message, billing=Billing.FAILED, request_id=request_id)
        self.reason = reason


class VideoFailedPermanentlyError(VideoFailedError, AirflowFailException):
    """Raised when a video failed in a task whose retry could only poll the same request id again."""


class VideoNotArchivedError(SiliconFlowError):
    """Raised when paid videos of a task are not archived; a retry re-attaches to them."""


class VideoExpiredError(SiliconFlowError):
    """
    Raised when the URL of a video has expired and no fresh one was to be had.

    :param message: What happened.
    :param made_at: When the URL was made, aware; None if it does not tell.
    """

    def __init__(self, message: str = "", *, made_at: datetime | None = None) -> None:
        super().__init__(message)
        self.made_at = made_at


class VideoIntegrityError(SiliconFlowError):
    """Raised when what was downloaded is not a whole video; nothing was published."""


class VideoLabelError(SiliconFlowError):
    """Raised when a video cannot be labelled as asked for; it is not published under its name without the label."""


class UnsafeUrlError(SiliconFlowError):
    """
    Raised when a URL, or where it redirects to, must not be fetched; nothing was fetched from there.

    One answer of the service is no reason to give up a paid video: a retry may poll for another URL.
    """


class DestinationError(SiliconFlowError):
    """Raised when a destination cannot be read or written; nothing half-written is left under its name."""


class DestinationRefusedError(DestinationError, AirflowFailException):
    """Raised when no retry can make a destination right, such as one that holds another video."""
