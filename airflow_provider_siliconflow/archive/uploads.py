"""What the client of each object store is given with an upload: its content type, and the condition of a new name."""

from __future__ import annotations

import inspect
import mimetypes
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection

    from airflow.sdk import ObjectStoragePath

_CLIENTS = ("s3fs", "gcsfs", "adlfs", "ossfs")
#: Content types of hidden files.
_HIDDEN = {".claim": "application/json", ".manifest": "application/json"}


def upload_options(
    path: ObjectStoragePath, content_type: str | None = None, *, is_exclusive: bool = False
) -> dict[str, Any]:
    """
    Return the arguments for ``put_file``; for a client that is not known, those that it names itself.

    s3fs and gcsfs know ``mode``, adlfs ``overwrite``, ossfs OSS's own header. Clients before 2024 ignore what they do
    not know.

    :param path: The object's path.
    :param content_type: Its content type; None for that of its suffix.
    :param is_exclusive: Whether the upload must fail where there is an object of that name.
    :return: Keyword arguments.
    """
    fs = path.fs
    client, known = client_of(fs), _parameters(fs)
    kind = content_type or _content_type(path.name)
    if client == "ossfs":
        return {"headers": {"Content-Type": kind, **({"x-oss-forbid-overwrite": "true"} if is_exclusive else {})}}
    options: dict[str, Any] = {"mode": "create"} if is_exclusive and "mode" in known else {}
    if not options and "overwrite" in known:
        options["overwrite"] = not is_exclusive
    if client == "s3fs":
        options["ContentType"] = kind
    elif client == "gcsfs":
        options["content_type"] = kind
    elif client == "adlfs":
        # Not as a dictionary, which only newer releases take.
        from azure.storage.blob import ContentSettings

        options["content_settings"] = ContentSettings(content_type=kind)
    return options


def is_exclusive(options: dict[str, Any]) -> bool:
    """
    Tell whether an upload is conditional.

    :param options: Of :func:`upload_options`.
    :return: False where the client knows no condition.
    """
    forbids = "x-oss-forbid-overwrite" in options.get("headers", {})
    return forbids or options.get("mode") == "create" or options.get("overwrite") is False


def is_conflict(error: Exception) -> bool:
    """
    Tell whether an upload failed because the name is taken.

    :param error: What the client raised.
    :return: True by its type or the store's words.
    """
    text = str(error).replace("-", "").replace(" ", "").lower()
    return isinstance(error, FileExistsError) or "preconditionsyouspecified" in text or "filealreadyexists" in text


def is_unconditional(error: Exception) -> bool:
    """
    Tell whether a conditional write failed because a store, or its client, knows no such conditions.

    :param error: What the client raised.
    :return: False for any other failure.
    """
    text = f"{type(error).__name__} {error}".replace(" ", "").lower()
    is_unknown = any(word in text for word in ("unknownparameter", "unexpectedkeyword"))
    if is_unknown and any(name in text for name in ("ifmatch", "ifnonematch")):
        return True
    return "notimplemented" in text or re.search(r"impl(ement|ie)sfunctionalitythatisnot", text) is not None


def client_of(fs: Any) -> str | None:
    """
    Return the package that a file system is of.

    :param fs: A file system; one of a subclass counts as its base.
    :return: ``s3fs``, ``gcsfs``, ``adlfs`` or ``ossfs``; None for any other.
    """
    packages = (base.__module__.partition(".")[0] for base in type(fs).__mro__)
    return next((package for package in packages if package in _CLIENTS), None)


def _content_type(name: str) -> str:
    suffix = f".{name.rpartition('.')[2]}"
    return _HIDDEN.get(suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"


def _parameters(fs: Any) -> Collection[str]:
    upload = getattr(fs, "_put_file", None) or fs.put_file
    return inspect.signature(upload).parameters
