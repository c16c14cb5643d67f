"""Words for what is wrong with a destination."""

from __future__ import annotations

import errno

from airflow_provider_siliconflow.client.masking import describe_error
from airflow_provider_siliconflow.exceptions import DestinationError, DestinationRefusedError

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
_FINAL = (errno.ENAMETOOLONG, errno.EILSEQ)
#: What registers a file system for a scheme, and what to write for schemes that nothing registers.
_PACKAGES = {
    **dict.fromkeys(("s3", "s3a"), "apache-airflow-providers-amazon[s3fs]"),
    **dict.fromkeys(("gs", "gcs"), "apache-airflow-providers-google"),
    **dict.fromkeys(("abfs", "abfss", "adl"), "apache-airflow-providers-microsoft-azure"),
    **dict.fromkeys(("sftp", "ssh"), "apache-airflow-providers-sftp[sshfs]"),
    "hdfs": "apache-airflow-providers-apache-hdfs",
}
_INSTEAD = {
    "oss": "s3://conn_id@bucket/key, with a connection of type aws whose endpoint_url is that of OSS",
    **dict.fromkeys(("az", "wasb", "wasbs"), "abfs://conn_id@container/key"),
}


def destination_error(path: object, error: Exception) -> DestinationError:
    """
    Return the error for a failed read or write, with the path and the cause.

    :param path: The path as the user knows it.
    :param error: What the file system or its client raised.
    :return: A :class:`DestinationRefusedError` where no retry can succeed.
    """
    number = (error.errno or 0) if isinstance(error, OSError) else 0
    # A client may quote its store's signed URLs.
    said = describe_error(error)
    kind = DestinationRefusedError if number in _FINAL else DestinationError
    cause = _WORDS.get(number)
    return kind(f"Cannot archive: {shorten(path, 300)}: {f'{cause} ({said})' if cause else said}")


def is_forbidden(error: Exception) -> bool:
    """
    Tell whether a store denied access: what is there is not known then.

    :param error: What the file system or its client raised.
    :return: True for a lack of rights, by its error number or HTTP status 403.
    """
    status = next(
        (getattr(error, name, None) for name in ("status_code", "status", "code") if hasattr(error, name)), ""
    )
    number = error.errno if isinstance(error, OSError) else None
    return number in (errno.EACCES, errno.EPERM) or isinstance(error, PermissionError) or str(status) == "403"


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
