"""Values that outlive a try in Airflow Variables, where the task state store is missing or a clear deletes it."""

from __future__ import annotations

from typing import Any

from airflow_provider_siliconflow._airflow.variables import VariableError, delete_variable, get_variable, put_variable
from airflow_provider_siliconflow.jobs.envelope import UnreadableError, decode, encode
from airflow_provider_siliconflow.jobs.task_name import TaskName

#: How often a value is read back: the first answer may be a late one, of before the write.
_READS = 3


class VariableStore:
    """
    Values in Airflow Variables.

    The API server says "not found" as well while it cannot reach its database. So that this is not taken for an absent
    record, a Variable that is known to exist is read before and after: the control.

    :param task: The task instance that the values belong to.
    """

    #: Whether a task that succeeded deletes its values here.
    is_swept = True

    def __init__(self, task: TaskName) -> None:
        self._task = task

    def get(self, name: str) -> Any:
        """
        Read a value.

        :param name: What is kept.
        :return: The value; None if it is certain that there is none.
        :raises VariableError: if that cannot be told.
        :raises UnreadableError: if the Variable holds something else.
        """
        key = self._task.hashed(name)
        self._ensure_control()
        text = get_variable(key)
        if text is not None:
            return decode(text)
        if get_variable(self._control) is None:
            raise UnreadableError("Airflow's API server finds Variables at one moment and not at the next")
        return None

    def set(self, name: str, value: Any) -> None:
        """
        Write a value, and read it back.

        :param name: What is kept.
        :param value: Plain JSON.
        :raises VariableError: if it cannot be written, or not be read.
        :raises UnreadableError: if something else is read than was written.
        """
        key, text = self._task.hashed(name), encode(value, self._task)
        put_variable(key, text, f"What airflow-provider-siliconflow knows of paid videos: {self._task.describe()}.")
        if not any(get_variable(key) == text for _ in range(_READS)):
            raise UnreadableError(
                f"Variable {key} does not read as it was written: is the database away, or does a secrets backend have"
                " one of that name?"
            )

    def delete(self, name: str) -> None:
        """
        Delete a value.

        :param name: What is kept.
        :raises VariableError: if it is known not to be deleted.
        """
        delete_variable(self._task.hashed(name))

    @property
    def _control(self) -> str:
        # One for each DAG: where Airflow has teams, a DAG sees the Variables of its own.
        return TaskName(self._task.dag_id, "", "", -1).hashed("control")

    def _ensure_control(self) -> None:
        if get_variable(self._control) is not None:
            return
        about = f"By this airflow-provider-siliconflow tells absent from unreadable: DAG {self._task.dag_id}."
        failure = None
        try:
            put_variable(self._control, encode("control", self._task), about)
        except VariableError as error:
            # Tasks that start at once write it all at once; any of them will do.
            failure = error
        if not any(get_variable(self._control) is not None for _ in range(_READS)):
            why = f"cannot be written: {failure}" if failure else "cannot be read right after it was written"
            raise UnreadableError(f"Variable {self._control} {why}") from failure
