"""How a task resumes, whichever way its deferral ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_siliconflow._airflow.names import AirflowException, AirflowSkipException

#: The method by which Airflow resumes a task whose trigger failed or whose deferral timed out, and the reason it gives
#: for the latter (``TRIGGER_FAIL_REPR`` and ``TriggerFailureReason`` in ``airflow/sdk/bases/operator.py``).
_FAILED_DEFERRAL = "__fail__"
_TRIGGER_TIMEOUT = "Trigger timeout"


class ResumeMixin:
    """
    A base class of tasks that resume, whichever way their deferral ended.

    It is named before Airflow's own base class. A task names one more method, ``execute_after_failed_deferral(context,
    error_text)``; it is called where Airflow would fail the task: its trigger could not be created (a renamed class,
    arguments of another release), it failed, nobody ran it in time, or the method to resume in does not exist.
    """

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Any) -> Any:
        """
        Resume the task; Airflow calls this.

        :param next_method: Name of the method that the deferral asked for.
        :param next_kwargs: Its arguments, or what Airflow tells about the failed deferral.
        :param context: The task's context.
        :return: What the method returned.
        :raises AirflowSkipException: for an error of a sensor with ``never_fail``.
        """
        given = next_kwargs if isinstance(next_kwargs, Mapping) else {"error": next_kwargs}
        if next_method == _FAILED_DEFERRAL:
            next_method, given = "execute_after_failed_deferral", {"error_text": _error_text(given)}
        elif not callable(getattr(self, str(next_method), None)):
            text = f"this release has no method {next_method!r} to resume in"
            next_method, given = "execute_after_failed_deferral", {"error_text": text}
        else:
            given = {"event": given.get("event")}
        try:
            return super().resume_execution(next_method, given, context)  # type: ignore[misc]
        except AirflowException as error:
            if isinstance(error, AirflowSkipException) or not getattr(self, "never_fail", False):
                raise
            # Airflow 3.0 heeds never_fail in a worker alone; later releases raise this very skip.
            raise AirflowSkipException("Skipping due to never_fail is set to True.") from error


def is_deferral_timeout(error_text: str) -> bool:
    """
    Tell a deferral that timed out from one that failed.

    :param error_text: What :class:`ResumeMixin` handed to the task.
    :return: Whether the deferral ended because its time was over.
    """
    return error_text.startswith(_TRIGGER_TIMEOUT)


def _error_text(given: Mapping[str, Any]) -> str:
    """Return what Airflow tells about a failed deferral: the reason, and the last line of a traceback."""
    error = given.get("error", "unknown")
    error = getattr(error, "value", error)
    traceback = given.get("traceback") or ""
    text = "".join(map(str, traceback)) if isinstance(traceback, (list, tuple)) else str(traceback)
    last = text.strip().rpartition("\n")[2].strip()
    return f"{error} ({last})" if last else str(error)
