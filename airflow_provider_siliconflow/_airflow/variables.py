"""
Airflow Variables as the supervisor has them, where "not found" and "cannot be told" are two things.

``airflow.sdk.Variable`` logs a write that failed and continues, asks other backends first, and gives a default where a
read failed. Here each message goes to the supervisor itself, and its answer is checked.
"""

from __future__ import annotations

from typing import Any


class VariableError(Exception):
    """Raised when a Variable cannot be read or written."""


#: How often a message is sent whose answer belongs to another one. A time-out of the task that comes while it waits for
#: an answer leaves that answer to the next message.
_SENDS = 3


def has_supervisor() -> bool:
    """
    Tell whether this process is one of a task, whose supervisor answers.

    :return: Whether it is.
    """
    return _comms() is not None


def get_variable(key: str) -> str | None:
    """
    Read a Variable.

    :param key: Its key.
    :return: Its value; None if the API server says that it has none, which it also says while it cannot reach its
        database.
    :raises VariableError: for any other answer.
    """
    from airflow.sdk.exceptions import ErrorType
    from airflow.sdk.execution_time.comms import ErrorResponse, GetVariable, VariableResult

    answer = None
    for _ in range(_SENDS):
        answer = _send(GetVariable(key=key))
        if isinstance(answer, VariableResult) and answer.key == key:
            if answer.value is None:
                break
            return answer.value
        if isinstance(answer, ErrorResponse):
            if answer.error is not ErrorType.VARIABLE_NOT_FOUND:
                raise VariableError(f"the supervisor answers {answer.error.value}: {answer.detail}")
            if (answer.detail or {}).get("key", key) == key:
                return None
    raise VariableError(f"the supervisor answers with {type(answer).__name__}")


def put_variable(key: str, value: str, description: str) -> None:
    """
    Write a Variable; whether it is written is known when it is read back.

    :param key: Its key.
    :param value: Its value.
    :param description: What people see of it.
    :raises VariableError: if it is known not to be written.
    """
    from airflow.sdk.execution_time.comms import PutVariable

    _check(_send(PutVariable(key=key, value=value, description=description)))


def delete_variable(key: str) -> None:
    """
    Delete a Variable; one that is not there is no error.

    :param key: Its key.
    :raises VariableError: if it is known not to be deleted.
    """
    from airflow.sdk.execution_time.comms import DeleteVariable

    _check(_send(DeleteVariable(key=key)))


def _check(answer: Any) -> None:
    from airflow.sdk.exceptions import ErrorType
    from airflow.sdk.execution_time.comms import ErrorResponse

    # A read may be told "not found"; after a write it is the late answer to another message.
    if isinstance(answer, ErrorResponse) and answer.error is not ErrorType.VARIABLE_NOT_FOUND:
        raise VariableError(f"the supervisor answers {answer.error.value}: {answer.detail}")


def _comms() -> Any:
    from airflow.sdk.execution_time import task_runner

    return getattr(task_runner, "SUPERVISOR_COMMS", None)


def _send(message: Any) -> Any:
    comms = _comms()
    if comms is None:
        raise VariableError("no supervisor answers in this process")
    try:
        return comms.send(message)
    except Exception as error:
        raise VariableError(f"{type(error).__name__}: {error}") from error
