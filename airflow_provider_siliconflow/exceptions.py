"""
The errors of this provider, by cause.

::

    SiliconFlowError                      anything below; an AirflowException
    ├── InvalidVideoRequestError      *   refused here, before anything was sent
    ├── ImageUnavailableError             the store of an image cannot be reached, before anything was sent
    ├── SiliconFlowConfigError        *   the Airflow connection cannot be used as it is
    ├── SiliconFlowConnectionError        no whole answer came: refused, timed out, reset
    ├── SiliconFlowAPIError               the service answered, but not with what was asked for
    │   ├── SiliconFlowAuthenticationError  *   401
    │   ├── SiliconFlowPermissionError      *   403
    │   ├── SiliconFlowBalanceError         *   402, codes 30xxx
    │   ├── SiliconFlowBadRequestError      *   400, 413, 451 …, codes 20xxx
    │   ├── SiliconFlowNotFoundError        *   404, 410, a redirect
    │   ├── SiliconFlowRateLimitError           429
    │   ├── SiliconFlowOverloadedError          503, codes 50xxx
    │   └── SiliconFlowServerError              500, 502, 504, code 60000, an answer that makes no sense
    ├── SubmitOutcomeUnknownError     *   a submit was sent and its answer is lost: a video may be billed
    ├── SubmitRecordError                 the record of a submit cannot be read or written: not "absent"
    ├── SubmitConflictError           *   another video was paid for by this task: not "absent" either
    ├── VideoTimeoutError                 a video was not ready in time; a retry goes on waiting for it
    ├── VideoFailedError                  the service could not make the video
    │   └── VideoFailedPermanentlyError   *   … and asking for the same id again cannot change that
    ├── VideoExpiredError                 the link to the video is dead and no fresh one was to be had
    ├── VideoIntegrityError               what was downloaded is not a whole video
    ├── UnsafeUrlError                    a URL of a video leads where no video of the service can be
    └── DestinationError                  the destination cannot be read or written
        └── DestinationRefusedError   *   … or holds another video, or is no place for one

    * no retry can mend it: an AirflowFailException as well
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException


class SiliconFlowError(AirflowException):
    """
    Be the base of every error of this provider.

    :param message: What happened.
    """

    #: What happened to the money, in one sentence; empty where no money was involved.
    money: str = ""

    def __init__(self, message: str = "") -> None:
        super().__init__(message)
        self.message = message

    def __str__(self) -> str:
        return " ".join(part for part in (self._what(), self.money) if part)

    def _what(self) -> str:
        return self.message


class InvalidVideoRequestError(SiliconFlowError, AirflowFailException):
    """Refuse a request that cannot become a video; raised before anything is sent."""

    money = "Nothing was submitted, nothing is billed."


class ImageUnavailableError(SiliconFlowError):
    """Raised when an image cannot be read for now, because its store or disk fails; nothing was sent."""

    money = "Nothing was submitted, nothing is billed; a retry reads the image again."


class SiliconFlowConfigError(SiliconFlowError, AirflowFailException):
    """Refuse an Airflow connection that has no key, or a host or field that cannot be read."""


class SiliconFlowConnectionError(SiliconFlowError):
    """
    Report that no whole answer came back.

    :param message: What went wrong.
    :param host: The API's base URL.
    :param sent: False only if it is certain that nothing of the request was sent.
    """

    def __init__(self, message: str = "", *, host: str = "", sent: bool = True) -> None:
        super().__init__(message)
        self.host = host
        self.sent = sent

    def _what(self) -> str:
        return f"No answer from {self.host}: {self.message}."


class SiliconFlowAPIError(SiliconFlowError):
    """
    Report an answer that is not what was asked for.

    :param message: The service's own words, verbatim.
    :param status_code: The HTTP status.
    :param code: SiliconFlow's own code, where the answer had one.
    :param data: The ``data`` of the answer, where it had one.
    :param trace_id: ``x-siliconcloud-trace-id``, for the vendor's support.
    :param host: The base URL that was asked.
    :param retry_after: Seconds the service asked to wait, where it did.
    """

    #: What the reader can do about it.
    advice: str = ""
    status_code: int  # type: ignore[assignment]  # Airflow's base keeps an HTTPStatus for its own web API

    def __init__(
        self,
        message: str = "",
        *,
        status_code: int = 0,
        code: int | None = None,
        data: Any = None,
        trace_id: str | None = None,
        host: str = "",
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.status_code = status_code
        self.code = code
        self.data = data
        self.trace_id = trace_id
        self.host = host
        self.retry_after = retry_after

    def _what(self) -> str:
        facts = [f"HTTP {self.status_code}"]
        if self.code is not None:
            facts.append(f"code {self.code}")
        if self.trace_id:
            facts.append(f"trace id {self.trace_id}")
        said = self.message or "(no message)"
        return " ".join(part for part in (f"{self.host} answered {', '.join(facts)}: {said}", self.advice) if part)


class SiliconFlowAuthenticationError(SiliconFlowAPIError, AirflowFailException):
    """Report that the key was not accepted (401)."""

    advice = (
        "- The host did not accept the API key of the connection. Keys of api.siliconflow.cn and api.siliconflow.com"
        " are not interchangeable: check that the connection's host is the site the key was made on."
    )


class SiliconFlowPermissionError(SiliconFlowAPIError, AirflowFailException):
    """Report that the account may not do this (403)."""


class SiliconFlowBalanceError(SiliconFlowAPIError, AirflowFailException):
    """Report that the account cannot pay (402, codes 30xxx)."""

    advice = "- Top up the account, then clear the task."


class SiliconFlowBadRequestError(SiliconFlowAPIError, AirflowFailException):
    """Report that the service refuses the request as it stands (400, 413, 451 and others, codes 20xxx)."""


class SiliconFlowNotFoundError(SiliconFlowAPIError, AirflowFailException):
    """Report that the host does not know what was asked for (404, 410, a redirect; for a request id, 400 as well)."""


class SiliconFlowRateLimitError(SiliconFlowAPIError):
    """Report that the account's or the model's rate limit is reached (429)."""


class SiliconFlowOverloadedError(SiliconFlowAPIError):
    """Report that the service has no capacity now (503, codes 50xxx)."""


class SiliconFlowServerError(SiliconFlowAPIError):
    """Report a fault at the service: 500, 502, 504, code 60000, or an answer that makes no sense."""


class SubmitOutcomeUnknownError(SiliconFlowError, AirflowFailException):
    """
    Report that a submit was sent and its answer is lost: a job may exist and be billed.

    :param message: What is known of the submit: the window, the model, the host, the cause.
    :param host: The base URL that was asked.
    :param model: The model that was asked for.
    :param trace_id: ``x-siliconcloud-trace-id``, where an answer carried one.
    """

    money = (
        "A video may be running and billed all the same: the service offers no way to look it up or to cancel it,"
        " so it is not submitted again by itself. Look at the bill on the SiliconFlow console (the time and the"
        " model tell), and clear the task if you want to pay for another."
    )

    def __init__(self, message: str = "", *, host: str = "", model: str = "", trace_id: str | None = None) -> None:
        super().__init__(message)
        self.host = host
        self.model = model
        self.trace_id = trace_id


class SubmitRecordError(SiliconFlowError):
    """Report that the record of what a task has paid for cannot be read or written, so nothing was submitted."""


class SubmitConflictError(SiliconFlowError, AirflowFailException):
    """Report that the task has paid for a video already, but for another request than the one it has now."""


class VideoTimeoutError(SiliconFlowError):
    """Report that a video was not ready in time; its id is kept, and a retry goes on waiting for it."""


class VideoFailedError(SiliconFlowError):
    """
    Report that the service could not make the video.

    :param message: What happened.
    :param request_id: The video's request id.
    :param reason: The service's reason, verbatim; may be empty.
    """

    money = "The service may bill it all the same."

    def __init__(self, message: str = "", *, request_id: str = "", reason: str = "") -> None:
        super().__init__(message)
        self.request_id = request_id
        self.reason = reason


class VideoFailedPermanentlyError(VideoFailedError, AirflowFailException):
    """Report a failed video to a task whose retry could only ask for the same id again."""


class VideoExpiredError(SiliconFlowError):
    """
    Report that the link to a video is dead and that no fresh one was to be had.

    :param message: What happened.
    :param made_at: When the link was made, aware; None if it does not tell.
    """

    def __init__(self, message: str = "", *, made_at: datetime | None = None) -> None:
        super().__init__(message)
        self.made_at = made_at


class VideoIntegrityError(SiliconFlowError):
    """Report that what was downloaded is not a whole video; nothing was published."""


class UnsafeUrlError(SiliconFlowError):
    """
    Raised when a URL, or where it redirects to, must not be fetched; nothing was fetched from there.

    One answer of the service is no reason to give up a paid video, so that a retry may ask for another URL.
    """

    money = "Nothing is paid again: a retry asks the service for the URL anew where the request id is known."


class DestinationError(SiliconFlowError):
    """Report that a destination could not be read or written; nothing half-written is left under its name."""


class DestinationRefusedError(DestinationError, AirflowFailException):
    """Refuse a destination that no retry can make right, such as one that already holds another video."""
