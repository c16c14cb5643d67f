"""Read answers: from status, headers and body to a result, or to the error that names its cause."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from email.utils import parsedate_to_datetime
from typing import Any

from airflow_provider_siliconflow.client.models import SubmittedVideo, VideoState, VideoStatus
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

TRACE_HEADER = "x-siliconcloud-trace-id"

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
#: Statuses that say what they mean whatever 20xxx code comes along.
_OVER_20XXX = (401, 404, 429, 503)
#: Characters of an unreadable body that are worth showing.
_EXCERPT = 300


@dataclass(frozen=True)
class Response:
    """
    Hold an HTTP answer as the reader needs it.

    :param status_code: The HTTP status.
    :param headers: Header names in lower case.
    :param body: The whole body.
    :param host: The base URL that was asked.
    """

    status_code: int
    headers: Mapping[str, str]
    body: bytes
    host: str

    @property
    def trace_id(self) -> str | None:
        """Return the id by which the vendor's support finds the call."""
        trace_id = self.headers.get(TRACE_HEADER)
        return _clean(trace_id) if trace_id else None

    def json(self) -> Any:
        """Return the parsed body, or None if it is not JSON."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None


def read_submit(answer: Response) -> SubmittedVideo:
    """
    Read the answer to a submit.

    :raises SiliconFlowAPIError: for anything without a request id.
    """
    body = _object_or_raise(answer)
    request_id = body.get("requestId")
    if isinstance(request_id, int) and not isinstance(request_id, bool):
        request_id = str(request_id)
    if not isinstance(request_id, str) or not request_id:
        raise malformed(answer, "the answer has no requestId")
    return SubmittedVideo(request_id=_clean(request_id), trace_id=answer.trace_id, host=answer.host)


def read_status(answer: Response, request_id: str) -> VideoStatus:
    """
    Read the answer to a look at a video.

    :raises SiliconFlowNotFoundError: if this host and account do not know the id (404 and 400).
    :raises SiliconFlowServerError: for an answer without a status, or a success without a video.
    :raises SiliconFlowAPIError: for any other error.
    """
    if answer.status_code in (400, 404):
        error = error_from(answer, as_class=SiliconFlowNotFoundError)
        error.hint = (
            f"- This host and account do not know the video {request_id}: was it submitted with another connection,"
            " or is it too old?"
        )
        raise error
    body = _object_or_raise(answer)
    word = body.get("status")
    if not isinstance(word, str):
        raise malformed(answer, "the answer has no status")
    results = _dict(body.get("results"))
    timings = _dict(results.get("timings"))
    reason = body.get("reason")
    status = VideoStatus(
        request_id=request_id,
        status=VideoState(word),
        status_text=_clean(word),
        reason=_clean(reason) if isinstance(reason, str) else "",
        position=_integer(body.get("position")),
        urls=_urls(results.get("videos")),
        inference_seconds=_number(timings.get("inference")),
        seed=_integer(results.get("seed")),
        trace_id=answer.trace_id,
    )
    if status.status is VideoState.SUCCEED and not status.urls:
        raise malformed(answer, "the answer says Succeed, but names no video")
    return status


def read_models(answer: Response) -> list[str]:
    """
    Read the ids of the models on offer.

    :raises SiliconFlowAPIError: for anything but a list of models.
    """
    models = _object_or_raise(answer).get("data")
    if not isinstance(models, list):
        raise malformed(answer, "the answer has no list of models")
    ids = (_dict(model).get("id") for model in models)
    return [_clean(model_id) for model_id in ids if isinstance(model_id, str)]


def read_balance(answer: Response) -> Decimal:
    """
    Read the account's total balance, in the site's currency.

    :raises SiliconFlowAPIError: for anything without an amount (410 on .cn since 2026-08).
    """
    amount = _dict(_object_or_raise(answer).get("data")).get("totalBalance")
    try:
        balance = Decimal(str(amount))
    except InvalidOperation:
        raise malformed(answer, "the answer has no totalBalance") from None
    if not balance.is_finite():
        raise malformed(answer, "the answer has no totalBalance")
    return balance


def error_from(answer: Response, as_class: type[SiliconFlowAPIError] | None = None) -> SiliconFlowAPIError:
    """
    Make the error of an answer that is not a success, whatever its shape.

    :param as_class: The class to use instead of the one that code and status tell.
    """
    body = answer.json()
    code = _integer(body.get("code")) if isinstance(body, dict) else None
    message = body.get("message") if isinstance(body, dict) else body
    if not isinstance(message, str):
        message = answer.body[:_EXCERPT].decode("utf-8", "replace")
    return (as_class or _class_for(answer.status_code, code))(
        _clean(message),
        status_code=answer.status_code,
        code=code,
        data=body.get("data") if isinstance(body, dict) else None,
        trace_id=answer.trace_id,
        host=answer.host,
        retry_after=_retry_after(answer.headers),
    )


def _class_for(status: int, code: int | None) -> type[SiliconFlowAPIError]:
    """Classify by code first, by HTTP status second (api.md, Errors)."""
    by_status = _BY_STATUS.get(status)
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


def _object_or_raise(answer: Response) -> dict[str, Any]:
    if not 200 <= answer.status_code < 300:
        raise error_from(answer)
    body = answer.json()
    if not isinstance(body, dict):
        raise malformed(answer, "the answer is not a JSON object")
    return body


def malformed(answer: Response, what: str) -> SiliconFlowAPIError:
    """Return the error for a response that cannot be understood."""
    error = error_from(answer, as_class=SiliconFlowServerError)
    error.hint = f"- {what}."
    return error


def _urls(videos: Any) -> tuple[str, ...]:
    urls = (_dict(video).get("url") for video in videos) if isinstance(videos, list) else ()
    return tuple(url for url in urls if isinstance(url, str) and url)


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _integer(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:
        return None


def _clean(text: str) -> str:
    """Replace lone surrogates, which JSON may carry and no log, XCom or file can."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Read ``Retry-After`` in seconds; a date counts from the answer's own ``Date``, so that no clock is needed."""
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return float(value[:9])
    try:
        until: datetime = parsedate_to_datetime(value)
        wait = (until - parsedate_to_datetime(headers.get("date", ""))).total_seconds()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return max(wait, 0.0)
