"""What a user means by a destination, or why it cannot be used."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow_provider_siliconflow.archive.errors import destination_error, is_forbidden, shorten, unregistered
from airflow_provider_siliconflow.archive.store_path import store_path
from airflow_provider_siliconflow.client.video_record import manifest_name, poster_name
from airflow_provider_siliconflow.exceptions import DestinationRefusedError

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

#: Stores on which an object appears under its name when its upload is complete, and not before: the schemes that
#: Airflow's providers register (amazon, google, microsoft.azure), and others for the same stores.
OBJECT_STORES = frozenset({"s3", "s3a", "s3n", "gs", "gcs", "abfs", "abfss", "az", "adl", "wasb", "wasbs", "oss"})
#: Those of them that are reached by the API of S3.
S3 = ("s3", "s3a", "s3n")
#: Bytes of a key at most: S3 and Google 1,024, Alibaba OSS 1,023, Azure 1,024 characters.
_KEY_LIMIT = 1023
_LOCAL = ("", "file", "local")
#: File systems that know no bucket or share: their client ignores a host in the URI.
_WITHOUT_HOST = ("sftp", "ssh")
#: Those that adlfs is for.
AZURE = ("abfs", "abfss", "az", "wasb", "wasbs")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")
_ONE_SLASH = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/(?!/)")
_VARIABLE = re.compile(r"(^|/)\$(\{\w+\}|[A-Z_][A-Z0-9_]*)")


@dataclass(frozen=True)
class Destination:
    """
    Where one video goes.

    :param path: The path of the video.
    :param is_folder: Whether the user gave a folder, so that the video is named after its request id.
    """

    path: ObjectStoragePath
    is_folder: bool

    @property
    def manifest(self) -> ObjectStoragePath:
        """Return the path of the manifest: ``clip.mp4`` has ``clip.mp4.json``."""
        return self.path.parent / manifest_name(self.path.name)

    @property
    def poster(self) -> ObjectStoragePath:
        """The path of the poster: ``clip.mp4`` has ``clip.mp4.jpg``."""
        return self.path.parent / poster_name(self.path.name)


def is_local(path: ObjectStoragePath) -> bool:
    """
    Tell whether a path is on a file system of this machine.

    :param path: Any path.
    :return: False for object stores, SFTP and the like.
    """
    return path.protocol in _LOCAL


def understand(destination: Any, request_id: str | None) -> Destination:
    """
    Return what a destination means, by the rules of a shell or of the store.

    :param destination: A local path or object-storage URI (``s3://conn_id@bucket/key``), as text,
        :class:`~pathlib.Path` or ``ObjectStoragePath``. A folder (a trailing ``/``, or one that exists) stands for
        ``<request_id>.mp4`` in it.
    :param request_id: The video's id, if known.
    :return: The path of the video.
    :raises DestinationRefusedError: for what is no destination of a video; the message names what to write instead.
    :raises DestinationError: if its file system cannot be reached.
    """
    from airflow.sdk import ObjectStoragePath

    text = _text_of(destination)
    try:
        if _SCHEME.match(text) and not text.lower().startswith(("file://", "local://")):
            path = store_path(_checked_uri(text))
            if "?" in text and not text.rstrip("/").endswith(path.path.strip("/")):
                raise _refused(text, f"its client reads it as {path.path}: write it without ?")
        else:
            path = ObjectStoragePath(_absolute(text))
        ends_as_folder = text.endswith(("/", "/.", "/..")) or text in (".", "..")
        is_folder = ends_as_folder or not path.name or _is_folder(path)
    except DestinationRefusedError:
        raise
    except Exception as error:
        # In the words of Airflow, of its path library, and of fsspec, which knows more clients than are installed.
        words = ("No filesystem registered", "Unsupported filesystem")
        if isinstance(error, ImportError) or any(word in str(error) for word in words):
            raise _refused(text, unregistered(text.partition("://")[0].lower())) from None
        raise destination_error(text, error) from error
    return _named(path, text, request_id) if is_folder else _checked_file(path)


def as_folder(destination: Any) -> Any:
    """
    Return a destination of many videos, which is a folder whether it exists or not.

    :param destination: As for :func:`understand`.
    :return: The same with a trailing slash; what is no destination as it is, for :func:`understand` to reject.
    """
    from airflow.sdk import ObjectStoragePath

    if not isinstance(destination, str | PurePath | ObjectStoragePath):
        return destination
    text = str(destination).strip()
    return text if text in ("", "None") else f"{text.rstrip('/')}/"


def _is_folder(path: ObjectStoragePath) -> bool:
    """Tell whether a path is an existing folder; one that may not be read is taken for a file."""
    try:
        return bool(path.fs.isdir(path.path))
    except Exception as error:
        if is_forbidden(error):
            return False
        raise


def _text_of(destination: Any) -> str:
    """Return a destination as text, without the white space that templates leave around it."""
    from airflow.sdk import ObjectStoragePath

    if isinstance(destination, str | PurePath | ObjectStoragePath):
        text = str(destination).strip()
    elif destination is None:
        text = ""
    else:
        kind = type(destination).__name__
        raise _refused(destination, f"destination is of type {kind}: give a path or an object-storage URI")
    if text in ("", "None"):
        raise DestinationRefusedError("The destination is empty.")
    if any(c < " " or c == "\x7f" or "\ud800" <= c <= "\udfff" for c in text):
        raise _refused(text, "it has characters that no file name can have")
    return text


def _checked_uri(text: str) -> str:
    """Refuse URIs that a store would read as something else than they seem to say."""
    scheme = text.partition("://")[0].lower()
    parts = urlsplit(text)
    user, at, host = parts.netloc.rpartition("@")
    if scheme in _WITHOUT_HOST and host:
        right = f"{scheme}://{user}{at}/{host}{parts.path}"
        raise _refused(text, f"an SFTP path has no host part, which would be left out of the path: write {right}")
    if scheme == "adl":
        raise _refused(text, "Azure Data Lake Storage Gen1 has ended: write abfs://conn_id@container/key")
    if scheme in AZURE and "." in host:
        account = f"https://{host}"
        right = (
            f"abfs://conn_id@{user or 'container'}{parts.path}, with a connection of type wasb whose host is {account}"
        )
        raise _refused(text, f"the name before @ is a connection's in Airflow: write {right}")
    if scheme in OBJECT_STORES and not host:
        raise _refused(text, f"it names no bucket: write {scheme}://{user or 'conn_id'}@bucket/key")
    key = text.partition("://")[2].partition("/")[2]
    if scheme in OBJECT_STORES:
        _check_key(text, key)
    segments = key.split("/")
    if "" in segments[:-1]:
        raise _refused(text, "it has an empty folder name (//)")
    if {".", ".."} & set(segments):
        raise _refused(text, "it has . or .. in it, which a store takes for names")
    return text


def _absolute(text: str) -> str:
    """Return a local path as a shell reads it, absolute: a manifest names it for good, a working directory does not."""
    scheme, _, rest = text.rpartition("://")
    if not scheme and _ONE_SLASH.match(text):
        wanted = re.sub(":/", ":///" if text.lower().startswith(_LOCAL[1:]) else "://", text, count=1)
        raise _refused(text, f"it is neither a path nor a URI: write {wanted}, or ./{text} for a folder of that name")
    if "::" in scheme or scheme.lower() not in ("", *_LOCAL):
        raise _refused(text, "it is neither a path nor a URI of a store")
    if scheme and not rest.startswith("/"):
        raise _refused(text, f"a local URI has three slashes and an absolute path: write {scheme}:///…")
    if _VARIABLE.search(rest):
        raise _refused(text, "environment variables are not expanded: give the path itself, or a template")
    if not scheme and rest.startswith("~"):
        expanded = os.path.expanduser(rest)
        if expanded.startswith("~"):
            raise _refused(text, "there is no such home folder")
        rest = expanded
    path = re.sub("^/+", "/", os.path.abspath(rest))
    if os.path.lexists(path) and not (os.path.isfile(path) or os.path.isdir(path)):
        raise _refused(text, "it is a device, a pipe or a broken link, not a regular file")
    return f"{'file://' if scheme else ''}{path}"


def _named(folder: ObjectStoragePath, text: str, request_id: str | None) -> Destination:
    if not request_id:
        raise _refused(
            text, "it is a folder, and without a request_id there is no name for the video: give a file name"
        )
    path = folder / f"{file_name(request_id)}.mp4"
    if path.protocol in OBJECT_STORES:
        _check_key(str(path), path.path.partition("/")[2])
    return Destination(path, is_folder=True)


def _checked_file(path: ObjectStoragePath) -> Destination:
    if path.name.lower().endswith(".json"):
        raise _refused(path, "it is no name for a video: manifests have .json")
    return Destination(path, is_folder=False)


def _check_key(text: str, key: str) -> None:
    if len(manifest_name(key).encode()) > _KEY_LIMIT:
        raise _refused(text, f"the key of its manifest would be longer than {_KEY_LIMIT} bytes")


def file_name(request_id: str) -> str:
    """
    Return a file name made of an id; two ids never share one.

    :param request_id: Any text.
    :return: 113 ASCII characters at most.
    """
    safe = re.sub(r"[^A-Za-z0-9_-]", "_", request_id)[:100]
    if safe == request_id:
        return safe
    digest = hashlib.sha256(request_id.encode("utf-8", "backslashreplace")).hexdigest()
    return f"{safe}-{digest[:12]}"


def _refused(destination: object, why: str) -> DestinationRefusedError:
    return DestinationRefusedError(f"{shorten(destination, 200)} cannot be a destination: {why}.")
