"""100,000 generated answers through every reader: a result or a SiliconFlowError, and nothing else."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from airflow_provider_siliconflow.client.models import VideoStatus
from airflow_provider_siliconflow.client.parsing import read_balance, read_models, read_status, read_submit
from airflow_provider_siliconflow.client.response import Response
from airflow_provider_siliconflow.client.retry import FailureKind, Route, classify_failure, final_submit_error
from airflow_provider_siliconflow.exceptions import SiliconFlowError
from airflow_provider_siliconflow.polling.decision import Wait, describe
from airflow_provider_siliconflow.triggers.events import WaitEvent

#: Answers for each of the four readers: 100,000 in all.
ANSWERS = 25_000
STATUSES = (200, 200, 200, 200, 201, 204, 302, 400, 401, 402, 403, 404, 410, 413, 429, 451, 500, 502, 503, 504, 599)
NAMES = (
    *("requestId", "status", "reason", "position", "results", "videos", "url", "timings", "inference", "seed"),
    *("code", "message", "data", "id", "totalBalance", "object", ""),
)
WORDS = (
    *("InQueue", "InProgress", "Succeed", "Failed", "Reviewing", "", "88.88", "NaN", "\ud800", "\x00", "内容"),
    *("https://s3/clip.mp4?Expires=1741861920", "https://[::1", "?X-Amz-Date=20260801T120000Z&X-Amz-Expires=1e9"),
)
NUMBERS = (0, -1, 7, 20000, 20012, 20043, 30001, 50505, 60000, 2**63, 10**400, 1.5, float("nan"), float("inf"))
HEADERS = ("retry-after", "date", "x-siliconcloud-trace-id", "content-type")
DATES = ("Sat, 01 Aug 2026 12:00:00 GMT", "Sat, 01 Aug 2026 12:01:00 -0000", "1", "-5", "9" * 500, "x", "", "\udcff")
SHAPES = (
    b'{"requestId": "gs6fhi8yrhxt"}',
    b'{"status": "Succeed", "results": {"videos": [{"url": "https://s3/c?Expires=1"}], "timings": {"inference": 4.5}}}',
    b'{"code": 20012, "message": "Model does not exist.", "data": null}',
    b'{"code": 20000, "data": {"balance": "0.88", "totalBalance": "88.88"}}',
    b'{"object": "list", "data": [{"id": "a", "object": "model", "created": 0, "owned_by": ""}]}',
    b'"Invalid token"',
    b"<html><head><title>502 Bad Gateway</title></head></html>",
    b"",
    b"[" * 100_000,
    b"1" * 5_000,
)


def value(chance: random.Random, depth: int = 0) -> Any:
    kind = chance.randrange(8 if depth < 4 else 5)
    if kind < 2:
        return chance.choice(WORDS)
    if kind < 4:
        return chance.choice(NUMBERS)
    if kind == 4:
        return chance.choice((None, True, False))
    if kind == 5:
        return [value(chance, depth + 1) for _ in range(chance.randrange(3))]
    return {chance.choice(NAMES): value(chance, depth + 1) for _ in range(chance.randrange(5))}


def likely(chance: random.Random) -> dict[str, Any]:
    """Make an object whose known fields are in their places, each now and then of the wrong kind."""

    def field(right: Any) -> Any:
        return value(chance, 3) if chance.random() < 0.25 else right

    results = {
        "videos": field([{"url": field(chance.choice(WORDS))}]),
        "timings": field({"inference": field(4)}),
        "seed": field(7),
    }
    whole = {
        "requestId": field("gs6fhi8yrhxt"),
        "status": field(chance.choice(WORDS)),
        "reason": field("why"),
        "position": field(3),
        "results": field(results),
        "code": field(chance.choice(NUMBERS)),
        "message": field("m"),
        "data": field(chance.choice(([{"id": field("a")}], {"totalBalance": field("88.88")}))),
    }
    return {name: part for name, part in whole.items() if chance.random() < 0.8}


def body(chance: random.Random) -> bytes:
    kind = chance.randrange(8)
    if kind < 3:
        return json.dumps(likely(chance)).encode()
    if kind < 5:
        return json.dumps(value(chance)).encode()
    if kind == 5:
        return chance.randbytes(chance.randrange(30))
    shape = bytearray(chance.choice(SHAPES[:-2] if chance.random() < 0.98 else SHAPES))
    for _ in range(chance.randrange(3) if shape else 0):
        shape[chance.randrange(len(shape))] = chance.randrange(256)
    return bytes(shape[: chance.randrange(len(shape) + 1)] if chance.random() < 0.3 else shape)


def answers(seed: int) -> Iterator[Response]:
    chance = random.Random(seed)
    for _ in range(ANSWERS):
        headers = {name: chance.choice(DATES) for name in HEADERS if chance.random() < 0.3}
        status = chance.choice(STATUSES) if chance.random() < 0.9 else chance.randrange(100, 1000)
        yield Response(status, headers, body(chance), "https://api.siliconflow.cn/v1")


@pytest.mark.parametrize(
    ("seed", "read"),
    [
        (1, read_submit),
        (2, partial(read_status, request_id="gs6fhi8yrhxt")),
        (3, read_models),
        (4, read_balance),
    ],
)
def test_a_result_or_an_error_of_ours(seed: int, read: Callable[[Response], Any]) -> None:
    results = errors = 0
    free_kinds = set()
    for answer in answers(seed):
        try:
            result = read(answer)
        except SiliconFlowError as error:
            errors += 1
            f"{error} {error!r} {final_submit_error(error, model='m')}".encode()
            free_kinds.add(classify_failure(Route.FREE, error))
        else:
            results += 1
            f"{result} {result!r}".encode()
            if isinstance(result, VideoStatus):
                follow(result)
    assert free_kinds == {FailureKind.RETRY, FailureKind.PERMANENT}
    # Both must have been common, else the generator is too narrow.
    assert min(results, errors) > ANSWERS / 100, (results, errors)


def follow(status: VideoStatus) -> None:
    """Take a status as far as the trigger and the XCom take it."""
    json.dumps([status.to_xcom(), describe(status)], allow_nan=False).encode()
    result = Wait("gs6fhi8yrhxt", deadline=0.0).evaluate(status, now=1.0)
    assert result
    assert "http" not in json.dumps(WaitEvent.of(result, 10.0).encode())
