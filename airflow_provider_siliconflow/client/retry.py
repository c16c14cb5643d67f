"""For a route and an outcome: retry, ambiguous or permanent. The table of the API's money rules, as data."""

from __future__ import annotations

from enum import Enum

from airflow_provider_siliconflow.billing import Billing
from airflow_provider_siliconflow.exceptions import (
    SiliconFlowAPIError,
    SiliconFlowConnectionError,
    SiliconFlowError,
    SubmitOutcomeUnknownError,
)


class Route(Enum):
    """The routes, by what repeating a call costs."""

    #: Every accepted call is a new, billed video.
    SUBMIT = "submit"
    #: May be repeated freely: status (though it is a POST), models, balance.
    FREE = "free"


class FailureKind(Enum):
    """What a failed call means."""

    RETRY = "not accepted for now, may be sent again"
    AMBIGUOUS = "maybe accepted, must not be sent again by itself"
    PERMANENT = "rejected"


#: A submit that got one of these was rejected, not accepted. What is in no list here is ambiguous:
#:
#: - 301, 307 and 308 say "send this very request elsewhere" (RFC 9110, 15.4): it was not processed here.
#: - 300, 302, 303 and 304 do not: 303 may follow a POST that *was* processed, many servers say 302 for it, 304 follows
#:   no POST, and 305 and 306 are no longer defined.
#: - 408, 425 and 499 come from gateways that may have passed the request on.
_SUBMIT_REJECTED = frozenset({301, 307, 308, 400, 401, 402, 403, 404, 405, 407, 410, 413, 414, 415, 422, 431, 451})
#: "Unknown error" (observed): the service itself does not know what became of the call. It outweighs a status
#: that says "rejected", 429 included: a rate limiter rejects with a message of its own and never gets so far.
_UNKNOWN_ERROR = 60000
#: A 503 counts as a rejection only with one of SiliconFlow's own capacity codes: a proxy between sends a bare 503 also
#: after the request went through and its response was lost. A 429 needs no code: what limits a rate stands in front of
#: what it protects.
_CAPACITY_CODES = range(50000, 60000)
#: Free calls are worth another try on these besides all of 5xx.
_FREE_TRANSIENT = frozenset({408, 425, 429})


def classify_failure(route: Route, error: SiliconFlowError) -> FailureKind:
    """
    Return what a failed call means.

    :param route: What was called.
    :param error: How it failed.
    :return: Whether the call may be sent again, may have been accepted, or was rejected.
    """
    if isinstance(error, SiliconFlowConnectionError):
        return FailureKind.RETRY if route is Route.FREE or not error.sent else FailureKind.AMBIGUOUS
    if not isinstance(error, SiliconFlowAPIError):
        return FailureKind.PERMANENT
    return _classify_submit(error) if route is Route.SUBMIT else _classify_free(error)


def _classify_submit(error: SiliconFlowAPIError) -> FailureKind:
    if error.code == _UNKNOWN_ERROR:
        return FailureKind.AMBIGUOUS
    if error.status_code == 429 or (error.status_code == 503 and error.code in _CAPACITY_CODES):
        return FailureKind.RETRY
    return FailureKind.PERMANENT if error.status_code in _SUBMIT_REJECTED else FailureKind.AMBIGUOUS


def _classify_free(error: SiliconFlowAPIError) -> FailureKind:
    # A 2xx that is an error makes no sense, and may the next time. A 3xx is the same every time.
    status = error.status_code
    is_transient = status >= 500 or 200 <= status < 300 or status in _FREE_TRANSIENT
    return FailureKind.RETRY if is_transient else FailureKind.PERMANENT


def final_submit_error(error: SiliconFlowError, *, model: str) -> SiliconFlowError:
    """
    Make the error with which a submit ends, one that says what happened to the money.

    :param error: The last failure of the submit.
    :param model: The model that was asked for.
    :return: The error itself, or a :class:`SubmitOutcomeUnknownError` for the caller to raise from it.
    """
    if classify_failure(Route.SUBMIT, error) is not FailureKind.AMBIGUOUS:
        rejected = isinstance(error, SiliconFlowAPIError)
        return error.with_billing(Billing.REJECTED if rejected else Billing.NOT_SUBMITTED)
    return SubmitOutcomeUnknownError(
        f"A submit of {model} was sent, and whether it was accepted is not known. {error}",
        host=getattr(error, "host", ""),
        model=model,
        trace_id=getattr(error, "trace_id", None),
    )
