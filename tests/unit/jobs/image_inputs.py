"""Images for tests, and the message with which one is rejected."""

from __future__ import annotations

import base64
import io
from typing import Any

import pytest
from PIL import Image

from airflow_provider_siliconflow.exceptions import InvalidVideoRequestError
from airflow_provider_siliconflow.jobs.images import image_field

#: Characters of the longest error: our own words and 80 of the user's.
LONGEST = 400


def make_image(kind: str) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (4, 3), "red").save(file, kind)
    return file.getvalue()


PNG = make_image("png")


PNG_FIELD = "data:image/png;base64," + base64.b64encode(PNG).decode()


def rejection(image: Any, folders: list[str] | None = None) -> str:
    """Return the message with which an image is refused, after checking what holds for all of them."""
    with pytest.raises(InvalidVideoRequestError) as caught:
        image_field(image, folders)
    message = str(caught.value)
    assert message.startswith("image ")
    assert "Nothing was submitted" in message
    assert len(message) <= LONGEST
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None or caught.value.__suppress_context__
    return message
