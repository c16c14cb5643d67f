"""What the service says: statuses, headers and bodies in its own words, without any HTTP library."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

JSON = "application/json"
XML = "application/xml"


@dataclass(frozen=True, slots=True)
class Response:
    """
    One response.

    :param status: HTTP status.
    :param body: The bytes sent.
    :param content_type: Its media type.
    :param headers: Further headers.
    :param on_sent: Called when this response is sent to a caller who is still connected.
    """

    status: int
    body: bytes
    content_type: str = JSON
    headers: dict[str, str] = field(default_factory=dict)
    on_sent: Callable[[], None] | None = None


def as_json(value: Any, status: int = 200, on_sent: Callable[[], None] | None = None) -> Response:
    """
    Return a response with a value as JSON.

    :param value: What the body is made of.
    :param status: HTTP status.
    :param on_sent: As for :class:`Response`.
    :return: The response.
    """
    return Response(status, json.dumps(value, ensure_ascii=False).encode(), on_sent=on_sent)


def error(status: int, code: int, message: str) -> Response:
    """
    Return a response of the documented error shape.

    :param status: HTTP status.
    :param code: The service's code.
    :param message: The service's words.
    :return: The response.
    """
    return as_json({"code": code, "message": message, "data": None}, status)


def plain_error(status: int, message: str) -> Response:
    """
    Return a response of the error shape that has no code.

    :param status: HTTP status.
    :param message: The service's words.
    :return: The response.
    """
    return as_json({"message": message, "data": None}, status)


def storage_error(status: int, code: str, message: str) -> Response:
    """
    Return a response of the object storage, in XML.

    :param status: HTTP status.
    :param code: The storage's code, such as ``AccessDenied``.
    :param message: Its words.
    :return: The response.
    """
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>{message}</Message></Error>'
    return Response(status, body.encode(), XML)


INVALID_TOKEN = as_json("Invalid token", 401)
WRONG_HOST = plain_error(401, "Api key is invalid")
NO_PAGE = as_json("404 page not found", 404)
GONE = plain_error(410, "This API is no longer available")
UNKNOWN_MODEL = error(400, 20012, "Model does not exist. Please check it carefully.")
IMAGES_TOO_LARGE = error(413, 20043, "The total size of the images is too large.")


def bad_parameter(why: str) -> Response:
    """
    Return the rejection of a parameter.

    :param why: A sentence.
    :return: A 400 with code 20015.
    """
    return error(400, 20015, f"The parameter is invalid. {why}")


def empty_balance(status: int) -> Response:
    """
    Return the rejection for an empty balance.

    :param status: 402 or 403; both were observed.
    :return: With code 30001.
    """
    return error(status, 30001, "Sorry, your account balance is insufficient")


def rate_limited(retry_after: float | None = None) -> Response:
    """
    Return the rejection of one call too many; the service sends this shape without a code.

    :param retry_after: Seconds in ``Retry-After``; ``None`` leaves the header out, as observed.
    :return: A 429.
    """
    response = plain_error(429, "Request was rejected due to rate limiting. Details: limit reached.")
    headers = {} if retry_after is None else {"Retry-After": str(max(1, round(retry_after)))}
    return Response(response.status, response.body, headers=headers)


def unknown_id(how: str) -> Response:
    """
    Return the response to an id that is not known; which one the service sends is unknown.

    :param how: One of :data:`~airflow_provider_siliconflow.sandbox.settings.LOST_ID_RESPONSES`.
    :return: The response.
    """
    return {
        "404": plain_error(404, "request id not found"),
        "400": bad_parameter("requestId does not exist."),
        "500": CANNED["server_error"],
        "no-video": CANNED["no_video"],
        "failed": as_json({"status": "Failed", "reason": "request not found", "results": None}),
    }[how]


#: Responses of faults, by the name of the fault.
CANNED: dict[str, Response] = {
    "rate_limited": rate_limited(),
    "overloaded": error(503, 50505, "Model service overloaded. Please try again later."),
    "busy": error(503, 50508, "System is too busy now. Please try again later."),
    "gateway_timeout": as_json("Gateway Timeout", 504),
    "server_error": plain_error(500, "Internal server error"),
    "unknown_error": error(500, 60000, "Unknown error"),
    "unknown_error_200": error(200, 60000, "Unknown error"),
    "bad_gateway": Response(502, b"<html><body><h1>502 Bad Gateway</h1></body></html>", "text/html"),
    "unauthorized": INVALID_TOKEN,
    "forbidden": as_json("Forbidden", 403),
    "empty_balance": empty_balance(403),
    "payment_required": empty_balance(402),
    "paid_balance_needed": error(403, 30011, "This model requires a paid balance."),
    "not_found": NO_PAGE,
    "legal": plain_error(451, "Unavailable for legal reasons"),
    "too_large": IMAGES_TOO_LARGE,
    "bad_parameter": bad_parameter("Please check it carefully."),
    "unknown_model": UNKNOWN_MODEL,
    "not_json": Response(200, b"upstream connect error", "text/plain"),
    "list": as_json([]),
    "empty": Response(200, b"", JSON),
    "no_id": as_json({}),
    "no_status": as_json({"reason": "", "results": {"videos": []}}),
    "unknown_word": as_json({"status": "Rendering", "reason": ""}),
    "no_video": as_json({"status": "Succeed", "reason": "", "results": {"videos": [], "seed": 1}}),
    "empty_url": as_json({"status": "Succeed", "reason": "", "results": {"videos": [{"url": ""}]}}),
    "storage_down": storage_error(503, "ServiceUnavailable", "The service is unavailable."),
    "expired": storage_error(403, "AccessDenied", "Request has expired."),
    "missing": storage_error(404, "NoSuchKey", "The specified key does not exist."),
}
