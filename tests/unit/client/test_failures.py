"""What an answer that is no success says of its cause."""

from __future__ import annotations

import pytest

from airflow_provider_siliconflow.client.failures import error_from
from airflow_provider_siliconflow.exceptions import (
    SiliconFlowAPIError,
    SiliconFlowAuthenticationError,
    SiliconFlowBadRequestError,
    SiliconFlowBalanceError,
    SiliconFlowNotFoundError,
    SiliconFlowOverloadedError,
    SiliconFlowPermissionError,
    SiliconFlowRateLimitError,
    SiliconFlowServerError,
)
from tests.unit.client.answers import HOST, answer

CLASSES = [
    (400, None, SiliconFlowBadRequestError),
    (400, 20012, SiliconFlowBadRequestError),
    (400, 30001, SiliconFlowBalanceError),
    (401, None, SiliconFlowAuthenticationError),
    (401, 20015, SiliconFlowAuthenticationError),
    (402, None, SiliconFlowBalanceError),
    (402, 30001, SiliconFlowBalanceError),
    (403, None, SiliconFlowPermissionError),
    (403, 30001, SiliconFlowBalanceError),
    (403, 30011, SiliconFlowBalanceError),
    (404, None, SiliconFlowNotFoundError),
    (410, None, SiliconFlowNotFoundError),
    (413, 20043, SiliconFlowBadRequestError),
    (418, None, SiliconFlowBadRequestError),
    (451, None, SiliconFlowBadRequestError),
    (451, 99999, SiliconFlowBadRequestError),
    (429, None, SiliconFlowRateLimitError),
    (429, 20015, SiliconFlowRateLimitError),
    (429, 50505, SiliconFlowRateLimitError),
    (429, 50604, SiliconFlowRateLimitError),
    (429, 60000, SiliconFlowRateLimitError),
    (429, 30001, SiliconFlowRateLimitError),
    (500, None, SiliconFlowServerError),
    (500, 60000, SiliconFlowServerError),
    (502, None, SiliconFlowServerError),
    (503, None, SiliconFlowOverloadedError),
    (503, 20015, SiliconFlowOverloadedError),
    (503, 50508, SiliconFlowOverloadedError),
    (504, None, SiliconFlowServerError),
    (599, -1, SiliconFlowServerError),
    (302, None, SiliconFlowNotFoundError),
]


@pytest.mark.parametrize(("status", "code", "kind"), CLASSES)
def test_classified_by_code_first_and_status_second(
    status: int, code: int | None, kind: type[SiliconFlowAPIError]
) -> None:
    body = {"message": "m", "data": {"a": 1}} | ({"code": code} if code is not None else {})
    error = error_from(answer(status, body, {"x-siliconcloud-trace-id": "ti_1"}))
    assert type(error) is kind
    assert (error.status_code, error.code, error.message) == (status, code, "m")
    assert (error.trace_id, error.host) == ("ti_1", HOST)
    assert "ti_1" in str(error)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'"Invalid token"', "Invalid token"),
        (b'{"message": "\xe4\xbd\x99\xe9\xa2\x9d"}', "余额"),
        (b'{"message": 5}', '{"message": 5}'),
        (b'{"error": "x"}', '{"error": "x"}'),
        (b"[1]", "[1]"),
        (b"<html>502</html>", "<html>502</html>"),
        (b"plain", "plain"),
        (b"\xff\xfe\xfd", "\ufffd\ufffd\ufffd"),
        (b'"\\ud800"', "?"),
        (b"", ""),
        (b"x" * 5000, "x" * 299 + "…"),
        (b"[" * 100_000, "[" * 299 + "…"),
        (b"1" * 10_000, "1" * 299 + "…"),
    ],
)
def test_the_message_is_verbatim_or_an_excerpt(body: bytes, message: str) -> None:
    error = error_from(answer(500, body))
    assert (error.message, error.code) == (message, None)
    assert (message or "(no message)") in str(error)
    str(error).encode()


@pytest.mark.parametrize("code", ["20012", None, True, 20012.0, [20012]])
def test_a_code_that_is_no_integer_is_none(code: object) -> None:
    assert error_from(answer(400, {"code": code, "message": "m"})).code is None


def test_a_401_names_the_host_and_says_that_keys_differ() -> None:
    said = str(error_from(answer(401, {"message": "Api key is invalid"})))
    assert said.startswith(f"{HOST} answered HTTP 401: Api key is invalid")
    assert "Keys of api.siliconflow.cn and api.siliconflow.com are not interchangeable" in said


#: Code first, status second; a 429 or 503 wins over a 20xxx code. None: no code.
