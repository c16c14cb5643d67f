"""The only module of the tests that knows the differences between Airflow's releases."""

from __future__ import annotations

import inspect
import json
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from airflow.sdk.execution_time import comms
from sqlalchemy import Table, delete, insert, select, update

from airflow_provider_siliconflow._airflow.releases import clear_deletes_state
from airflow_provider_siliconflow.jobs.envelope import decode

#: Whether tasks have a state store (Airflow 3.3 and later); before, the record of a submit is in Airflow Variables.
HAS_STORE = hasattr(comms, "GetTaskStateStore")

#: What makes a store's file system, as ``monkeypatch`` finds it.
GET_FS = "airflow.sdk.io.get_fs" if find_spec("airflow.sdk.io.fs") else "airflow.io.get_fs"  # the latter on Airflow 3.0
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
    bundle: Any = {"bundle_name": "dags-folder"} if knows_bundles else {}
    bag = DagBag(path, bundle_path=path.parent, **bundle)
    assert not bag.import_errors, bag.import_errors
    (dag,) = bag.dags.values()
    return dag


def xcoms_are_a_table() -> bool:
    """Return whether an XCom is a row of its own, as before Airflow 3.4; since, it goes with its task instance."""
    from airflow.models.xcom import XComModel

    return isinstance(XComModel.__table__, Table)


def insert_xcom(session: Any, row: dict[str, Any]) -> None:
    """Insert an XCom by its columns up to Airflow 3.3; from 3.4 on, it belongs to a row of the task instance."""
    from airflow.models.xcom import XComModel

    if xcoms_are_a_table():
        session.execute(insert(XComModel.__table__).values(**row))
        return
    from airflow.models.taskinstance import TaskInstance
    from airflow.models.xcom import XComModelV2

    tasks = TaskInstance.__table__
    task: dict[str, Any] = {name: row[name] for name in ("dag_id", "run_id", "task_id")}
    task["region_index"] = row["map_index"]
    is_of_task = (tasks.c[name] == value for name, value in task.items())
    known = select(tasks.c.id).where(tasks.c.working_set.is_(True), *is_of_task)
    if (owner := session.scalar(known)) is None:
        owner = uuid4()
        session.execute(insert(tasks).values(id=owner, pool="default_pool", **task))
    values = {name: row[name] for name in ("key", "value", "timestamp")}
    session.execute(insert(XComModelV2.__table__).values(task_instance_id=owner, **values))


def begin_next_tries(session: Any) -> None:
    """Make the XComs of all tasks those of a try that another one has followed, which Airflow keeps from 3.4 on."""
    from airflow.models.taskinstance import TaskInstance

    session.execute(update(TaskInstance.__table__).values(working_set=None, try_number=-1))


def delete_xcoms(session: Any) -> None:
    """Delete all XComs, and the task instances that they are of from Airflow 3.4 on."""
    from airflow.models import xcom

    if xcoms_are_a_table():
        session.execute(delete(xcom.XComModel.__table__))
        return
    from airflow.models.taskinstance import TaskInstance

    session.execute(delete(xcom.XComModelV2.__table__))
    session.execute(delete(TaskInstance.__table__))


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
    "GET_FS",
    "HAS_STORE",
    "RECORD_STORES",
    "AirflowTaskTimeout",
    "DagSerialization",
    "ReadRecord",
    "WriteRecord",
    "as_triggerer_gets",
    "begin_next_tries",
    "dag_of",
    "delete_xcoms",
    "insert_xcom",
    "redact",
    "serialize",
    "should_hide_value_for_key",
    "written",
    "xcoms_are_a_table",
]
