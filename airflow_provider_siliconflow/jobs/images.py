"""A picture's way into a request: a link as it is, a file as a data URI."""

from __future__ import annotations

import base64

from airflow_provider_siliconflow.exceptions import InvalidVideoRequestError

#: What a file must begin with; formats that clients of this API send in the field.
_SIGNATURES = {
    b"\x89PNG\r\n\x1a\n": "png",
    b"\xff\xd8\xff": "jpeg",
    b"GIF87a": "gif",
    b"GIF89a": "gif",
}
_AS_IT_IS = ("http://", "https://", "data:")


def image_field(image: str) -> str:
    """
    Return what the API's ``image`` field wants.

    :param image: An http(s) URL or a data URI, returned as it is; or a local path or any object-storage URI
        (``s3://conn_id@bucket/key``), read and returned as a data URI.
    :raises InvalidVideoRequestError: if there is no file that can be read, or it is no png, jpeg, webp or gif.
    """
    if not isinstance(image, str):
        raise InvalidVideoRequestError(f"image is {image!r}: neither a link nor the path of a picture.")
    if image.lower().startswith(_AS_IT_IS):
        return image
    content = _read(image)
    kind = _kind_of(content)
    if kind is None:
        raise InvalidVideoRequestError(
            f"{image} is not a picture: its first bytes are {content[:12]!r}, not those of a png, jpeg, webp or gif."
        )
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def _read(path: str) -> bytes:
    # Imported here, since it loads fsspec.
    from airflow.providers.common.compat.sdk import ObjectStoragePath

    try:
        content: bytes = ObjectStoragePath(path).read_bytes()
    # Each object store has errors of its own.
    except Exception as error:
        raise InvalidVideoRequestError(
            f"The picture {path} cannot be read: {type(error).__name__}: {error}."
        ) from error
    return content


def _kind_of(content: bytes) -> str | None:
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "webp"
    return next((kind for signature, kind in _SIGNATURES.items() if content.startswith(signature)), None)
