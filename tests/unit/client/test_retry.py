"""The table of what a failed call means for the bill, line by line: retry, ambiguous or permanent."""

from __future__ import annotations

import pytest

from airflow_provider_siliconflow.billing import Billing
from airflow_provider_siliconflow.client.failures import error_from
from airflow_provider_siliconflow.client.response import Response
from airflow_provider_siliconflow.client.retry import FailureKind, Route, classify_failure, final_submit_error
from airflow_provider_siliconflow.exceptions import (
    InvalidVideoRequestError,
    SiliconFlowAPIError,
    SiliconFlowConfigError,
    SiliconFlowConnectionError,
    SiliconFlowError,
    SubmitOutcomeUnknownError,
)

HOST = "https://api.siliconflow.cn/v1"
RETRY, AMBIGUOUS, PERMANENT = FailureKind.RETRY, FailureKind.AMBIGUOUS, FailureKind.PERMANENT
BODIES = {
    "no body": b"",
    "bare string": b'"Forbidden"',
    "html": b"<html>Bad Gateway</html>",
    "message": b'{"message": "m", "data": null}',
    "20015": b'{"code": 20015, "message": "m", "data": null}',
    "30001": b'{"code": 30001, "message": "m", "data": null}',
    "50505": b'{"code": 50505, "message": "m", "data": null}',
    "60000": b'{"code": 60000, "message": "m", "data": null}',
}
#: By status: what it means for a submit, and for a free call. Exceptions by code stand below.
BY_STATUS = {
    200: (AMBIGUOUS, RETRY),
    202: (AMBIGUOUS, RETRY),
    300: (AMBIGUOUS, PERMANENT),
    301: (PERMANENT, PERMANENT),
    302: (AMBIGUOUS, PERMANENT),
    303: (AMBIGUOUS, PERMANENT),
    304: (AMBIGUOUS, PERMANENT),
    305: (AMBIGUOUS, PERMANENT),
    307: (PERMANENT, PERMANENT),
    308: (PERMANENT, PERMANENT),
    399: (AMBIGUOUS, PERMANENT),
    400: (PERMANENT, PERMANENT),
    401: (PERMANENT, PERMANENT),
    402: (PERMANENT, PERMANENT),
    403: (PERMANENT, PERMANENT),
    404: (PERMANENT, PERMANENT),
    407: (PERMANENT, PERMANENT),
    408: (AMBIGUOUS, RETRY),
    410: (PERMANENT, PERMANENT),
    413: (PERMANENT, PERMANENT),
    425: (AMBIGUOUS, RETRY),
    429: (RETRY, RETRY),
    451: (PERMANENT, PERMANENT),
    499: (AMBIGUOUS, PERMANENT),
    500: (AMBIGUOUS, RETRY),
    502: (AMBIGUOUS, RETRY),
    503: (AMBIGUOUS, RETRY),
    504: (AMBIGUOUS, RETRY),
    520: (AMBIGUOUS, RETRY),
    599: (AMBIGUOUS, RETRY),
}


def submit_meaning(status: int, body: str) -> FailureKind:
    if status == 503 and body == "50505":
        return RETRY
    # A server error in the service's own words outweighs a status that would say "rejected".
    if body == "60000":
        return AMBIGUOUS
    return BY_STATUS[status][0]


def error(status: int, body: str) -> SiliconFlowAPIError:
    return error_from(Response(status, {}, BODIES[body], HOST))


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("status", BY_STATUS)
def test_every_status_and_shape_has_its_kind(status: int, body: str) -> None:
    failure = error(status, body)
    assert classify_failure(Route.SUBMIT, failure) is submit_meaning(status, body)
    assert classify_failure(Route.FREE, failure) is BY_STATUS[status][1]


@pytest.mark.parametrize(
    ("failure", "submit", "free"),
    [
        (SiliconFlowConnectionError("refused", host=HOST, sent=False), RETRY, RETRY),
        (SiliconFlowConnectionError("reset", host=HOST), AMBIGUOUS, RETRY),
        (InvalidVideoRequestError("bad"), PERMANENT, PERMANENT),
        (SiliconFlowConfigError("no key"), PERMANENT, PERMANENT),
    ],
)
def test_failures_without_an_answer(failure: SiliconFlowError, submit: FailureKind, free: FailureKind) -> None:
    assert classify_failure(Route.SUBMIT, failure) is submit
    assert classify_failure(Route.FREE, failure) is free


def test_only_a_known_rejection_may_be_sent_again() -> None:
    again = {
        (status, body)
        for status in range(200, 600)
        for body in BODIES
        if classify_failure(Route.SUBMIT, error(status, body)) is RETRY
    }
    assert again == {(429, body) for body in BODIES if body != "60000"} | {(503, "50505")}


@pytest.mark.parametrize("status", BY_STATUS)
def test_a_submit_ends_with_the_truth_about_the_money(status: int) -> None:
    failure = error(status, "message")
    last = final_submit_error(failure, model="m")
    if BY_STATUS[status][0] is AMBIGUOUS:
        assert isinstance(last, SubmitOutcomeUnknownError)
        assert (last.host, last.model) == (HOST, "m")
        assert last.billing is Billing.UNKNOWN
    else:
        assert last is failure
        assert last.billing is Billing.REJECTED


def test_an_unknown_outcome_keeps_the_trace_id_and_the_cause_in_words() -> None:
    failure = error_from(Response(504, {"x-siliconcloud-trace-id": "ti_1"}, b'"timed out"', HOST))
    last = final_submit_error(failure, model="Wan-AI/Wan2.2-T2V-A14B")
    assert isinstance(last, SubmitOutcomeUnknownError)
    assert last.trace_id == "ti_1"
    for fact in ("Wan-AI/Wan2.2-T2V-A14B", HOST, "HTTP 504", "timed out", "ti_1", "console", "clear the task"):
        assert fact in str(last)


def test_a_connection_error_gives_the_unknown_outcome_its_host() -> None:
    last = final_submit_error(SiliconFlowConnectionError("reset", host=HOST), model="m")
    assert isinstance(last, SubmitOutcomeUnknownError)
    assert (last.host, last.trace_id) == (HOST, None)
