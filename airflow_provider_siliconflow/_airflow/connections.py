"""Airflow's hooks, and the look-up of a connection from an event loop, without blocking it or deadlocking it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk import Connection
from asgiref.sync import sync_to_async

if TYPE_CHECKING:
    from airflow.sdk import BaseHook
else:
    try:
        from airflow.sdk import BaseHook
    except ImportError:  # Airflow 3.0
        from airflow.hooks.base import BaseHook

__all__ = ["BaseHook", "get_async_connection"]


async def get_async_connection(conn_id: str) -> Connection:
    """
    Return an Airflow connection from an event loop.

    Before Airflow 3.3.2, which brought ``Connection.aextra_dejson`` along, ``BaseHook.aget_connection`` masks secrets
    by a synchronous call to the supervisor: a deadlock where another call of the same loop is on its way. Airflow 3.0
    has no such method at all.

    :param conn_id: The connection's id.
    :return: The connection.
    """
    if hasattr(Connection, "aextra_dejson"):
        return await BaseHook.aget_connection(conn_id)
    # In asgiref's thread, and no other: the supervisor's messages belong to the loop that this one knows.
    return await sync_to_async(BaseHook.get_connection)(conn_id)
