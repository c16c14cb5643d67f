"""Records in Airflow Variables: what is not certain is never taken for an absent record, nor for a written one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from airflow.sdk.exceptions import ErrorType
from airflow.sdk.execution_time import comms, task_runner

from airflow_provider_siliconflow._airflow.variables import VariableError, delete_variable, get_variable
from airflow_provider_siliconflow.jobs.envelope import UnreadableError, decode, encode, time_of
from airflow_provider_siliconflow.jobs.task_name import TaskName
from airflow_provider_siliconflow.jobs.variable_store import VariableStore
from tests.releases import should_hide_value_for_key
from tests.unit.jobs.supervisor import Supervisor, error_of, server_error

TASK = TaskName("a_dag", "manual__2026-11-27T10:00:00+00:00", "group.video", 3)
VALUE = {"request_id": "abc", "prompt": "一只猫 \0 \ud83d", "seed": 5}


@pytest.fixture
def supervisor(monkeypatch: pytest.MonkeyPatch) -> Supervisor:
    supervisor = Supervisor()
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", supervisor, raising=False)
    return supervisor


def kept_key() -> str:
    return TASK.hashed("siliconflow.submit")


# --- what is kept -----------------------------------------------------------------------------------------------------


def test_a_value_is_kept_and_found_by_the_next_try(supervisor: Supervisor) -> None:
    store = VariableStore(TASK)
    assert store.get("siliconflow.submit") is None
    store.set("siliconflow.submit", VALUE)
    assert VariableStore(TASK).get("siliconflow.submit") == VALUE
    store.delete("siliconflow.submit")
    assert store.get("siliconflow.submit") is None


@pytest.mark.parametrize(
    "other",
    [
        TASK._replace(map_index=4),
        TASK._replace(map_index=-1),
        TASK._replace(run_id="another"),
        TASK._replace(dag_id="a_dag/manual"),
        TASK._replace(task_id="video"),
    ],
)
def test_another_task_instance_finds_nothing_of_it(supervisor: Supervisor, other: TaskName) -> None:
    VariableStore(TASK).set("siliconflow.submit", VALUE)
    assert VariableStore(other).get("siliconflow.submit") is None


def test_keys_are_safe_in_a_path_and_the_description_has_the_names(supervisor: Supervisor) -> None:
    """A ``?``, ``#`` or ``/`` of a run id cuts the path of the execution API."""
    odd = TASK._replace(run_id="what? #1/2 " + "x" * 300)
    VariableStore(odd).set("siliconflow.submit", VALUE)
    (key,) = supervisor.variables
    assert key.startswith("siliconflow_")
    assert key.isascii()
    assert key.replace("_", "").isalnum()
    assert len(key) < 100
    assert odd.run_id in str(supervisor.descriptions[key])
    assert time_of(supervisor.variables[key]).year >= 2026
    assert json.loads(supervisor.variables[key])["of"] == odd.describe()


def test_no_word_of_a_key_makes_airflow_mask_the_value() -> None:
    assert not should_hide_value_for_key(kept_key())


# --- what cannot be told ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "told",
    [
        error_of(ErrorType.API_SERVER_ERROR, status_code=500),
        error_of(ErrorType.GENERIC_ERROR),
        comms.OKResponse(ok=True),
        comms.VariableResult(key="another", value="x"),
        comms.ErrorResponse(error=ErrorType.VARIABLE_NOT_FOUND, detail={"key": "another"}),
        "malformed",
        server_error(),
        TimeoutError("no answer"),
        EOFError("Request socket closed before length"),
    ],
    ids=repr,
)
def test_any_answer_but_not_found_is_no_absent_record(supervisor: Supervisor, told: Any) -> None:
    def fault(message: Any, _: int) -> Any:
        if isinstance(message, comms.GetVariable) and message.key == kept_key():
            if isinstance(told, Exception):
                raise told
            return told
        return None

    supervisor.fault = fault
    with pytest.raises(VariableError):
        VariableStore(TASK).get("siliconflow.submit")


def test_an_empty_answer_is_no_absent_record(supervisor: Supervisor) -> None:
    supervisor.fault = lambda message, _: comms.VariableResult(key=message.key, value=None)
    with pytest.raises(VariableError):
        get_variable("a_key")


@pytest.mark.parametrize("text", ["", "5", "null", "[]", "{}", '{"kept_at": "x", "value": null}', "{" * 100_000])
def test_a_variable_that_holds_something_else_is_no_absent_record(supervisor: Supervisor, text: str) -> None:
    supervisor.variables[kept_key()] = text
    with pytest.raises(UnreadableError):
        VariableStore(TASK).get("siliconflow.submit")


