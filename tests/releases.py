"""The only module of the tests that knows the differences between Airflow's releases."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import airflow.sdk
from airflow.sdk.execution_time import comms

from airflow_provider_siliconflow._airflow.releases import clear_deletes_state, takes_form_from_hook
from airflow_provider_siliconflow.jobs.kept import decode

#: Whether tasks have a state store (Airflow 3.3 and later); before, the record of a submit is in Airflow Variables.
HAS_STORE = hasattr(comms, "GetTaskStateStore")

#: Whether a deferred sensor whose trigger fails heeds ``never_fail`` (Airflow 3.1 and later).
HEEDS_NEVER_FAIL = not airflow.sdk.__version__.startswith("1.0.")
#: Whether Airflow hands on a connection of an environment variable, whatever is in its extra (3.2 and later); before,
#: one whose extra is not a JSON object is "not defined".
READS_ANY_EXTRA = not takes_form_from_hook()
#: A text that is no template and names no file (Airflow 3.1 and later).
literal: Any = getattr(airflow.sdk, "literal", None)
#: Where tests keep the record: in the place that this release has, and on 3.3, by which the whole suite runs, as if
#: there were no state store. From 3.4 on, whether a clear pays again is told by the store, which is never missing.
RECORD_STORES: tuple[str, ...] = ("state store", "Variables")
if not HAS_STORE or clear_deletes_state():
    RECORD_STORES = ("state store",) if HAS_STORE else ("Variables",)

_comms: Any = comms
#: The messages by which a task reads and writes the record of its submit, in either place.
ReadRecord: Any = (comms.GetVariable, *([_comms.GetTaskStateStore] if HAS_STORE else []))
WriteRecord: Any = (comms.PutVariable, *([_comms.SetTaskStateStore] if HAS_STORE else []))

if TYPE_CHECKING:
    from airflow.dag_processing.dagbag import DagBag
    from airflow.sdk._shared.secrets_masker import redact, should_hide_value_for_key
    from airflow.sdk.exceptions import AirflowTaskTimeout
    from airflow.sdk.serde import deserialize, serialize
    from airflow.serialization.serialized_objects import DagSerialization

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

    try:
        from airflow.serialization.serialized_objects import DagSerialization
    except ImportError:  # Airflow 3.0 and 3.1
        from airflow.serialization.serialized_objects import SerializedDAG as DagSerialization

    try:
        from airflow.sdk._shared.secrets_masker import redact, should_hide_value_for_key
    except ImportError:  # Airflow 3.0
        from airflow.sdk.execution_time.secrets_masker import redact, should_hide_value_for_key


def dag_of(path: Path) -> Any:
    """Return the one DAG of a file, read as Airflow reads it."""
    knows_bundles = "bundle_name" in inspect.signature(DagBag).parameters  # Airflow 3.2 and later
    bag = DagBag(path, bundle_path=path.parent, **({"bundle_name": "dags-folder"} if knows_bundles else {}))
    assert not bag.import_errors, bag.import_errors
    (dag,) = bag.dags.values()
    return dag


def written(message: Any) -> Any:
    """Return the record that a message writes; None for any other message, as that of the Variables' control."""
    if not isinstance(message, WriteRecord):
        return None
    value = decode(str(message.value)) if isinstance(message, comms.PutVariable) else message.value
    return value if isinstance(value, dict) else None


def as_triggerer_gets(kwargs: Any) -> Any:
    """Return what a trigger is made with, of what its deferral was given: encoded by the worker from Airflow 3.2 on."""
    encoded = kwargs if ENCODED_BY_WORKER else serialize(kwargs)
    return deserialize(json.loads(json.dumps(encoded)))


__all__ = [
    "HAS_STORE",
    "HEEDS_NEVER_FAIL",
    "READS_ANY_EXTRA",
    "RECORD_STORES",
    "AirflowTaskTimeout",
    "DagSerialization",
    "ReadRecord",
    "WriteRecord",
    "as_triggerer_gets",
    "dag_of",
    "literal",
    "redact",
    "serialize",
    "should_hide_value_for_key",
    "written",
]
