"""The calls of the API as data: what to send, how to read the answer, how to end after the last failure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Any, Generic, TypeVar
from urllib.parse import quote

from airflow_provider_siliconflow.client import parsing
from airflow_provider_siliconflow.client.models import SubmittedVideo, VideoRequest, VideoStatus
from airflow_provider_siliconflow.client.parsing import Response
from airflow_provider_siliconflow.client.retry import Route, final_submit_error
from airflow_provider_siliconflow.exceptions import InvalidArgumentError, InvalidVideoRequestError, SiliconFlowError

T = TypeVar("T")


def _unchanged(error: SiliconFlowError) -> SiliconFlowError:
    return error


@dataclass(frozen=True)
class Endpoint(Generic[T]):
    """
    Hold one call.

    :param route: What repeating the call costs.
    :param method: The HTTP method.
    :param path: Path and query below the base URL.
    :param read: Turns the answer into a result, or raises.
    :param body: JSON body, if any.
    :param final_error: Makes the error to raise once the call is given up.
    """

    route: Route
    method: str
    path: str
    read: Callable[[Response], T]
    body: dict[str, Any] | None = None
    final_error: Callable[[SiliconFlowError], SiliconFlowError] = _unchanged


def submit(video: VideoRequest) -> Endpoint[SubmittedVideo]:
    """
    Make the call that buys a video.

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
    Make the call that looks at a video.

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


def models(type: str) -> Endpoint[list[str]]:
    """Make the call that lists the models of a type."""
    return Endpoint(Route.FREE, "GET", f"/models?type={quote(type, safe='')}", parsing.read_models)


def balance() -> Endpoint[Decimal]:
    """Make the call that reads the account's balance."""
    return Endpoint(Route.FREE, "GET", "/user/info", parsing.read_balance)
