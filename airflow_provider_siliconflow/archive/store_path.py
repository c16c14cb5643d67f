"""Paths in stores and on local disks, from what users write."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath


def store_path(uri: str) -> ObjectStoragePath:
    """
    Return the path of a URI, whose file system is made.

    :param uri: A URI of a store or a local path.
    :return: The path.
    :raises Exception: whatever its client raises.
    """
    from airflow.sdk import ObjectStoragePath

    from airflow_provider_siliconflow._airflow.file_systems import connect

    parts = urlsplit(uri)
    connect(parts.scheme or "file", parts.netloc.rpartition("@")[0] or None)
    if parts.scheme != "oss":
        return ObjectStoragePath(uri)
    from airflow_provider_siliconflow.fs.oss_path import OssPath

    return OssPath(uri)
