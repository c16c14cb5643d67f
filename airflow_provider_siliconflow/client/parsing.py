"""Read responses: from status, headers and body to a result, or to the error that names its cause."""

from __future__ import annotations

import math
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from airflow_provider_siliconflow.client.failures import error_from, malformed
from airflow_provider_siliconflow.client.finding import documented_urls, find_request_id, find_status, find_urls
from airflow_provider_siliconflow.client.models import SubmittedVideo, VideoState, VideoStatus
from airflow_provider_siliconflow.client.retry import FailureKind, Route, classify_failure
from airflow_provider_siliconflow.exceptions import (
    SiliconFlowAPIError,
    SiliconFlowConnectionError,
    SiliconFlowError,
    SiliconFlowNotFoundError,
)

if TYPE_CHECKING:
    from airflow_provider_siliconflow.client.response import Response

#: Characters of a status word and of a reason that are kept.
_WORD, _REASON = 80, 1000


def read_submit(response: Response) -> SubmittedVideo:
    """
    Read the response to a submit.

    An id that was given is never lost: wherever it stands, however the response is broken. In a response that leaves
    open whether the submit was accepted, and in any 5xx, it counts as accepted. Should it be the id of the failed call
    and not of a video, polling says so and nothing was paid again; thrown away, a paid video would be lost. A
    rejection stays one, and its message shows the id.

    :param response: The response, whole or not.
    :return: The accepted submit.
    :raises SiliconFlowConnectionError: if the body was cut short before an id.
    :raises SiliconFlowAPIError: for any other response without an id, and for a rejection.
    """
    found = find_request_id(response)
    is_success = 200 <= response.status_code < 300
    if found and is_success and not found.where and not response.cut:
        return SubmittedVideo(found.request_id, response.trace_id, response.host)
    error: SiliconFlowError
    if response.cut:
        error = _cut_short(response)
    else:
        error = malformed(response, "the response has no requestId") if is_success else error_from(response)
    if not found:
        raise error
    if response.status_code < 500 and classify_failure(Route.SUBMIT, error) is not FailureKind.AMBIGUOUS:
        error.message += f" (it names the request id {found.request_id})"
        raise error
    cut = f", in a response that is not whole ({response.cut})" if response.cut else ""
    where = found.where or "as requestId"
    oddity = f"the submit got HTTP {response.status_code}, and its request id {where}{cut}"
    return SubmittedVideo(found.request_id, response.trace_id, response.host, oddity)


def read_status(response: Response, request_id: str) -> VideoStatus:
    """
    Read the response to a poll. A video that is there is taken, in whatever form clients in the field have seen it.

    :param response: The response.
    :param request_id: The video that was asked for.
    :return: The video's status.
    :raises SiliconFlowNotFoundError: if this host and account do not know the id (404 and 400).
    :raises SiliconFlowServerError: for a response without a status, or a success without a video.
    :raises SiliconFlowConnectionError: if the body was cut short.
    :raises SiliconFlowAPIError: for any other error.
    """
    if response.status_code in (400, 404) and not response.cut:
        raise _unknown_id(response, request_id)
    body = _object_or_raise(response)
    holder, word = find_status(body)
    urls = documented_urls(body)
    state, urls, oddity = _decide_state(body, word, urls or find_urls(body), documented=bool(urls))
    if state is None:
        raise malformed(response, "the response has no status")
    if state is VideoState.SUCCEED and not urls:
        raise malformed(response, "the response says Succeed, but names no video")
    results = _dict(holder.get("results"))
    reason = holder.get("reason")
    return VideoStatus(
        request_id=request_id,
        status=state,
        status_text=response.shown(word or "", _WORD),
        reason=response.shown(reason, _REASON) if isinstance(reason, str) else "",
        position=_integer(holder.get("position")),
        urls=urls,
        inference_seconds=_number(_dict(results.get("timings")).get("inference")),
        seed=_integer(results.get("seed")),
        trace_id=response.trace_id,
        oddity=response.shown(oddity),
    )


def read_models(response: Response) -> list[str]:
    """
    Read the ids of the models on offer.

    :param response: The response.
    :return: The ids, in the service's order.
    :raises SiliconFlowError: for anything but a list of models.
    """
    models = _object_or_raise(response).get("data")
    if not isinstance(models, list):
        raise malformed(response, "the response has no list of models")
    ids = (_dict(model).get("id") for model in models)
    return [response.shown(model_id) for model_id in ids if isinstance(model_id, str)]


def read_balance(response: Response) -> Decimal:
    """
    Read the account's total balance, in the site's currency.

    :param response: The response.
    :return: The balance.
    :raises SiliconFlowError: for anything without an amount (410 on .cn since 2026-08).
    """
    amount = _dict(_object_or_raise(response).get("data")).get("totalBalance")
    try:
        balance = Decimal(amount if isinstance(amount, (str, int)) else str(amount))
    except (InvalidOperation, ValueError):
        raise malformed(response, "the response has no totalBalance") from None
    if not balance.is_finite():
        raise malformed(response, "the response has no totalBalance")
    return balance


def read_json(response: Response) -> Any:
    """
    Read the response to a call that this provider does not know.

    :param response: The response.
    :return: Its JSON as it came.
    :raises SiliconFlowError: for anything but a success with JSON.
    """
    if not 200 <= response.status_code < 300:
        raise error_from(response)
    if response.json is None:
        raise _cut_short(response) if response.cut else malformed(response, "the response is not JSON")
    return response.json


def _decide_state(
    body: dict[str, Any], word: str | None, urls: tuple[str, ...], *, documented: bool
) -> tuple[VideoState | None, tuple[str, ...], str]:
    """Decide on the state: a documented one that is not final holds; else a video that is there is a success."""
    state = VideoState(word) if word is not None else None
    if state in (VideoState.IN_QUEUE, VideoState.IN_PROGRESS):
        return state, (urls if documented else ()), "" if word == state else f"the state {word!r} is read as {state}"
    code = body.get("code")
    if not urls or (state is None and not documented and isinstance(code, int) and code not in (0, 200, 20000)):
        # With a code of an error, a URL may as well lead to an explanation.
        return state, (), "" if state is None or word == state else f"the state {word!r} is read as {state}"
    if documented and word == VideoState.SUCCEED:
        return state, urls, ""
    where = "" if documented else ", found where it is not documented to be"
    return VideoState.SUCCEED, urls, f"the state {word!r} comes with a video{where}, and is read as Succeed"


def _unknown_id(response: Response, request_id: str) -> SiliconFlowAPIError:
    error = error_from(response, as_class=SiliconFlowNotFoundError)
    error.hint = (
        f"- This host and account do not know the video {request_id}: was it submitted with another connection,"
        " or is it too old?"
    )
    return error


def _object_or_raise(response: Response) -> dict[str, Any]:
    """Return the JSON object of a success. One that is whole is taken from a response that was cut."""
    body = response.json
    is_success = 200 <= response.status_code < 300
    if is_success and isinstance(body, dict):
        return body
    if response.cut:
        raise _cut_short(response)
    raise malformed(response, "the response is not a JSON object") if is_success else error_from(response)


def _cut_short(response: Response) -> SiliconFlowConnectionError:
    what = f"the response (HTTP {response.status_code}) was cut short: {response.cut}"
    return SiliconFlowConnectionError(response.shown(what), host=response.host)


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
