"""Asset events of archived videos: what a DAG is scheduled on to do something with each new video."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from airflow.sdk import Asset, AssetAlias

from airflow_provider_siliconflow.exceptions import InvalidArgumentError

#: Every new video of every task, whatever asset it belongs to: ``DAG(schedule=NEW_VIDEO)``.
NEW_VIDEO = AssetAlias("siliconflow_videos")


def read_asset(name: str, value: Any) -> Asset | None:
    """
    Return the asset that a task names for its videos.

    :param name: Of the argument.
    :param value: An asset, its URI or name, or None.
    :return: None for that of the folder each video is in.
    :raises InvalidArgumentError: if it is something else.
    """
    if value is None or isinstance(value, Asset):
        return value
    try:
        if isinstance(value, str):
            return Asset(value)
        why = f"it is of type {type(value).__name__}"
    except ValueError as error:
        why = str(error)
    raise InvalidArgumentError(f"{name} must be an Asset, or the URI or the name of one: {why}.")


def folder_asset(path: str) -> Asset:
    """
    Return the asset of the folder that a video is in: one for all of its videos, since Airflow keeps each for ever.

    :param path: Of the video.
    :return: The asset.
    """
    return Asset(uri_of(path.rpartition("/")[0] or "/"))


def uri_of(path: str) -> str:
    """
    Return the URI of a path in any store.

    :param path: As a manifest tells it.
    :return: The URI; it names no connection.
    """
    if "://" not in path:
        return f"file://{quote(path)}"
    scheme, _, rest = path.partition("://")
    where, separator, key = rest.partition("/")
    return f"{scheme}://{where.rpartition('@')[2]}{separator}{quote(key, safe='/%')}"
