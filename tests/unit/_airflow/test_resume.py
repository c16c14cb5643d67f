"""The way back into a task, whatever Airflow hands over."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.sdk.bases.operator import TRIGGER_FAIL_REPR, TriggerFailureReason

from airflow_provider_siliconflow._airflow.resume import ResumeMixin, is_deferral_timeout


class Base:
    """Resume as Airflow's base class does, by calling the method with its arguments."""

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Any) -> Any:
        return getattr(self, next_method)(context, **(next_kwargs or {}))


class Task(ResumeMixin, Base):
    def execute_complete(self, context: Any, event: Any = None) -> Any:
        return "event", event

    def execute_after_failed_deferral(self, context: Any, error_text: str) -> Any:
        return "failed", error_text


@pytest.mark.parametrize(
    ("kwargs", "error"),
    [
        ({"error": TriggerFailureReason.TRIGGER_TIMEOUT}, "Trigger timeout"),
        (
            {"error": TriggerFailureReason.TRIGGER_FAILURE, "traceback": ["Traceback\n", "TypeError: 'x'\n"]},
            "Trigger failure (TypeError: 'x')",
        ),
        ({"error": "Trigger failure", "traceback": "no list"}, "Trigger failure (no list)"),
        ({"error": None}, "None"),
        ({"something": "else"}, "unknown"),
        ({}, "unknown"),
        (None, "None"),
        ("text", "text"),
    ],
)
def test_a_failed_deferral_comes_back_with_its_reason(kwargs: Any, error: str) -> None:
    assert Task().resume_execution(TRIGGER_FAIL_REPR, kwargs, {}) == ("failed", error)


@pytest.mark.parametrize(
    ("kwargs", "event"), [({"event": {"a": 1}}, {"a": 1}), ({"event": 1, "more": 2}, 1), (None, None), ({}, None)]
)
def test_an_event_comes_back_alone(kwargs: Any, event: Any) -> None:
    assert Task().resume_execution("execute_complete", kwargs, {}) == ("event", event)


def test_a_method_of_another_release_is_a_failed_deferral() -> None:
    how, error = Task().resume_execution("on_video_ready", {"event": 1}, {})
    assert (how, "'on_video_ready'" in error) == ("failed", True)


def test_a_time_out_is_told_from_a_failure() -> None:
    assert is_deferral_timeout(TriggerFailureReason.TRIGGER_TIMEOUT.value)
    assert not is_deferral_timeout(TriggerFailureReason.TRIGGER_FAILURE.value)
