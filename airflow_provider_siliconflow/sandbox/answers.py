"""What the service says: statuses, headers and bodies in its own words, without any HTTP library."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

JSON = "application/json"
XML = "application/xml"


@dataclass(frozen=True, slots=True)
class Answer:
    """
    One answer.

    :param status: HTTP status.
    :param body: The bytes sent.
    :param content_type: Its media type.
    :param headers: Further headers.
    :param on_sent: Called when this answer is sent to a caller who is still connected.
    """

    status: int
    body: bytes
    content_type: str = JSON
    headers: dict[str, str] = field(default_factory=dict)
    on_sent: Callable[[], None] | None = None


def say(value: Any, status: int = 200, on_sent: Callable[[], None] | None = None) -> Answer:
    """Return an answer with a value as JSON."""
    return Answer(status, json.dumps(value, ensure_ascii=False).encode(), on_sent=on_sent)


def error(status: int, code: int, message: str) -> Answer:
    """Return an answer of the documented error shape."""
    return say({"code": code, "message": message, "data": None}, status)


def plain_error(status: int, message: str) -> Answer:
    """Return an answer of the error shape that has no code."""
    return say({"message": message, "data": None}, status)


def storage_error(status: int, code: str, message: str) -> Answer:
    """Return an answer of the object storage, in XML."""
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>{message}</Message></Error>'
    return Answer(status, body.encode(), XML)


INVALID_TOKEN = say("Invalid token", 401)
WRONG_HOST = plain_error(401, "Api key is invalid")
NO_PAGE = say("404 page not found", 404)
GONE = plain_error(410, "This API is no longer available")
UNKNOWN_MODEL = error(400, 20012, "Model does not exist. Please check it carefully.")
IMAGES_TOO_LARGE = error(413, 20043, "The total size of the images is too large.")


def bad_parameter(why: str) -> Answer:
    """Return the rejection of a parameter."""
    return error(400, 20015, f"The parameter is invalid. {why}")


def empty_balance(status: int) -> Answer:
    """Return the rejection for an empty balance."""
    return error(status, 30001, "Sorry, your account balance is insufficient")


def rate_limited(retry_after: float | None = None) -> Answer:
    """
    Return the rejection of one call too many; the service sends this shape without a code.

    :param retry_after: Seconds to tell in ``Retry-After``; ``None`` tells nothing, as observed.
    """
    said = plain_error(429, "Request was rejected due to rate limiting. Details: limit reached.")
    headers = {} if retry_after is None else {"Retry-After": str(max(1, round(retry_after)))}
    return Answer(said.status, said.body, headers=headers)


#: What a fault of this name says instead of the truth.
CANNED: dict[str, Answer] = {
    "rate_limited": rate_limited(),
    "overloaded": error(503, 50505, "Model service overloaded. Please try again later."),
    "busy": error(503, 50508, "System is too busy now. Please try again later."),
    "gateway_timeout": say("Gateway Timeout", 504),
    "server_error": plain_error(500, "Internal server error"),
    "unknown_error": error(500, 60000, "Unknown error"),
    "unknown_error_200": error(200, 60000, "Unknown error"),
    "bad_gateway": Answer(502, b"<html><body><h1>502 Bad Gateway</h1></body></html>", "text/html"),
    "unauthorized": INVALID_TOKEN,
    "forbidden": say("Forbidden", 403),
    "empty_balance": empty_balance(403),
    "payment_required": empty_balance(402),
    "paid_balance_needed": error(403, 30011, "This model requires a paid balance."),
    "not_found": NO_PAGE,
    "legal": plain_error(451, "Unavailable for legal reasons"),
    "too_large": IMAGES_TOO_LARGE,
    "bad_parameter": bad_parameter("Please check it carefully."),
    "unknown_model": UNKNOWN_MODEL,
    "not_json": Answer(200, b"upstream connect error", "text/plain"),
    "list": say([]),
    "empty": Answer(200, b"", JSON),
    "no_id": say({}),
    "no_status": say({"reason": "", "results": {"videos": []}}),
    "unknown_word": say({"status": "Rendering", "reason": ""}),
    "no_video": say({"status": "Succeed", "reason": "", "results": {"videos": [], "seed": 1}}),
    "empty_url": say({"status": "Succeed", "reason": "", "results": {"videos": [{"url": ""}]}}),
    "storage_down": storage_error(503, "ServiceUnavailable", "The service is unavailable."),
    "expired": storage_error(403, "AccessDenied", "Request has expired."),
    "missing": storage_error(404, "NoSuchKey", "The specified key does not exist."),
}
