"""What came back from the service instead of what was asked for."""

from __future__ import annotations

from airflow_provider_siliconflow._airflow.names import AirflowFailException
from airflow_provider_siliconflow.exceptions.base import SiliconFlowError


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
