"""How an image becomes a field of a request: a URL as it is, a file or an object as a data URI."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, cast

from airflow_provider_siliconflow.archive.destination import OBJECT_STORES
from airflow_provider_siliconflow.archive.store_path import connect_store, path_of
from airflow_provider_siliconflow.client.file_types import type_name
from airflow_provider_siliconflow.exceptions import InvalidVideoRequestError
from airflow_provider_siliconflow.jobs import image_files, image_types

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.sdk import ObjectStoragePath

_URLS = ("http", "https")
_LOCAL = ("file", "local")


def image_field(image: str | os.PathLike[str] | ObjectStoragePath, folders: Sequence[str] | None = None) -> str:
    """
    Return what the API's ``image`` field takes.

    A URL is never fetched here: the service does that, from its own network.

    :param image: An http(s) URL or a data URI, returned as it is; or a local path, a ``file://`` URI, a URI of an
        object store (``s3://conn_id@bucket/key``), a ``Path`` or an ``ObjectStoragePath``: read and returned as a
        data URI.
    :param folders: Absolute paths of the folders that a local file must be in; None for any.
    :return: A URL or a data URI.
    :raises InvalidVideoRequestError: if it is none of these, cannot be read, or is no png, jpeg, webp or gif.
    :raises ImageUnavailableError: if the store that holds it cannot be reached for now.
    """
    if isinstance(image, str):
        return _from_text(image.strip(), folders)
    if isinstance(getattr(image, "protocol", None), str):
        return _from_path_of_airflow(cast("ObjectStoragePath", image), folders)
    if isinstance(image, os.PathLike):
        return _encode(image, image_files.read_file(os.fsdecode(image), folders))
    kind = type(image).__name__
    if isinstance(image, (bytes, bytearray, memoryview)):
        raise InvalidVideoRequestError(f"image is the content of a file ({kind}): give its path, or a data URI of it.")
    raise InvalidVideoRequestError(f"image is of the type {kind}: it must be a URL, a data URI or a path.")


def _from_text(text: str, folders: Sequence[str] | None) -> str:
    scheme, separator, rest = text.partition("://")
    scheme = scheme.lower()
    if text[:5].lower() == "data:":
        return _checked_data_uri(text)
    if separator and scheme in _URLS:
        return text
    if separator and scheme in _LOCAL:
        return _encode(text, image_files.read_file(_local_path(text, rest), folders))
    if separator:
        return _encode(text, image_files.read_object(_store_path(text, scheme)))
    if image_types.is_base64("".join(text.split())):
        raise InvalidVideoRequestError(
            f"image is base64 without a head ({len(text)} characters): write data:image/png;base64, before it."
        )
    if not text:
        raise InvalidVideoRequestError("image is an empty text.")
    return _encode(text, image_files.read_file(text, folders))


def _from_path_of_airflow(path: ObjectStoragePath, folders: Sequence[str] | None) -> str:
    if path.protocol in ("", *_LOCAL):
        return _encode(path, image_files.read_file(path.path, folders))
    _check_store(str(path), path.protocol)
    return _encode(path, image_files.read_object(path))


def _checked_data_uri(text: str) -> str:
    # Tools that make base64 break it into lines.
    uri = "".join(text.split())
    if problem := image_types.data_uri_problem(uri):
        raise InvalidVideoRequestError(
            f"image is neither an http(s) URL nor a base64 data URI of an image: it is {problem}."
        )
    return uri


def _local_path(text: str, rest: str) -> str:
    host, slash, path = rest.partition("/")
    if host.lower() not in ("", "localhost") or not slash:
        raise InvalidVideoRequestError(
            f"image {image_files.shown(text)} names another machine: write file:///folder/image.png."
        )
    return slash + path


def _store_path(text: str, scheme: str) -> ObjectStoragePath:
    _check_store(text, scheme)
    location = text.partition("://")[2]
    bucket, _, key = location.partition("/")
    if not bucket.rpartition("@")[2] or not key.strip("/"):
        raise InvalidVideoRequestError(
            f"image {image_files.shown(text)} names no object: write {scheme}://conn_id@bucket/key."
        )
    uri = f"{scheme}://{location}"
    with suppress(Exception):
        # What keeps a store from being connected is told where the object is read.
        connect_store(uri)
    try:
        return path_of(uri)
    except Exception as error:
        raise InvalidVideoRequestError(
            f"image {image_files.shown(text)} is not a path that Airflow can read ({type(error).__name__})."
        ) from None


def _check_store(text: str, scheme: str) -> None:
    # A closed set: the file systems behind Airflow's paths know many more, and http, github, zip or memory would fetch,
    # unpack or reveal what no image is. So would a chain such as simplecache::http://….
    if scheme not in OBJECT_STORES or "::" in text:
        stores = ", ".join(f"{store}://" for store in sorted(OBJECT_STORES))
        raise InvalidVideoRequestError(
            f"image {image_files.shown(text)} cannot be read: it is neither an http(s) URL, a data URI, a local file"
            f" nor an object of a store ({stores})."
        )


def _encode(image: object, content: bytes) -> str:
    subtype = image_types.image_type(content)
    if subtype is None:
        # Nothing of the content is shown: the file may be any file of this machine.
        kind = type_name(content) or "of an unknown type"
        raise InvalidVideoRequestError(
            f"image {image_files.shown(image)} is not an image that the API takes: it is {kind}, not"
            f" {image_types.ACCEPTED}."
        )
    return image_types.to_data_uri(content, subtype)
