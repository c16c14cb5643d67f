"""The calls of the API as data: what to send, how to read the answer, how to end after the last failure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Any, Generic, TypeVar
from urllib.parse import quote

from airflow_provider_siliconflow.api import responses
from airflow_provider_siliconflow.api.responses import Answer
from airflow_provider_siliconflow.api.retry import Route, final_submit_error
from airflow_provider_siliconflow.api.video import SubmittedVideo, VideoRequest, VideoStatus
from airflow_provider_siliconflow.exceptions import InvalidVideoRequestError, SiliconFlowError

T = TypeVar("T")


def _unchanged(error: SiliconFlowError) -> SiliconFlowError:
    return error


@dataclass(frozen=True)
class Call(Generic[T]):
    """
    Hold one call.

    :param route: What repeating the call costs.
    :param method: The HTTP method.
    :param path: Path and query below the base URL.
    :param read: Turns the answer into a result, or raises.
    :param body: JSON body, if any.
    :param last_error: Makes the error to raise once the call is given up.
    """

    route: Route
    method: str
    path: str
    read: Callable[[Answer], T]
    body: dict[str, Any] | None = None
    last_error: Callable[[SiliconFlowError], SiliconFlowError] = _unchanged


def submit(video: VideoRequest) -> Call[SubmittedVideo]:
    """
    Make the call that buys a video.

    :raises InvalidVideoRequestError: with all that is wrong with the request.
    """
    if problems := video.validate():
        raise InvalidVideoRequestError("The video request cannot be sent: " + " ".join(problems))
    return Call(
        Route.SUBMIT,
        "POST",
        "/video/submit",
        responses.read_submit,
        video.to_json(),
        partial(final_submit_error, model=video.model),
    )


def status(request_id: str) -> Call[VideoStatus]:
    """
    Make the call that looks at a video.

    :raises InvalidVideoRequestError: if there is no id to ask for.
    """
    if not isinstance(request_id, str) or not request_id:
        error = InvalidVideoRequestError(
            f"request_id is {request_id!r}: there is no video to ask for. Did the task that submits it run?"
        )
        error.money = ""
        raise error

    def last_error(error: SiliconFlowError) -> SiliconFlowError:
        error.money = f"Whatever became of video {request_id}, asking for it again costs nothing."
        return error

    return Call(
        Route.FREE,
        "POST",
        "/video/status",
        partial(responses.read_status, request_id=request_id),
        {"requestId": request_id},
        last_error,
    )


def models(type: str) -> Call[list[str]]:
    """Make the call that lists the models of a type."""
    return Call(Route.FREE, "GET", f"/models?type={quote(type, safe='')}", responses.read_models)


def balance() -> Call[Decimal]:
    """Make the call that reads the account's balance."""
    return Call(Route.FREE, "GET", "/user/info", responses.read_balance)
