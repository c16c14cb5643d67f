"""The only module of the tests that knows the differences between Airflow's releases."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from airflow.sdk.execution_time import comms

from airflow_provider_siliconflow.jobs.kept import decode

#: Whether tasks have a state store (Airflow 3.3 and later); before, the record of a submit is in Airflow Variables.
HAS_STORE = hasattr(comms, "GetTaskStateStore")

_comms: Any = comms
#: The messages by which a task reads and writes the record of its submit.
ReadRecord: Any = _comms.GetTaskStateStore if HAS_STORE else comms.GetVariable
WriteRecord: Any = _comms.SetTaskStateStore if HAS_STORE else comms.PutVariable

if TYPE_CHECKING:
    from airflow.dag_processing.dagbag import DagBag
    from airflow.sdk.exceptions import AirflowTaskTimeout
    from airflow.sdk.serde import deserialize, serialize

    #: Whether the worker encodes what it gives a trigger (Airflow 3.2 and later); before, the API server does.
    ENCODED_BY_WORKER: bool
else:
    try:
        from airflow.sdk.serde import deserialize, serialize

        ENCODED_BY_WORKER = True
    except ImportError:  # Airflow 3.0 and 3.1
        from airflow.serialization.serialized_objects import BaseSerialization

        deserialize, serialize = BaseSerialization.deserialize, BaseSerialization.serialize
        ENCODED_BY_WORKER = False

    try:
        from airflow.sdk.exceptions import AirflowTaskTimeout
    except ImportError:  # Airflow 3.0 and 3.1
        from airflow.exceptions import AirflowTaskTimeout

    try:
        from airflow.dag_processing.dagbag import DagBag
    except ImportError:  # Airflow 3.0 and 3.1
        from airflow.models.dagbag import DagBag


def written(message: Any) -> Any:
    """Return the record that a message writes; None for any other message."""
    if not isinstance(message, WriteRecord):
        return None
    return message.value if HAS_STORE else decode(message.value)


def as_triggerer_gets(kwargs: Any) -> Any:
    """Return what a trigger is made with, of what its deferral was given: encoded by the worker from Airflow 3.2 on."""
    encoded = kwargs if ENCODED_BY_WORKER else serialize(kwargs)
    return deserialize(json.loads(json.dumps(encoded)))


__all__ = [
    "HAS_STORE",
    "AirflowTaskTimeout",
    "DagBag",
    "ReadRecord",
    "WriteRecord",
    "as_triggerer_gets",
    "serialize",
    "written",
]
