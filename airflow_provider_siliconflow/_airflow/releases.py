"""What a release of Airflow does that no attribute of it tells."""

from __future__ import annotations

from urllib.parse import urlsplit

import airflow.sdk

from airflow_provider_siliconflow._airflow.names import conf

#: Version of the Task SDK that belongs to Airflow 3.4, where a clear deletes the task state store.
_CLEAR_DELETES_STATE = (1, 4)
#: The one that belongs to Airflow 3.1, whose UI takes React apps of plugins.
_REACT_APPS = (1, 1)


def clear_deletes_state() -> bool:
    """
    Tell the Airflow releases in which a clear deletes the task state store.

    :return: Whether it does so here unless it is told to keep it (Airflow 3.4 and later).
    """
    return tuple(int(part) for part in airflow.sdk.__version__.split(".")[:2]) >= _CLEAR_DELETES_STATE


def has_react_apps() -> bool:
    """
    Tell the Airflow releases whose UI takes React apps of plugins.

    :return: Whether it does so here (Airflow 3.1 and later, whose Task SDK is 1.1).
    """
    return tuple(int(part) for part in airflow.sdk.__version__.split(".")[:2]) >= _REACT_APPS


def base_path() -> str:
    """
    Return the path under which Airflow's UI is served.

    :return: The path of ``[api] base_url`` without its last slash; empty where that has none.
    """
    return urlsplit(conf.get("api", "base_url", fallback="") or "").path.rstrip("/")
