"""Values that outlive a try: Airflow's task state store, with errors that tell "unreadable" from "absent"."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel

from airflow_provider_siliconflow.exceptions import SubmitRecordError

if TYPE_CHECKING:
    from airflow.sdk import Context

T = TypeVar("T", bound=BaseModel)


class StoreEntry:
    """
    One versioned value in Airflow's task state store; without a store nothing is kept and nothing found.

    :param context: The task's context.
    :param key: Key in the store.
    """

    def __init__(self, context: Context, key: str) -> None:
        self._store: Any = context.get("task_state_store")
        self._key = key

    @property
    def exists(self) -> bool:
        """Return whether this Airflow has a task state store."""
        return self._store is not None

    def read(self, form: type[T]) -> T | None:
        """
        Return what is kept, or None if it is certain that nothing is.

        :param form: What to read it as.
        :return: The value.
        :raises SubmitRecordError: if it cannot be read.
        """
        if self._store is None:
            return None
        try:
            kept = self._store.get(self._key)
            return None if kept is None else form.model_validate(kept)
        except Exception as error:
            raise SubmitRecordError(
                f"The record {self._key!r} of what was paid for cannot be read ({type(error).__name__}:"
                f" {str(error)[:300]}). That is not the same as no record, so nothing is submitted."
            ) from error

    def write(self, value: BaseModel) -> None:
        """
        Keep a value.

        :param value: What to keep.
        :raises SubmitRecordError: if it cannot be kept.
        """
        if self._store is None:
            return
        try:
            self._store.set(self._key, value.model_dump(mode="json"))
        except Exception as error:
            raise SubmitRecordError(
                f"The record {self._key!r} of a submit cannot be written: {type(error).__name__}: {str(error)[:300]}."
            ) from error

    def delete(self) -> None:
        """Delete what is kept."""
        if self._store is not None:
            self._store.delete(self._key)
