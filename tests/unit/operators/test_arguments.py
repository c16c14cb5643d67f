"""What an operator's arguments are where they are not given: said once, in its signature."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from airflow_provider_siliconflow.jobs.arguments import default_of
from airflow_provider_siliconflow.operators.video import (
    GenerateVideoBatchOperator,
    GenerateVideoOperator,
    SubmitVideoOperator,
)

KINDS = pytest.mark.parametrize("kind", [SubmitVideoOperator, GenerateVideoOperator, GenerateVideoBatchOperator])


@KINDS
def test_the_default_of_each_argument_that_is_checked_passes_its_check(kind: Any) -> None:
    for name, check in kind.argument_checks.items():
        check(name, default_of(kind, name))


@KINDS
def test_every_argument_with_a_default_that_is_no_template_is_checked(kind: Any) -> None:
    own = [each for each in kind.__mro__ if each.__module__.startswith("airflow_provider_siliconflow.operators")]
    given = {name for each in own if "__init__" in vars(each) for name in inspect.signature(each.__init__).parameters}
    # A label is both: its texts are templates, and what they render to is checked.
    assert given - {"self", "kwargs", *kind.template_fields} == set(kind.argument_checks) - {"video_label"}
    assert ("video_label" in given) == ("video_label" in kind.argument_checks)


def test_a_subclass_may_have_another_default() -> None:
    class Patient(GenerateVideoOperator):
        def __init__(self, *, timeout: float = 7200, **kwargs: Any) -> None:
            super().__init__(timeout=timeout, **kwargs)

    assert (default_of(Patient, "timeout"), default_of(Patient, "submit_timeout")) == (7200, 3600)
    with pytest.raises(LookupError, match="prompt"):
        default_of(Patient, "prompt")
