"""The error tree: who is under whom, what no retry can fix, and what is said of the money."""

from __future__ import annotations

import inspect
import pickle
import re

import pytest

from airflow_provider_siliconflow import exceptions
from airflow_provider_siliconflow._airflow.names import AirflowException, AirflowFailException
from airflow_provider_siliconflow.exceptions import (
    SiliconFlowAPIError,
    SiliconFlowConnectionError,
    SiliconFlowError,
    SubmitOutcomeUnknownError,
    VideoFailedError,
)

CLASSES = {
    name: kind
    for name, kind in vars(exceptions).items()
    if inspect.isclass(kind) and issubclass(kind, SiliconFlowError)
}
LINE = re.compile(r"^    (?P<rails>(?:[│ ]   )*)(?:[├└]── )?(?P<name>\w+Error)\b +(?P<final>\*?)")


def printed_tree() -> dict[str, tuple[str | None, bool]]:
    """Read the module's docstring: name to (parent, whether marked final)."""
    tree: dict[str, tuple[str | None, bool]] = {}
    path: list[str] = []
    for line in (exceptions.__doc__ or "").splitlines():
        if found := LINE.match(line):
            depth = 0 if "──" not in line else len(found["rails"]) // 4 + 1
            path[depth:] = [found["name"]]
            tree[found["name"]] = (path[depth - 1] if depth else None, bool(found["final"]))
    return tree


def test_the_printed_tree_is_the_true_one() -> None:
    tree = printed_tree()
    assert set(tree) == set(CLASSES)
    for name, (parent, final) in tree.items():
        kind = CLASSES[name]
        assert parent is None or kind.__mro__[1].__name__ == parent
        assert issubclass(kind, AirflowFailException) == final, name


@pytest.mark.parametrize("kind", CLASSES.values(), ids=CLASSES)
def test_every_error_is_an_airflow_exception_and_can_be_made_of_a_message(kind: type[SiliconFlowError]) -> None:
    error = kind("what happened")
    assert isinstance(error, AirflowException)
    assert "what happened" in str(error)
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), str(copy)) == (kind, str(error))


def test_facts_are_kept_and_said() -> None:
    error = SiliconFlowAPIError("no", status_code=400, code=20012, trace_id="ti", host="h", retry_after=2.0)
    assert (error.message, error.status_code, error.code) == ("no", 400, 20012)
    assert (error.trace_id, error.host, error.retry_after) == ("ti", "h", 2.0)
    assert str(error) == "h answered HTTP 400, code 20012, trace id ti: no"
    assert str(SiliconFlowConnectionError("refused", host="h")) == "No answer from h: refused."
    unknown = SubmitOutcomeUnknownError("Lost.", host="h", model="m", trace_id="t")
    assert (unknown.host, unknown.model, unknown.trace_id) == ("h", "m", "t")
    failed = VideoFailedError("Failed.", request_id="id", reason="内容 不对 ")
    assert (failed.request_id, failed.reason) == ("id", "内容 不对 ")
