"""A video request as the user gave it: rendered fields, read once for its fingerprint and for what is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_siliconflow.client.models import VideoRequest
from airflow_provider_siliconflow.exceptions import InvalidArgumentError, InvalidVideoRequestError
from airflow_provider_siliconflow.jobs.arguments import shown, text
from airflow_provider_siliconflow.jobs.images import image_field

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: The fields of a request, as :class:`VideoRequest` and ``POST /video/submit`` have them.
FIELDS = ("prompt", "model", "image_size", "negative_prompt", "image", "seed")
#: Characters of an image (a data URI, as a rule) above which no store repeats it.
_MAX_KEPT = 4096


def read_fields(given: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return the fields of a request that are not absent, as the user gave them.

    An image stays the path or URL that was given, since a video that is paid for must be found again although its
    image is gone.

    :param given: Rendered fields, any of :data:`FIELDS`.
    :return: Texts, the ``seed`` an integer, ``image`` as given.
    :raises InvalidVideoRequestError: if a field is of a type or has characters that cannot be sent and stored.
    """
    try:
        fields: dict[str, Any] = {
            name: text(name, given.get(name)) for name in ("prompt", "model", "image_size", "negative_prompt")
        }
    except InvalidArgumentError as error:
        raise InvalidVideoRequestError(error.message) from None
    image = given.get("image")
    fields["image"] = None if isinstance(image, str) and image.strip() in ("", "None") else image
    fields["seed"] = _seed(given.get("seed"))
    return {name: value for name, value in fields.items() if value is not None}


def build(fields: Mapping[str, Any], image_folders: Sequence[str] | None) -> VideoRequest:
    """
    Return the request to send; reads its image.

    :param fields: As :func:`read_fields` returned them.
    :param image_folders: Absolute paths of the folders that a local image must be in; None for any.
    :return: A request that can be sent as it is.
    :raises InvalidVideoRequestError: with all that is wrong with it, or if its image cannot be read.
    :raises ImageUnavailableError: if the store of its image cannot be reached for now.
    """
    image = fields.get("image")
    request = VideoRequest(
        model=fields.get("model", ""),
        prompt=fields.get("prompt", ""),
        image_size=fields.get("image_size", ""),
        negative_prompt=fields.get("negative_prompt"),
        image=None if image is None else image_field(image, image_folders),
        seed=fields.get("seed"),
    )
    if problems := request.validate():
        raise InvalidVideoRequestError("The video request cannot be sent: " + " ".join(problems))
    return request


def _seed(value: Any) -> int | None:
    """Read a seed, which a template turns into text."""
    if isinstance(value, str):
        if value.strip() in ("", "None"):
            return None
        try:
            return int(value.strip())
        except ValueError:
            raise InvalidVideoRequestError(f"seed is {shown(value)}: it must be an integer.") from None
    if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
        raise InvalidVideoRequestError(f"seed is {shown(value)}: it must be an integer.")
    return value


def may_be_kept(image: object) -> bool:
    """
    Tell an image that a store may hold from one that is longer than a path or may be a secret.

    :param image: As the user gave it.
    :return: Whether it may be kept.
    """
    text = str(image or "")
    # What a URL has behind its path may be a signature, and who may see Variables is another question.
    return len(text) <= _MAX_KEPT and not text.startswith("data:") and "?" not in text
