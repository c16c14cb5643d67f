"""Validation of submits."""

from __future__ import annotations

import base64
import binascii
import json
import re
from typing import TYPE_CHECKING, Any

from airflow_provider_siliconflow.client.models import IMAGE_SIZES
from airflow_provider_siliconflow.sandbox import responses

if TYPE_CHECKING:
    from airflow_provider_siliconflow.sandbox.responses import Response
    from airflow_provider_siliconflow.sandbox.settings import Settings

_DATA_URI = re.compile(r"data:image/(png|jpe?g|webp|gif);base64,", re.IGNORECASE)
_FIRST_BYTES = (b"\x89PNG", b"\xff\xd8\xff", b"RIFF", b"GIF8")


def makes_from_image(model: str) -> bool:
    """
    Tell an image-to-video model by its name.

    :param model: Model id.
    :return: False for a text-to-video model.
    """
    return "I2V" in model


def validate_submit(body: bytes, settings: Settings) -> dict[str, Any] | Response:
    """
    Validate a submit.

    :param body: The body of the call.
    :param settings: The switches.
    :return: Its fields, or the response that rejects it.
    """
    try:
        wanted = json.loads(body)
    except ValueError:
        return responses.bad_parameter("The body is not JSON.")
    if not isinstance(wanted, dict):
        return responses.bad_parameter("The body is not an object.")
    model = wanted.get("model")
    if model not in settings.models:
        return responses.UNKNOWN_MODEL
    for name in ("prompt", "image_size"):
        if not isinstance(wanted.get(name), str) or not wanted[name].strip():
            return responses.bad_parameter(f"{name} is needed.")
    if wanted["image_size"] not in IMAGE_SIZES:
        return responses.bad_parameter(f"image_size must be one of {', '.join(IMAGE_SIZES)}.")
    seed = wanted.get("seed")
    if seed is not None and (isinstance(seed, bool) or not isinstance(seed, int)):
        return responses.bad_parameter("seed must be an integer.")
    return _validate_image(wanted, settings) or wanted


def _validate_image(wanted: dict[str, Any], settings: Settings) -> Response | None:
    """Return the response that rejects the image, if any; drop it from ``wanted`` where it is ignored."""
    image = wanted.get("image")
    if not makes_from_image(wanted["model"]) and image is not None:
        if settings.t2v_image == "reject":
            return responses.bad_parameter("image is not a parameter of this model.")
        if settings.t2v_image == "ignore":
            del wanted["image"]
            return None
    if image is None:
        return responses.bad_parameter("image is needed.") if makes_from_image(wanted["model"]) else None
    if not isinstance(image, str):
        return responses.bad_parameter("image must be a URL or a data URI.")
    if image.startswith(("http://", "https://")):
        return None
    data = image_bytes(image)
    if data is None or not data.startswith(_FIRST_BYTES):
        return responses.bad_parameter("image must be a URL, or a data URI of a png, jpeg, webp or gif in base64.")
    if 0 < settings.max_image_bytes < len(data):
        return responses.IMAGES_TOO_LARGE
    return None


def image_bytes(image: str) -> bytes | None:
    """
    Return the bytes in a data URI.

    :param image: A URL or data URI.
    :return: ``None`` if it is not a data URI of an image.
    """
    head = _DATA_URI.match(image)
    if head is None:
        return None
    try:
        return base64.b64decode(image[head.end() :], validate=True)
    except (binascii.Error, ValueError):
        return None