@pytest.mark.parametrize("numbers", [{1}, {2}, {3}, {1, 2}, {2, 3}, {1, 2, 3}, {2, 3, 4}], ids=str)
def test_a_database_that_is_away_for_a_moment_hides_no_record(supervisor: Supervisor, numbers: set[int]) -> None:
    """Airflow's API server then says that there is no such Variable, to any of the messages."""
    store = VariableStore(TASK)
    store.get("another")
    store.set("siliconflow.submit", VALUE)
    supervisor.sent.clear()

    def fault(message: Any, number: int) -> Any:
        is_read = isinstance(message, comms.GetVariable)
        return error_of(ErrorType.VARIABLE_NOT_FOUND, key=message.key) if is_read and number in numbers else None

    supervisor.fault = fault
    try:
        found = store.get("siliconflow.submit")
    except (UnreadableError, VariableError):
        return
    # What stays: the read itself fails, and those right before and right after it do not.
    assert found == VALUE or numbers == {2}


def test_a_control_that_cannot_be_written_says_why(supervisor: Supervisor) -> None:
    supervisor.fault = lambda message, _: server_error_of(message)
    with pytest.raises(UnreadableError, match=r"cannot be written: .*status_code.*500"):
        VariableStore(TASK).get("siliconflow.submit")


def server_error_of(message: Any) -> Any:
    put = isinstance(message, comms.PutVariable)
    return error_of(ErrorType.API_SERVER_ERROR, status_code=500) if put else None


def test_a_database_that_is_away_is_an_error(supervisor: Supervisor) -> None:
    supervisor.is_database_away = True
    with pytest.raises(UnreadableError, match="cannot be read right after it was written"):
        VariableStore(TASK).get("siliconflow.submit")


@pytest.mark.parametrize("is_rejected", [False, True])
def test_tasks_of_one_dag_that_start_at_once_do_not_disturb_each_other(
    supervisor: Supervisor, is_rejected: bool
) -> None:
    """Each finds no control and writes one; Airflow 3.0 then rejects one of two writes at once."""
    other = encode("control", TASK._replace(map_index=4))

    def fault(message: Any, _: int) -> None:
        if isinstance(message, comms.PutVariable) and is_rejected:
            supervisor.variables[message.key] = other
            raise server_error()
        if isinstance(message, comms.GetVariable) and message.key in supervisor.variables:
            supervisor.variables[message.key] = other

    supervisor.fault = fault
    assert VariableStore(TASK).get("siliconflow.submit") is None


# --- what is not written ----------------------------------------------------------------------------------------------


def test_a_write_that_is_rejected_is_an_error(supervisor: Supervisor) -> None:
    def fault(message: Any, _: int) -> None:
        if isinstance(message, comms.PutVariable):
            raise server_error()

    supervisor.fault = fault
    with pytest.raises(VariableError, match="API_SERVER_ERROR"):
        VariableStore(TASK).set("siliconflow.submit", VALUE)


@pytest.mark.parametrize("kept", [None, "something else"])
def test_a_write_that_is_not_what_is_read_back_is_an_error(supervisor: Supervisor, kept: str | None) -> None:
    """As where a secrets backend of the API server has a Variable of that name, or a column cuts it."""

    def fault(message: Any, _: int) -> Any:
        if isinstance(message, comms.GetVariable) and kept:
            return comms.VariableResult(key=message.key, value=kept)
        return error_of(ErrorType.VARIABLE_NOT_FOUND) if isinstance(message, comms.GetVariable) else None

    supervisor.fault = fault
    with pytest.raises(UnreadableError, match="does not read as it was written"):
        VariableStore(TASK).set("siliconflow.submit", VALUE)


def test_a_process_without_a_supervisor_keeps_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(task_runner, "SUPERVISOR_COMMS", raising=False)
    with pytest.raises(VariableError, match="no supervisor"):
        VariableStore(TASK).set("siliconflow.submit", VALUE)


# --- answers that belong to another message ---------------------------------------------------------------------------


@pytest.mark.parametrize("late", [1, 2])
def test_answers_that_a_time_out_has_left_are_not_taken_for_those_that_are_waited_for(
    supervisor: Supervisor, late: int
) -> None:
    store = VariableStore(TASK)
    store.set("siliconflow.submit", VALUE)
    supervisor.late += [comms.OKResponse(ok=True)] * late
    assert store.get("siliconflow.submit") == VALUE
    store.set("siliconflow.submit", VALUE | {"seed": 6})
    assert decode(supervisor.variables[kept_key()])["seed"] == 6


def test_a_delete_that_is_rejected_is_an_error(supervisor: Supervisor) -> None:
    supervisor.fault = lambda message, _: error_of(ErrorType.API_SERVER_ERROR)
    with pytest.raises(VariableError):
        delete_variable("a_key")
