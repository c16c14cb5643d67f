"""What a release of Airflow does that no attribute of it tells."""

from __future__ import annotations

from urllib.parse import urlsplit

import airflow.sdk

from airflow_provider_siliconflow._airflow.names import conf

#: Versions of the Task SDK: 1.0 belongs to Airflow 3.0, 1.4 to 3.4.
_REDACTS_RENDERED_FIELDS = (1, 1)
_FORM_IN_METADATA = (1, 2)
_CLEAR_DELETES_STATE = (1, 4)
#: The one that belongs to Airflow 3.1, whose UI takes React apps of plugins.
_REACT_APPS = (1, 1)


def redacts_rendered_fields() -> bool:
    """
    Tell the Airflow releases whose workers redact rendered fields before they are stored.

    :return: Whether it does so here (Airflow 3.1 and later).
    """
    return _sdk() >= _REDACTS_RENDERED_FIELDS


def takes_form_from_hook() -> bool:
    """
    Tell the Airflow releases that ask a hook's class for its connection form, and not the provider's metadata.

    :return: Whether it does so here (Airflow 3.0 and 3.1).
    """
    return _sdk() < _FORM_IN_METADATA


def clear_deletes_state() -> bool:
    """
    Tell the Airflow releases in which a clear deletes the task state store.

    :return: Whether it does so here unless it is told to keep it (Airflow 3.4 and later).
    """
    return _sdk() >= _CLEAR_DELETES_STATE


def has_react_apps() -> bool:
    """
    Tell the Airflow releases whose UI takes React apps of plugins.

    :return: Whether it does so here (Airflow 3.1 and later).
    """
    return _sdk() >= _REACT_APPS


def base_path() -> str:
    """
    Return the path under which Airflow's UI is served.

    :return: The path of ``[api] base_url`` without its last slash; empty where that has none.
    """
    return urlsplit(conf.get("api", "base_url", fallback="") or "").path.rstrip("/")


def _sdk() -> tuple[int, ...]:
    return tuple(int(part) for part in airflow.sdk.__version__.split(".")[:2])
