"""
Moments at which a task's process dies, and guards that can be taken away: what DAGs under test do to themselves.

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
_STORE = f"{_PACKAGE}.records:SubmitStore.write"


def _always(*_: Any, **__: Any) -> bool:
    return True


@dataclass(frozen=True)
class Moment:
    """
    A call at which a process dies.

    :param step: The task of the three-task way that makes it; the one-task way makes all.
    :param functions: Which functions it may be, as :func:`pkgutil.resolve_name` takes them.
    :param after: Die when it has done its work, instead of before.
    :param when: Tells from the arguments whether this is the call.
    """

    step: str
    functions: tuple[str, ...]
    after: bool = True
    when: Callable[..., bool] = _always

    def arm(self) -> None:
        """Let this process die at the moment."""

        def run(real: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
            dies = self.when(*args, **kwargs)
            if dies and not self.after:
                os.kill(os.getpid(), signal.SIGKILL)
            result = real(*args, **kwargs)
            if dies:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        for function in self.functions:
            _replace(function, run)


def _replace(function: str, run: Callable[..., Any]) -> None:
    module, _, name = function.rpartition(":")
    owner, _, name = name.rpartition(".")
    place = pkgutil.resolve_name(f"{module}:{owner}" if owner else module)
    real = getattr(place, name)
    setattr(place, name, functools.wraps(real)(lambda *args, **kwargs: run(real, *args, **kwargs)))


def _is_intent(_: Any, record: Any) -> bool:
    return record.request_id is None


def _is_id(_: Any, record: Any) -> bool:
    return record.request_id is not None


def _answer_has_come(response: Any) -> bool:
    """Wait for the first byte of an answer and leave it unread: the request is carried out by then."""
    return bool(response.fp.peek(1))


def _tells_the_id(ti: Any, key: str, *_: Any, **__: Any) -> bool:
    return key == ("submission" if hasattr(ti.task, "destination") else "return_value")


MOMENTS = {
    "before the intent": Moment("submit", (_STORE,), after=False, when=_is_intent),
    "after the intent": Moment("submit", (_STORE,), when=_is_intent),
    "after the POST left": Moment("submit", ("http.client:HTTPResponse.begin",), after=False, when=_answer_has_come),
    "after the answer": Moment("submit", (f"{_PACKAGE}.hooks.siliconflow:SiliconFlowHook.submit_video",)),
    "after the id was stored": Moment("submit", (_STORE,), when=_is_id),
    "after XCom": Moment("submit", ("airflow.sdk.execution_time.task_runner:_xcom_push",), when=_tells_the_id),
    "on resume": Moment(
        "ready",
        (
            f"{_PACKAGE}.operators.generate:GenerateVideoOperator.execute_complete",
            f"{_PACKAGE}.sensors.video:VideoReadySensor.execute_complete",
        ),
        after=False,
    ),
    "mid-download": Moment(
        "archive", (f"{_PACKAGE}.archive.sink:FileSink.write",), after=False, when=lambda sink, _: sink.size > 0
    ),
    "after the manifest, before the video": Moment(
        "archive",
        (f"{_PACKAGE}.archive.publish:place",),
        after=False,
        when=lambda _, path: path.name.endswith(".mp4"),
    ),
    "after publish, before success": Moment("archive", (f"{_PACKAGE}.archive.archive:publish",)),
}


def _skip(when: Callable[..., bool]) -> Callable[..., Any]:
    return lambda real, *args, **kwargs: None if when(*args, **kwargs) else real(*args, **kwargs)


async def _no(*_: Any) -> bool:
    return False


_GUARDS: dict[str, tuple[str, Callable[..., Any]]] = {
    "intent write": (_STORE, _skip(_is_intent)),
    "id write": (_STORE, _skip(_is_id)),
    "fresh link": (f"{_PACKAGE}.archive.link:Link._ask", _no),
}


def take_away(guard: str) -> None:
    """Let this process go without a guard."""
    _replace(*_GUARDS[guard])
