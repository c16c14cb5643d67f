"""For a route and an outcome: send again, unknown, or final. The table of the API's money rules, as data."""

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
    """Name the routes by what repeating a call costs."""

    #: Every accepted call is a new, billed video.
    SUBMIT = "submit"
    #: May be repeated freely: status (though it is a POST), models, balance.
    FREE = "free"


class FailureKind(Enum):
    """Say what a failed call means."""

    RETRY = "send again"
    UNKNOWN = "unknown"
    FINAL = "final"


#: A submit answered with one of these was refused, not made. Whatever is in no list here is unknown.
_SUBMIT_REFUSED = frozenset({400, 401, 402, 403, 404, 405, 407, 410, 413, 414, 415, 422, 431, 451}) | frozenset(
    range(300, 400)
)
_CAPACITY_CODES = range(50000, 60000)
#: Free calls are worth another look on these besides all of 5xx.
_FREE_PASSING = frozenset({408, 425, 429})


def classify_failure(route: Route, error: SiliconFlowError) -> FailureKind:
    """
    Judge a failed call.

    :param route: What was called.
    :param error: How it failed.
    """
    if isinstance(error, SiliconFlowConnectionError):
        if route is Route.FREE or not error.sent:
            return FailureKind.RETRY
        return FailureKind.UNKNOWN
    if not isinstance(error, SiliconFlowAPIError):
        return FailureKind.FINAL
    return _classify_submit(error) if route is Route.SUBMIT else _classify_free(error)


def _classify_submit(error: SiliconFlowAPIError) -> FailureKind:
    # A 503 counts as a refusal only with SiliconFlow's own capacity code: a proxy between sends a bare 503 also
    # after the request went through and its answer was lost.
    refused_for_now = error.status_code == 503 and error.code in _CAPACITY_CODES
    if error.status_code == 429 or refused_for_now:
        return FailureKind.RETRY
    if error.status_code in _SUBMIT_REFUSED and error.code != 60000:
        return FailureKind.FINAL
    return FailureKind.UNKNOWN


def _classify_free(error: SiliconFlowAPIError) -> FailureKind:
    # Below 400 there is a 2xx answer that made no sense (a 3xx is answered alike every time).
    passing = error.status_code >= 500 or 200 <= error.status_code < 300 or error.status_code in _FREE_PASSING
    return FailureKind.RETRY if passing else FailureKind.FINAL


def final_submit_error(error: SiliconFlowError, *, model: str) -> SiliconFlowError:
    """
    Make the error with which a submit ends, one that says what happened to the money.

    :param error: The last failure of the submit.
    :param model: The model that was asked for.
    :return: The error itself, or a :class:`SubmitOutcomeUnknownError` for the caller to raise from it.
    """
    if classify_failure(Route.SUBMIT, error) is not FailureKind.UNKNOWN:
        rejected = isinstance(error, SiliconFlowAPIError)
        return error.with_billing(Billing.REJECTED if rejected else Billing.NOT_SUBMITTED)
    return SubmitOutcomeUnknownError(
        f"A submit of {model} was sent, and whether it was accepted is not known. {error}",
        host=getattr(error, "host", ""),
        model=model,
        trace_id=getattr(error, "trace_id", None),
    )
