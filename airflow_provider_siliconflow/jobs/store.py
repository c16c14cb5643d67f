"""The stores in which records of paid videos outlive a try; "unreadable" is never taken for "absent"."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from pydantic import BaseModel

from airflow_provider_siliconflow._airflow.releases import clear_deletes_state
from airflow_provider_siliconflow._airflow.variables import has_supervisor
from airflow_provider_siliconflow.client.masking import describe_error
from airflow_provider_siliconflow.exceptions import SubmitRecordError
from airflow_provider_siliconflow.jobs.folder_store import FolderStore
from airflow_provider_siliconflow.jobs.task_name import TaskName
from airflow_provider_siliconflow.jobs.variable_store import VariableStore

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_siliconflow.hooks.siliconflow import SiliconFlowHook

T = TypeVar("T", bound=BaseModel)


class Store(Protocol):
    """Plain JSON by name, for one task instance; whatever a method raises means that it is not done, or not known."""

    #: Whether a task that succeeded deletes its values here.
    is_swept: bool

    def get(self, name: str) -> Any:
        """
        Return a value, or None if it is certain that there is none.

        :param name: Its name.
        :return: The value.
        """

    def set(self, name: str, value: Any) -> None:
        """
        Write a value.

        :param name: Its name.
        :param value: Plain JSON.
        """

    def delete(self, name: str) -> None:
        """
        Delete a value; one that is not there is no error.

        :param name: Its name.
        """


class TaskStateStore:
    """
    Values in Airflow's task state store (Airflow 3.3 and later), which belongs to the task instance.

    :param store: The task's ``context["task_state_store"]``.
    """

    is_swept = False

    def __init__(self, store: Any) -> None:
        self.get = store.get
        self.set = store.set
        self.delete = store.delete


#: Finds the stores of a task instance, each time anew: a connection that names a folder may be away at times.
FindStores = Callable[[], Sequence[Store]]


def find_stores(context: Context, hook: SiliconFlowHook, *, reuse_on_clear: bool) -> Sequence[Store]:
    """
    Return where this Airflow keeps what is known of paid videos: all of it in each of the stores.

    That is the task state store. Where Airflow has none (before 3.3), and beside it where the user wants what a clear
    deletes (from 3.4 on), it is the folder that the connection names, or else Airflow Variables.

    :param context: The task's context.
    :param hook: The hook of the task's connection.
    :param reuse_on_clear: Whether a cleared task re-attaches to the video it has paid for.
    :return: The stores, the one to ask first in front.
    """
    state = context.get("task_state_store")
    first = [] if state is None else [TaskStateStore(state)]
    if first and not (reuse_on_clear and clear_deletes_state()):
        return first
    task = TaskName.of(context)
    if folder := _record_folder(hook):
        return [*first, FolderStore(folder, task)]
    return [*first, VariableStore(task)] if has_supervisor() else first


def _record_folder(hook: SiliconFlowHook) -> str | None:
    try:
        return hook.settings.record_folder
    except Exception:
        # Nothing is submitted without a connection, and a record in a Variable is found all the same.
        return None


class StoreEntry:
    """
    One versioned value, in each of a task's stores.

    :param find: Finds the stores.
    :param name: What is kept.
    """

    def __init__(self, find: FindStores, name: str) -> None:
        self._find = find
        self._name = name

    def read(self, form: type[T], is_enough: Callable[[T], bool] = lambda _: True) -> list[T]:
        """
        Return what is kept; nothing if it is certain that nothing is.

        :param form: What to read it as.
        :param is_enough: Tells whether a value makes those in other stores needless, readable or not.
        :return: What the stores have, as far as the first value that is enough.
        :raises SubmitRecordError: if it cannot be read.
        """
        found: list[T] = []
        failure: Exception | None = None
        for store in self._find():
            try:
                kept = store.get(self._name)
                value = None if kept is None else form.model_validate(kept)
            except Exception as error:
                failure = failure or error
                continue
            found += [] if value is None else [value]
            if value is not None and is_enough(value):
                return found
        if failure:
            raise SubmitRecordError(
                f"The record {self._name!r} of what was paid for cannot be read ({describe_error(failure)}). That is"
                " not the same as no record, so nothing is submitted."
            ) from failure
        return found

    def write(self, value: BaseModel) -> None:
        """
        Keep a value, in each store that takes it.

        :param value: What to keep.
        :raises SubmitRecordError: if any store may not have it.
        """
        stores, kept = self._find(), value.model_dump(mode="json")
        failure: Exception | None = None
        for store in stores:
            try:
                store.set(self._name, kept)
            except Exception as error:
                failure = failure or error
        if failure:
            raise SubmitRecordError(
                f"The record {self._name!r} of a submit cannot be written: {describe_error(failure)}."
            ) from failure
        if not stores:
            raise SubmitRecordError("No store takes the record of a submit: this is no process of an Airflow task.")

    def delete(self) -> None:
        """Delete what is kept."""
        for store in self._find():
            store.delete(self._name)

    @property
    def is_swept(self) -> bool:
        """Return whether any store has values that nothing but :meth:`sweep` deletes."""
        return any(store.is_swept for store in self._find())

    def sweep(self) -> None:
        """Delete what is kept where nothing else deletes it, once it is of no more use."""
        for store in self._find():
            if store.is_swept:
                store.delete(self._name)
