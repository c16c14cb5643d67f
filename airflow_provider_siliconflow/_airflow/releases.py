"""What a release of Airflow does that no attribute of it tells."""

from __future__ import annotations

import airflow.sdk

#: Version of the Task SDK that belongs to Airflow 3.4, where a clear deletes the task state store.
_CLEAR_DELETES_STATE = (1, 4)


def clear_deletes_state() -> bool:
    """
    Tell the Airflow releases in which a clear deletes the task state store.

    :return: Whether it does so here unless it is told to keep it (Airflow 3.4 and later).
    """
    return tuple(int(part) for part in airflow.sdk.__version__.split(".")[:2]) >= _CLEAR_DELETES_STATE
