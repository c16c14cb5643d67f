"""A supervisor and an API server that keep Variables, and fail as real ones do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from airflow.sdk.exceptions import AirflowRuntimeError, ErrorType
from airflow.sdk.execution_time import comms


def error_of(kind: ErrorType, **detail: Any) -> comms.ErrorResponse:
    return comms.ErrorResponse(error=kind, detail=detail or None)


@dataclass
class Supervisor:
    """
    Stand for ``task_runner.SUPERVISOR_COMMS``.

    :param fault: Called with the message and its number; what it returns is answered instead, what it raises is raised.
    :param is_database_away: Whether the API server cannot read: it says "not found", as Airflow's does.
    """

    fault: Callable[[Any, int], Any] = lambda message, number: None
    is_database_away: bool = False
    variables: dict[str, str] = field(default_factory=dict)
    descriptions: dict[str, str | None] = field(default_factory=dict)
    sent: list[Any] = field(default_factory=list)
    #: Answers that nobody has waited for.
    late: list[Any] = field(default_factory=list)

    def send(self, message: Any) -> Any:
        self.sent.append(message)
        if (told := self.fault(message, len(self.sent))) is not None:
            return told
        self.late.append(self.answer(message))
        return self.late.pop(0)

    def answer(self, message: Any) -> Any:
        match message:
            case comms.GetVariable(key=key):
                if self.is_database_away or key not in self.variables:
                    return error_of(ErrorType.VARIABLE_NOT_FOUND, key=key)
                return comms.VariableResult(key=key, value=self.variables[key])
            case comms.PutVariable(key=key):
                self.variables[key] = str(message.value)
                self.descriptions[key] = message.description
            case comms.DeleteVariable(key=key):
                self.variables.pop(key, None)
                return comms.OKResponse(ok=True)
        return None


def server_error() -> AirflowRuntimeError:
    return AirflowRuntimeError(error_of(ErrorType.API_SERVER_ERROR, status_code=500))
