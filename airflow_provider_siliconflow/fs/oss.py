"""Alibaba Cloud OSS for Airflow's object storage paths: ``oss://conn_id@bucket/key``; imports no client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_siliconflow.exceptions import DestinationRefusedError

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

schemes = ["oss"]


def get_fs(conn_id: str | None, storage_options: dict[str, Any] | None = None) -> AbstractFileSystem:
    """
    Return the file system of a connection, as Airflow calls it.

    :param conn_id: A connection of type ``oss``, as Airflow's alibaba provider has it: the extra's ``access_key_id``,
        ``access_key_secret``, ``region`` and ``endpoint``; ``security_token`` for temporary credentials. Key and
        secret may be its login and password, and the endpoint its host.
    :param storage_options: Further arguments for the file system.
    :return: A file system.
    :raises ImportError: if ``ossfs`` is not installed.
    :raises DestinationRefusedError: if the connection lacks something.
    """
    from airflow.sdk import BaseHook

    from airflow_provider_siliconflow.fs.oss_file_system import OssFileSystem

    if conn_id is None:
        raise DestinationRefusedError("oss:// names no connection: write oss://conn_id@bucket/key.")
    return OssFileSystem(**_options(conn_id, BaseHook.get_connection(conn_id)), **(storage_options or {}))


def _options(conn_id: str, connection: Any) -> dict[str, Any]:
    extra = connection.extra_dejson
    region = extra.get("region")
    endpoint = extra.get("endpoint") or connection.host or (f"https://oss-{region}.aliyuncs.com" if region else None)
    options = {
        "key": extra.get("access_key_id") or connection.login,
        "secret": extra.get("access_key_secret") or connection.password,
        "token": extra.get("security_token"),
        "region": region,
        "endpoint": endpoint if not endpoint or "://" in endpoint else f"https://{endpoint}",
    }
    if missing := [name for name, value in options.items() if not value and name != "token"]:
        raise DestinationRefusedError(
            f"The connection {conn_id} lacks {', '.join(missing)} for oss://: its extra is to have access_key_id,"
            " access_key_secret and region (such as cn-hangzhou), and endpoint unless it is"
            " https://oss-<region>.aliyuncs.com."
        )
    return options
