"""Airflow's own metrics, which each release keeps in another place."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

from airflow.sdk import get_current_context

log = logging.getLogger(__name__)


def incr(name: str, count: int) -> None:
    """
    Add to a counter, tagged with the running task; a metric is no reason to fail a task.

    Not for the event loop: the first call of a process may look up the address of the metrics' server.

    :param name: Of the counter.
    :param count: What to add.
    """
    try:
        _stats().incr(name, count, tags=task_tags())
    except Exception as error:
        log.debug("The metric %s cannot be sent: %s", name, error)


def timing(name: str, seconds: float) -> None:
    """
    Tell a duration, tagged with the running task; as :func:`incr`.

    :param name: Of the timer.
    :param seconds: The duration.
    """
    try:
        _stats().timing(name, timedelta(seconds=seconds), tags=task_tags())
    except Exception as error:
        log.debug("The metric %s cannot be sent: %s", name, error)


def task_tags() -> dict[str, str]:
    """
    Return the tags of the running task, as Airflow's own metrics have them.

    :return: ``dag_id`` and ``task_id``; nothing outside of a task.
    """
    try:
        ti = get_current_context()["ti"]
    except Exception:  # what it raises differs between releases
        return {}
    return {"dag_id": ti.dag_id, "task_id": ti.task_id}


def _stats() -> Any:
    # Imported here, since a DAG file sends no metrics.
    try:
        from airflow.sdk.observability.stats import Stats
    except ImportError:  # Airflow 3.0 and 3.1
        from airflow.stats import Stats
    return Stats
