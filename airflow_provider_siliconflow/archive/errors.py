"""Put what is wrong with a destination into words."""

from __future__ import annotations

import errno

from airflow_provider_siliconflow.exceptions import DestinationError

_WORDS = {
    errno.ENOSPC: "no space left on it",
    errno.EDQUOT: "the quota is used up",
    errno.EROFS: "it is read-only",
    errno.EACCES: "no rights to write there",
    errno.EPERM: "no rights to write there",
}


def destination_error(place: object, error: Exception) -> DestinationError:
    """
    Name the place and the cause of a failed read or write.

    :param place: The path as the user knows it.
    :param error: What the file system or its client raised.
    """
    cause = _WORDS.get(error.errno or 0) if isinstance(error, OSError) else None
    said = f"{type(error).__name__}: {error}"
    return DestinationError(f"Cannot archive: {place}: {f'{cause} ({said})' if cause else said}")
