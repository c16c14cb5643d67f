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
    connect_store(uri)
    return path_of(uri)


def path_of(uri: str) -> ObjectStoragePath:
    """
    Return the path of a URI; :func:`connect_store` goes before, since some releases connect where a path is made.

    :param uri: A URI of a store or a local path.
    :return: The path.
    :raises Exception: if it is no path.
    """
    from airflow.sdk import ObjectStoragePath

    if urlsplit(uri).scheme != "oss":
        return ObjectStoragePath(uri)
    from airflow_provider_siliconflow.fs.oss_path import OssPath

    return OssPath(uri)


def connect_store(uri: str) -> None:
    """
    Make the file system of a URI, so that a store which never answers holds up no other.

    :param uri: A URI of a store or a local path.
    :raises Exception: whatever its client raises.
    """
    from airflow_provider_siliconflow._airflow.file_systems import connect

    parts = urlsplit(uri)
    connect(parts.scheme or "file", parts.netloc.rpartition("@")[0] or None)
