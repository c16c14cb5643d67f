"""
The API's endpoints as data: what to send, how to read the response, which error to end with.

Documented by the vendor at docs.siliconflow.cn, ``/en/api-reference``: ``videos/videos_submit``,
``videos/get_videos_status``, ``models`` and ``userinfo``. What is not in there, and was seen in recorded responses, is
called observed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from urllib.parse import quote

from airflow_provider_siliconflow.client import parsing
from airflow_provider_siliconflow.client.retry import Route, final_submit_error
from airflow_provider_siliconflow.exceptions import InvalidArgumentError, InvalidVideoRequestError, SiliconFlowError

if TYPE_CHECKING:
    from collections.abc import Callable
    from decimal import Decimal

    from airflow_provider_siliconflow.client.models import SubmittedVideo, VideoRequest, VideoStatus
    from airflow_provider_siliconflow.client.response import Response

T = TypeVar("T")


def _unchanged(error: SiliconFlowError) -> SiliconFlowError:
    return error


@dataclass(frozen=True)
class Endpoint(Generic[T]):
    """
    A call of the API.

    :param route: What repeating the call costs.
    :param method: The HTTP method.
    :param path: Path and query below the base URL.
    :param read: Reads a response: returns the result, or raises.
    :param body: JSON body, if any.
    :param final_error: Makes the error to raise when the call is not sent again.
    """

    route: Route
    method: str
    path: str
    read: Callable[[Response], T]
    body: Any = field(default=None, repr=False)
    final_error: Callable[[SiliconFlowError], SiliconFlowError] = _unchanged


def submit(video: VideoRequest) -> Endpoint[SubmittedVideo]:
    """
    Return the call that submits a video, which is billed.

    Not idempotent: no key for it is documented, nor a list of requests, so an id that is lost cannot be found again.

    :param video: What to make.
    :return: The call.
    :raises InvalidVideoRequestError: with all that is wrong with the request.
    """
    if problems := video.validate():
        raise InvalidVideoRequestError("The video request cannot be sent: " + " ".join(problems))
    return Endpoint(
        Route.SUBMIT,
        "POST",
        "/video/submit",
        parsing.read_submit,
        video.to_json(),
        partial(final_submit_error, model=video.model),
    )


def status(request_id: str) -> Endpoint[VideoStatus]:
    """
    Return the call that polls a video. Documented as a POST; it may be repeated freely.

    :param request_id: The video's request id.
    :return: The call.
    :raises InvalidArgumentError: if there is no request id to poll.
    """
    if not isinstance(request_id, str) or not request_id:
        raise InvalidArgumentError(
            f"request_id is {request_id!r}: there is no video to poll. Did the task that submits it run?"
        )

    return Endpoint(
        Route.FREE,
        "POST",
        "/video/status",
        partial(parsing.read_status, request_id=request_id),
        {"requestId": request_id},
    )


def models(model_type: str) -> Endpoint[list[str]]:
    """
    Return the call that lists the models of a type.

    :param model_type: The API's model type, such as ``video``.
    :return: The call; its result is the ids, in the service's order.
    """
    return Endpoint(Route.FREE, "GET", f"/models?type={quote(model_type, safe='')}", parsing.read_models)


def balance() -> Endpoint[Decimal]:
    """
    Return the call that reads the account's balance.

    :return: The call; its result is in the site's currency. Observed: .cn responds with 410 since 2026-08.
    """
    return Endpoint(Route.FREE, "GET", "/user/info", parsing.read_balance)


def other(method: str, path: str, body: Any = None) -> Endpoint[Any]:
    """
    Return a call of a route that has no function here.

    :param method: The HTTP method; any but GET and HEAD counts as one that may be paid.
    :param path: Path and query below the base URL.
    :param body: The JSON body, if any.
    :return: The call; its result is the response's JSON.
    :raises InvalidArgumentError: if method or path cannot be sent.
    """
    if not (isinstance(method, str) and method.isalpha() and method.isascii()):
        raise InvalidArgumentError(f"method {str(method)[:20]!r} is not an HTTP method.")
    if not (isinstance(path, str) and re.fullmatch(r"/[!-~]*", path)):
        raise InvalidArgumentError(f"path {str(path)[:80]!r} is not a path such as /models, percent-encoded.")
    route = Route.FREE if method.upper() in ("GET", "HEAD") else Route.SUBMIT
    return Endpoint(route, method.upper(), path, parsing.read_json, body)
