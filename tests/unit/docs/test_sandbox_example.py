"""A DAG tested on the sandbox: the example of its page, whole."""

# docs: begin
from __future__ import annotations

import json
import runpy
from collections.abc import Iterator
from pathlib import Path

import pytest
from airflow.sdk import DAG

from airflow_provider_siliconflow.sandbox.faults import Fault
from airflow_provider_siliconflow.sandbox.server import Sandbox
from airflow_provider_siliconflow.sandbox.settings import Settings


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """Start a sandbox whose videos are small and ready at once, and point the default connection at it."""
    with Sandbox(Settings(tiny=True, speed=1e9)) as sandbox:
        connection = {"conn_type": "siliconflow", "password": sandbox.key, "host": sandbox.base_url}
        monkeypatch.setenv("AIRFLOW_CONN_SILICONFLOW_DEFAULT", json.dumps(connection))
        yield sandbox


@pytest.fixture
def dag(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DAG:
    """Read a file of the DAGs folder."""
    monkeypatch.setenv("SILICONFLOW_ARCHIVE", tmp_path.as_uri())
    dag: DAG = runpy.run_path("example_dags/example_text_to_video.py")["submit"].dag
    return dag


@pytest.mark.usefixtures("airflow_db")  # `airflow db migrate`, once for all tests
def test_a_video_is_paid_once_and_archived(sandbox: Sandbox, dag: DAG, tmp_path: Path) -> None:
    assert dag.test().state == "success"
    assert sandbox.ledger().billed == 1
    assert len(list(tmp_path.rglob("*.mp4"))) == 1


@pytest.mark.usefixtures("airflow_db")
def test_a_lost_answer_is_not_paid_for_again(sandbox: Sandbox, dag: DAG) -> None:
    sandbox.script(Fault("submit", "reset", after=True))
    assert dag.test().state == "failed"
    assert (sandbox.ledger().submit_calls, sandbox.ledger().billed) == (1, 1)
