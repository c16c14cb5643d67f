"""
From a response that is not what was asked for to the error that names its cause.

Documented (docs.siliconflow.cn, ``/en/faqs/error-code``): HTTP statuses, and bodies of ``code``, ``message`` and
``data``. Observed: bodies without a code, bare JSON strings, HTML and nothing at all, and the ranges of the codes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_siliconflow.exceptions import (
    SiliconFlowAPIError,
    SiliconFlowAuthenticationError,
    SiliconFlowBadRequestError,
    SiliconFlowBalanceError,
    SiliconFlowNotFoundError,
    SiliconFlowOverloadedError,
    SiliconFlowPermissionError,
    SiliconFlowRateLimitError,
    SiliconFlowServerError,
)

if TYPE_CHECKING:
    from airflow_provider_siliconflow.client.response import Response

_BY_STATUS: dict[int, type[SiliconFlowAPIError]] = {
    401: SiliconFlowAuthenticationError,
    402: SiliconFlowBalanceError,
    403: SiliconFlowPermissionError,
    404: SiliconFlowNotFoundError,
    410: SiliconFlowNotFoundError,
    429: SiliconFlowRateLimitError,
    503: SiliconFlowOverloadedError,
}
_BY_CODE_RANGE: dict[int, type[SiliconFlowAPIError]] = {
    20: SiliconFlowBadRequestError,
    30: SiliconFlowBalanceError,
    50: SiliconFlowOverloadedError,
    60: SiliconFlowServerError,
}
#: Statuses that outweigh a 20xxx code.
_OVER_20XXX = (401, 404, 503)


def error_from(response: Response, as_class: type[SiliconFlowAPIError] | None = None) -> SiliconFlowAPIError:
    """
    Return the error of a response that is not a success, whatever its shape.

    :param response: The response.
    :param as_class: The class to use instead of the one for code and status.
    :return: The error, with all texts masked.
    """
    body = response.json
    code = body.get("code") if isinstance(body, dict) else None
    if not isinstance(code, int) or isinstance(code, bool):
        code = None
    message = body.get("message") if isinstance(body, dict) else body
    error = (as_class or _class_for(response.status_code, code))(
        response.shown(message if isinstance(message, str) else response.text),
        status_code=response.status_code,
        code=code,
        trace_id=response.trace_id,
        host=response.host,
        retry_after=response.retry_after,
    )
    location = response.headers.get("location")
    if 300 <= response.status_code < 400 and location:
        error.hint = f"- It redirects to {response.shown(location)}, which is not followed: the API key goes nowhere."
    return error


def malformed(response: Response, what: str) -> SiliconFlowAPIError:
    """
    Return the error for a response that cannot be understood.

    :param response: The response.
    :param what: What is wrong with it, without a full stop.
    :return: A server error with that as its hint.
    """
    error = error_from(response, as_class=SiliconFlowServerError)
    error.hint = f"- {what}."
    return error


def _class_for(status: int, code: int | None) -> type[SiliconFlowAPIError]:
    """Classify by code first, by HTTP status second; but 429 is a rate limit whatever the code."""
    by_status = _BY_STATUS.get(status)
    if by_status is SiliconFlowRateLimitError:
        return by_status
    by_code = _BY_CODE_RANGE.get(code // 1000) if code is not None else None
    if by_code is SiliconFlowBadRequestError and status in _OVER_20XXX:
        by_code = by_status
    if by_code or by_status:
        return by_code or by_status or SiliconFlowAPIError
    if 300 <= status < 400:
        return SiliconFlowNotFoundError
    if 400 <= status < 500:
        return SiliconFlowBadRequestError
    return SiliconFlowServerError if status >= 500 else SiliconFlowAPIError
