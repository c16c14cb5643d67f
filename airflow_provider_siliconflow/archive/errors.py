"""Words for what is wrong with a destination."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from airflow_provider_siliconflow.client.masking import describe_error
from airflow_provider_siliconflow.exceptions import DestinationError, DestinationRefusedError

if TYPE_CHECKING:
    from collections.abc import Iterator

_WORDS = {
    errno.ENOSPC: "no space left on it",
    errno.EDQUOT: "the quota is used up",
    errno.EROFS: "it is read-only",
    errno.EACCES: "no rights to write there",
    errno.EPERM: "no rights to write there",
    errno.ENAMETOOLONG: "the name is too long; the manifest's name has .json added to the video's",
    errno.EILSEQ: "the file system cannot hold this name",
}
#: What no retry can change.
_PERMANENT = (errno.ENAMETOOLONG, errno.EILSEQ)
#: What clients raise where there is no server: those of S3, Azure, Google and OSS.
_UNREACHED = ("EndpointConnectionError", "ServiceRequestError", "ClientConnectorError", "RequestError")
#: What registers a file system for a scheme, and what to write for schemes that nothing registers.
_PACKAGES = {
    **dict.fromkeys(("s3", "s3a", "s3n"), "apache-airflow-providers-amazon[s3fs]"),
    **dict.fromkeys(("gs", "gcs"), "apache-airflow-providers-google"),
    **dict.fromkeys(("abfs", "abfss"), "apache-airflow-providers-microsoft-azure"),
    **dict.fromkeys(("sftp", "ssh"), "apache-airflow-providers-sftp[sshfs]"),
    "oss": "airflow-provider-siliconflow[oss]",
}
_AZURE = "abfs://conn_id@container/key, with a connection of type wasb"
_INSTEAD = {
    **dict.fromkeys(("adl", "az", "wasb", "wasbs"), _AZURE),
    **dict.fromkeys(
        ("hdfs", "webhdfs", "smb"),
        "a path of a mounted folder, or attach a file system in the DAG file: airflow.sdk.io.attach(scheme, fs=...)",
    ),
}


def destination_error(path: object, error: Exception) -> DestinationError:
    """
    Return the error for a failed read or write, with the path and the cause.

    :param path: The path as the user knows it.
    :param error: What the file system or its client raised.
    :return: A :class:`DestinationRefusedError` where no retry can succeed.
    """
    if isinstance(error, DestinationError):
        return error
    number = (error.errno or 0) if isinstance(error, OSError) else 0
    # A client may quote its store's signed URLs.
    said = describe_error(error)
    kind = DestinationRefusedError if number in _PERMANENT else DestinationError
    cause, hint = _WORDS.get(number), ""
    if "://" in str(path):
        cause, hint = _of_store(error, str(path)) or (cause, "")
    what = f"{cause} ({said})" if cause else said.rstrip(".")
    return kind(f"Cannot archive: {shorten(path, 300)}: {what}.{hint}{_without_connection(str(path))}")


def _of_store(error: Exception, uri: str) -> tuple[str, str] | None:
    """Return what is wrong with a store and what to do about it, as far as its client's error tells."""
    if isinstance(error, FileNotFoundError):
        return "there is no such bucket, container or folder", " Make it, or correct the destination."
    if is_forbidden(error) or _tells(error, "401"):
        hint = f" Check the credentials of {_whose(uri)}, and their right to create files there."
        return "the store denies access", hint
    if any(type(seen).__name__ == "ChannelOpenError" for seen in _chain(error)):
        words = "the server can neither rename onto a file (posix-rename) nor run cp"
        return words, " Archive to another server, or let its administrator allow one of them."
    if any(isinstance(seen, ConnectionError) or type(seen).__name__ in _UNREACHED for seen in _chain(error)):
        return "the store cannot be reached", f" Check the host or endpoint of {_whose(uri)}."
    return None


def _whose(uri: str) -> str:
    conn_id, found, _ = uri.partition("://")[2].partition("/")[0].rpartition("@")
    return f"the connection {shorten(conn_id)}" if found else "the worker itself"


def _without_connection(path: str) -> str:
    """Say where a URI without a connection leads."""
    scheme, found, rest = path.partition("://")
    if not found or "@" in rest.partition("/")[0] or scheme not in _PACKAGES:
        return ""
    where = " it went to amazonaws.com with the rights of the worker itself;" if scheme.startswith("s3") else ""
    right = f"{scheme}://conn_id@{shorten(rest, 100)}"
    return f" The URI names no connection:{where} write {right} for another store or account."


def no_answer(path: object, seconds: float) -> DestinationError:
    """
    Return the error for a store that does not answer in time.

    :param path: The path as the user knows it.
    :param seconds: The time it had.
    :return: An error that a retry may not meet.
    """
    hint = f" Check the host or endpoint of {_whose(str(path))}." if "://" in str(path) else ""
    return DestinationError(
        f"Cannot archive: {shorten(path, 300)}: the store did not answer within {seconds:.0f} s (store_timeout of the"
        f" SiliconFlow connection).{hint}{_without_connection(str(path))}"
    )


def is_forbidden(error: BaseException) -> bool:
    """
    Tell whether a store denied access: what is there is not known then.

    :param error: What the file system or its client raised.
    :return: True for a lack of rights, by the error or one of its causes.
    """
    return any(_denies(seen) for seen in _chain(error))


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and its causes."""
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__


def _denies(error: BaseException) -> bool:
    if isinstance(error, PermissionError) or type(error).__name__ == "SFTPPermissionDenied" or _tells(error, "403"):
        return True
    # gcsfs has no number and no class for it.
    return isinstance(error, OSError) and error.errno is None and str(error).startswith("Forbidden: ")


def _tells(error: BaseException, status: str) -> bool:
    """Tell whether a client's error has an HTTP status."""
    return any(str(getattr(error, name, None)) == status for name in ("status_code", "status", "code"))


def shorten(value: object, limit: int = 80) -> str:
    """
    Return a text that a message can carry.

    :param value: Anything.
    :param limit: Characters at most.
    :return: Its text, cut in the middle where it is too long, without what no log can hold.
    """
    text = str(value).encode("utf-8", "replace").decode()
    half = (limit - 1) // 2
    return text if len(text) <= limit else f"{text[:half]}…{text[-half:]}"


def unregistered(scheme: str, where: str = "where the task runs") -> str:
    """
    Return what to do about a scheme that Airflow has no file system for.

    :param scheme: In lower case.
    :param where: Where a package is missing.
    :return: For a message.
    """
    if package := _PACKAGES.get(scheme):
        return f"Airflow has no file system for {scheme}:// here: install {package} {where}"
    if scheme in _INSTEAD:
        return f"Airflow has no file system for {scheme}://: write {_INSTEAD[scheme]}"
    return f"Airflow has no file system for {scheme}://: install a provider that has one, or attach it in the DAG file"
