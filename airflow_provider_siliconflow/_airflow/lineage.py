"""The collector of hook lineage, which is in another place before Airflow 3.2."""

from __future__ import annotations

from importlib import import_module
from typing import Any


def collector() -> Any:
    """
    Find what collects the lineage of this process.

    :return: Airflow's collector; where nobody reads the lineage, one that drops it.
    """
    # Imported here, since a DAG file has no lineage.
    try:
        module = import_module("airflow.sdk.lineage")
    except ImportError:  # Airflow 3.0 and 3.1
        module = import_module("airflow.lineage.hook")
    return module.get_hook_lineage_collector()
