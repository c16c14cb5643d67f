"""A slow storage holds up no other video of a list without end, and loses none."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from airflow_provider_siliconflow.sandbox.faults import Fault
from airflow_provider_siliconflow.sandbox.server import Sandbox
from tests.unit.operators.batch.runs import FINISHED_AFTER, all_ids, archived, batching, retried, states

CONNECTION = "AIRFLOW_CONN_SILICONFLOW_DEFAULT"


@pytest.fixture
def hasty(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """Allow a download next to no time, by the connection."""
    connection = json.loads(os.environ[CONNECTION])
    connection["extra"] |= {"download_timeout": 1.0, "download_min_rate": 1e9}
    monkeypatch.setenv(CONNECTION, json.dumps(connection))
    return sandbox


@pytest.mark.parametrize("kind", ["drip", "stall"])
def test_slow_urls_end_by_the_connections_limit(hasty: Sandbox, tmp_path: Path, kind: str) -> None:
    run = batching(tmp_path, ["a", "b", "c", "d", "e", "f"])
    assert run.work().state == "deferred"
    slow = [job["request_id"] for job in hasty.ledger().jobs][:5]
    for request_id in slow:
        hasty.script(Fault("download", kind, times=0, match=request_id, at_byte=100, rate=20, seconds=600))
    hasty.advance(FINISHED_AFTER)

    report = run.work()

    assert report.state == "up_for_retry"
    assert states(run) == ["not_archived"] * 5 + ["archived"]
    assert "download_timeout 1 s" in json.dumps(run.xcoms)
    hasty.clear_faults()
    assert retried(run, hasty).state == "success"
    assert archived(tmp_path) == all_ids(hasty)
    assert hasty.ledger().billed == 6
