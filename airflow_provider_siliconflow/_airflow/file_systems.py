"""The file systems of Airflow's object storage."""

from __future__ import annotations

from airflow.sdk.io.store import ObjectStore, attach


def connect(protocol: str, conn_id: str | None) -> None:
    """
    Make the file system of a connection, unless there is one.

    Before Python 3.12, the property by which Airflow makes it holds one lock for the file systems of all connections:
    a server that takes a connection and never answers (some clients connect at once, SFTP's for one) would stop all
    other stores of the process.

    :param protocol: The scheme of its URIs.
    :param conn_id: The Airflow connection; None for the worker's own rights.
    :raises Exception: whatever its client raises.
    """
    store = attach(protocol, conn_id)
    if "fs" not in vars(store):
        vars(store)["fs"] = vars(ObjectStore)["fs"].func(store)
