"""
Points at which a task's process is killed, and guards that can be disabled: what DAGs under test do to themselves.

Everything acts within the process of one task, on functions that are replaced there. Only names are held here: a DAG
file that imports this loads nothing of what they name.
"""

from __future__ import annotations

import functools
import os
import pkgutil
import signal
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

_PACKAGE = "airflow_provider_siliconflow"
_STORE = f"{_PACKAGE}.jobs.record:SubmitStore.write"


def _always(*_: Any, **__: Any) -> bool:
    return True


@dataclass(frozen=True)
class KillPoint:
    """
    A call at which a process is killed.

    :param step: The task of the three-task variant that makes it; the one-task variant makes all.
    :param functions: Which functions it may be, as :func:`pkgutil.resolve_name` takes them.
    :param after: Kill when it has done its work, instead of before.
    :param when: Decides from the arguments whether this is the call.
    """

    step: str
    functions: tuple[str, ...]
    after: bool = True
    when: Callable[..., bool] = _always

    def arm(self) -> None:
        """Let this process be killed at this point."""

        def run(real: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
            kills = self.when(*args, **kwargs)
            if kills and not self.after:
                os.kill(os.getpid(), signal.SIGKILL)
            result = real(*args, **kwargs)
            if kills:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        for function in self.functions:
            _replace(function, run)


def _replace(function: str, run: Callable[..., Any]) -> None:
    module, _, name = function.rpartition(":")
    owner, _, name = name.rpartition(".")
    target = pkgutil.resolve_name(f"{module}:{owner}" if owner else module)
    real = getattr(target, name)
    setattr(target, name, functools.wraps(real)(lambda *args, **kwargs: run(real, *args, **kwargs)))


def _is_intent(_: Any, record: Any) -> bool:
    return record.request_id is None


def _is_id(_: Any, record: Any) -> bool:
    return record.request_id is not None


def _answer_has_come(response: Any) -> bool:
    """Wait for the first byte of an answer and leave it unread: the request is carried out by then."""
    return bool(response.fp.peek(1))


def _pushes_the_id(ti: Any, key: str, *_: Any, **__: Any) -> bool:
    return key == ("submission" if hasattr(ti.task, "destination") else "return_value")


KILL_POINTS = {
    "before the intent": KillPoint("submit", (_STORE,), after=False, when=_is_intent),
    "after the intent": KillPoint("submit", (_STORE,), when=_is_intent),
    "after the POST left": KillPoint("submit", ("http.client:HTTPResponse.begin",), after=False, when=_answer_has_come),
    "after the answer": KillPoint("submit", (f"{_PACKAGE}.hooks.siliconflow:SiliconFlowHook.submit_video",)),
    "after the id was stored": KillPoint("submit", (_STORE,), when=_is_id),
    "after XCom": KillPoint("submit", ("airflow.sdk.execution_time.task_runner:_xcom_push",), when=_pushes_the_id),
    # Airflow knows of the success by then, and no try follows; where the record is in a Variable, it is deleted next.
    "after success": KillPoint("submit", (f"{_PACKAGE}.jobs.record:SubmitStore.sweep",), after=False),
    "on resume": KillPoint(
        "ready",
        (
            f"{_PACKAGE}.operators.generate:GenerateVideoOperator.execute_complete",
            f"{_PACKAGE}.sensors.video:VideoReadySensor.execute_complete",
        ),
        after=False,
    ),
    "mid-download": KillPoint(
        "archive", (f"{_PACKAGE}.archive.writer:FileWriter.write",), after=False, when=lambda writer, _: writer.size > 0
    ),
    "after the video, before its manifest": KillPoint("archive", (f"{_PACKAGE}.archive.publish:_publish_video",)),
    "after publish, before success": KillPoint("archive", (f"{_PACKAGE}.archive.archiver:publish",)),
}


def _skip(when: Callable[..., bool]) -> Callable[..., Any]:
    return lambda real, *args, **kwargs: None if when(*args, **kwargs) else real(*args, **kwargs)


async def _no(*_: Any) -> bool:
    return False


GUARDS: dict[str, tuple[str, Callable[..., Any]]] = {
    "intent write": (_STORE, _skip(_is_intent)),
    "id write": (_STORE, _skip(_is_id)),
    "fresh URL": (f"{_PACKAGE}.archive.url_source:RefreshableUrl._ask", _no),
}


def disable(guard: str) -> None:
    """Run this process without a guard."""
    _replace(*GUARDS[guard])
