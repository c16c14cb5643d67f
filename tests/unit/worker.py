"""Play Airflow around one task: its real worker code runs here, its messages to the supervisor are answered."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import Any, cast
from unittest import mock

import structlog
from airflow.sdk import DAG, BaseOperator
from airflow.sdk.api.datamodels._generated import DagRun, TIRunContext
from airflow.sdk.bases.operator import TRIGGER_FAIL_REPR, TriggerFailureReason
from airflow.sdk.exceptions import ErrorType
from airflow.sdk.execution_time import comms, task_runner
from airflow.triggers.base import BaseTrigger

from airflow_provider_siliconflow._airflow.releases import clear_deletes_state
from airflow_provider_siliconflow.jobs.envelope import decode, encode
from airflow_provider_siliconflow.jobs.record import KEY
from airflow_provider_siliconflow.jobs.task_name import TaskName
from tests.releases import HAS_STORE, as_triggerer_gets, serialize

MODEL = "Wan-AI/Wan2.2-T2V-A14B"
#: Seconds until a test that waits for a trigger in vain is given up.
_PATIENCE = 30
NOW = datetime(2026, 8, 1, tzinfo=UTC)


def in_dag(kind: type[BaseOperator], **arguments: Any) -> Any:
    """Make an operator in a DAG of its own."""
    with DAG("a_dag", schedule=None, params={"what": "cat"}):
        return kind(**{"task_id": "video"} | arguments)


def kwargs_of(deferral: comms.DeferTask) -> dict[str, Any]:
    """Return what the trigger of a deferral was given."""
    return dict(cast("dict[str, Any]", deferral.trigger_kwargs))


class Killed(BaseException):
    """Stand for SIGKILL."""


@dataclass
class DiesBefore:
    """
    Kill a worker as it is about to send a message; nothing that it sends later arrives either.

    :param kind: Of the message; or several.
    :param about: Text in the message.
    :param count: Which of these messages.
    """

    kind: type | tuple[type, ...]
    about: str = ""
    count: int = 1
    is_dead: bool = False

    def __call__(self, message: Any) -> None:
        if isinstance(message, self.kind) and self.about in repr(message):
            self.count -= 1
        self.is_dead |= self.count == 0
        if self.is_dead:
            raise Killed


@dataclass
class Report:
    """Hold how one worker process ended."""

    state: str
    error: BaseException | None
    message: Any
    task: Any


@dataclass
class TaskRun:
    """
    Hold one task instance, as scheduler and database would.

    :param task: The operator, in its DAG; mapped or not.
    :param map_index: Which one of a mapped task.
    :param has_store: Whether this Airflow has a task state store (3.3 and later); before, it has Variables.
    :param before: Called with each message that the worker sends; may raise in its stead.
    """

    task: Any
    map_index: int = -1
    has_store: bool = HAS_STORE
    before: Callable[[Any], None] = lambda message: None
    #: All events of its inlet, as Airflow's API tells them.
    events: Sequence[dict[str, Any]] = ()
    try_number: int = 1
    store: dict[str, Any] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)
    #: Variables that the task has deleted once Airflow knew of its success.
    swept: dict[str, str] = field(default_factory=dict)
    has_succeeded: bool = False
    xcoms: dict[str, Any] = field(default_factory=dict)
    rendered: dict[str, Any] = field(default_factory=dict)
    deferral: comms.DeferTask | None = None
    #: All of this task, the last one last.
    deferrals: list[comms.DeferTask] = field(default_factory=list)
    first_reschedule: datetime | None = None
    #: Seconds by which its worker's clock is ahead.
    ahead: float = 0.0

    def __post_init__(self) -> None:
        operator = self.task
        self.retries: int = operator.retries
        self.max_tries = self.retries

    @property
    def record(self) -> Any:
        """What is on record of the submit; after a success, what was before it was deleted."""
        if self.has_store:
            return self.store.get(KEY)
        text = self.variables.get(self._key) or (self.swept.get(self._key) if self.has_succeeded else None)
        return decode(text) if text else None

    def put_on_record(self, value: Any) -> None:
        """Put anything where the record is."""
        self.store[KEY] = value
        self.variables[self._key] = encode(value, self._name)

    @property
    def _name(self) -> TaskName:
        return TaskName(self.task.dag_id, "run", self.task.task_id, self.map_index)

    @property
    def _key(self) -> str:
        return self._name.hashed(KEY)

    @property
    def trigger_kwargs(self) -> dict[str, Any]:
        """What the trigger of the current deferral was given."""
        assert self.deferral
        return kwargs_of(self.deferral)

    def work(self) -> Report:
        """Run one worker process from its start or its resumption to its end."""
        resumed, self.deferral = self.deferral, None
        kwargs = {"event": self._fire(resumed)} if resumed else None
        return self._run(resumed.next_method if resumed else None, kwargs)

    def finish(self) -> Report:
        """Run the worker processes of one try, triggers between them, until the try ends."""
        for _ in range(20):
            report = self.work()
            if report.state not in ("deferred", "up_for_reschedule"):
                return report
        raise AssertionError("the try does not end")

    def resume(self, event: Any) -> Report:
        """Run the worker process that a given event wakes."""
        assert self.deferral
        return self.resume_in(self.deferral.next_method, {"event": event})

    def fail_deferral(self, error: str | None = TriggerFailureReason.TRIGGER_TIMEOUT, **more: Any) -> Report:
        """Run the worker process that Airflow starts where a deferral failed."""
        return self.resume_in(TRIGGER_FAIL_REPR, {"error": error, **more})

    def resume_in(self, method: str, kwargs: dict[str, Any]) -> Report:
        """Run the worker process that Airflow starts in a method, with arguments of the test's own."""
        self.deferral = None
        return self._run(method, kwargs)

    def retry(self, before: Callable[[Any], None] = lambda message: None) -> Report:
        """Run the next try, which nobody but the scheduler asked for; it lives, unless it is told otherwise."""
        assert not self.has_succeeded, "no scheduler retries what has succeeded"
        self.before = before
        self.next_try()
        return self.finish()

    def clear(self) -> Report:
        """Run again because the user cleared the task."""
        self.reset_by_clear()
        return self.finish()

    def reset_by_clear(self) -> None:
        """Change what a clear changes; from Airflow 3.4 on, it deletes the task state store."""
        if clear_deletes_state():
            self.store.clear()
        self.max_tries = self.try_number + self.retries
        self.next_try()

    def next_try(self) -> None:
        self.try_number += 1
        self.deferral = self.first_reschedule = None
        self.has_succeeded = False

    def _run(self, next_method: str | None, kwargs: dict[str, Any] | None) -> Report:
        ti = self._instance(next_method, kwargs)
        with mock.patch.object(task_runner, "SUPERVISOR_COMMS", self, create=True), mock.patch.dict(os.environ):
            context = ti.get_template_context()
            if HAS_STORE and not self.has_store:
                del context["task_state_store"]
            on_term = signal.getsignal(signal.SIGTERM)
            try:
                state, message, error = task_runner.run(ti, context, structlog.get_logger("worker"))
                if error is None and state.value == "success":
                    # As task_runner.finalize.
                    for callback in ti.task.on_success_callback:
                        callback(context)
            except Killed as death:
                error = death
            finally:
                signal.signal(signal.SIGTERM, on_term)
        if isinstance(error, Killed):
            return Report("killed", error, None, ti.task)
        if isinstance(message, comms.DeferTask):
            self.deferral = message
            self.deferrals.append(message)
        return Report(state.value, error, message, ti.task)

    def _instance(self, next_method: str | None, kwargs: dict[str, Any] | None) -> task_runner.RuntimeTaskInstance:
        if next_method is None and self.first_reschedule is None:
            self.xcoms.clear()
        facts = {
            **{"dag_id": self.task.dag_id, "run_id": "run", "run_type": "manual", "state": "running"},
            **dict.fromkeys(("logical_date", "data_interval_start", "data_interval_end", "run_after"), NOW),
            **{"start_date": NOW, "end_date": None, "clear_number": 0},
            **{"consumed_asset_events": [], "partition_key": None},
        }
        server = TIRunContext(
            # Later releases want facts that earlier ones refuse.
            dag_run=DagRun.model_validate({name: facts[name] for name in facts if name in DagRun.model_fields}),
            max_tries=self.max_tries,
            task_reschedule_count=int(self.first_reschedule is not None),
            next_method=next_method,
            next_kwargs=serialize(kwargs) if kwargs else None,
            # As the execution API's _is_eligible_to_retry.
            should_retry=self.max_tries != 0 and self.try_number <= self.max_tries,
        )
        return task_runner.RuntimeTaskInstance.model_construct(
            id=uuid.uuid4(),
            task_id=self.task.task_id,
            dag_id=self.task.dag_id,
            run_id="run",
            try_number=self.try_number,
            dag_version_id=uuid.uuid4(),
            map_index=self.map_index,
            task=self.task,
            bundle_instance=None,
            _ti_context_from_server=server,
            max_tries=self.max_tries,
            start_date=datetime.now(UTC) + timedelta(seconds=self.ahead),
            state="running",
            sentry_integration="",
        )

    def _fire(self, deferral: comms.DeferTask) -> Any:
        """Run a trigger, made anew from what the database holds of it, to its one event."""
        module, _, name = deferral.classpath.rpartition(".")
        kwargs: Any = as_triggerer_gets(deferral.trigger_kwargs)
        trigger: BaseTrigger = getattr(import_module(module), name)(**kwargs)

        async def events() -> list[Any]:
            async with asyncio.timeout(_PATIENCE):
                return [event.payload async for event in trigger.run()]

        (payload,) = asyncio.run(events())
        return payload

    def send(self, msg: Any) -> Any:
        """Answer a message of the worker."""
        self.before(msg)
        stores = (self._answer_store, self._answer_variable) if HAS_STORE else (self._answer_variable,)
        for answer in (*stores, self._answer_rest):
            if (told := answer(msg)) is not None:
                return told
        return comms.OKResponse(ok=True)

    def _answer_store(self, msg: Any) -> Any:
        match msg:
            case comms.GetTaskStateStore():
                if msg.key not in self.store:
                    return comms.ErrorResponse(error=ErrorType.TASK_STORE_NOT_FOUND)
                return comms.TaskStateStoreResult(value=self.store[msg.key])
            case comms.SetTaskStateStore():
                self.store[msg.key] = json.loads(json.dumps(msg.value))
            case comms.DeleteTaskStateStore():
                self.store.pop(msg.key, None)
        return None

    def _answer_variable(self, msg: Any) -> Any:
        match msg:
            case comms.GetVariable():
                if msg.key not in self.variables:
                    return comms.ErrorResponse(error=ErrorType.VARIABLE_NOT_FOUND, detail={"key": msg.key})
                return comms.VariableResult(key=msg.key, value=self.variables[msg.key])
            case comms.PutVariable():
                self.variables[msg.key] = str(msg.value)
            case comms.DeleteVariable():
                text = self.variables.pop(msg.key, None)
                if self.has_succeeded and text is not None:
                    self.swept[msg.key] = text
        return None

    def _answer_rest(self, msg: Any) -> Any:
        match msg:
            case comms.SucceedTask():
                self.has_succeeded = True
            case comms.GetConnection():
                return comms.ErrorResponse(error=ErrorType.CONNECTION_NOT_FOUND, detail={"conn_id": msg.conn_id})
            case comms.SetXCom():
                self.xcoms[msg.key] = json.loads(json.dumps(msg.value))
            case comms.GetXCom():
                return comms.XComResult(key=msg.key, value=self.xcoms.get(msg.key))
            case comms.SetRenderedFields():
                self.rendered = msg.rendered_fields
            case comms.GetAssetEventByAssetAlias():
                return comms.AssetEventsResult.model_validate({"asset_events": self.events})
            case comms.ValidateInletsAndOutlets():
                return comms.InactiveAssetsResult(inactive_assets=[])
            case comms.GetTaskRescheduleStartDate():
                return comms.TaskRescheduleStartDate(start_date=self.first_reschedule)
            case comms.RescheduleTask():
                self.first_reschedule = self.first_reschedule or datetime.now(UTC)
        return None
