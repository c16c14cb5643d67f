"""Airflow takes one callback of a task, several or none."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_siliconflow._airflow.callbacks import call_on_success


def theirs(context: Any) -> None:
    pass


def ours(context: Any) -> None:
    pass


@pytest.mark.parametrize(
    ("given", "kept"), [(None, []), ([], []), (theirs, [theirs]), ([theirs], [theirs]), ((theirs,), [theirs])]
)
def test_it_goes_after_those_of_the_user(given: Any, kept: list[Any]) -> None:
    task = SimpleNamespace(on_success_callback=given)
    call_on_success(task, ours)
    assert task.on_success_callback == [*kept, ours]
