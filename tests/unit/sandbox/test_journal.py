"""What outlives a restart, and what a reset forgets."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import requests

from airflow_provider_siliconflow.sandbox.faults import Fault
from airflow_provider_siliconflow.sandbox.ledger import Ledger
from airflow_provider_siliconflow.sandbox.server import Sandbox
from airflow_provider_siliconflow.sandbox.settings import Settings
from tests.unit.sandbox.caller import NOON, Caller


def test_jobs_and_ledger_survive_a_restart(tmp_path: Path) -> None:
    switches = Settings(tiny=True, ledger_file=str(tmp_path / "ledger.jsonl"), slots=1)
    with Sandbox(switches, start=NOON) as sandbox:
        caller = Caller(sandbox)
        done, url = caller.ready()
        whole = caller.download(url).content
        caller.submit(model="none")
        caller.download(url, Authorization="x")
        sandbox.script(Fault("submit", "reset", after=True))
        with pytest.raises(requests.ConnectionError):
            caller.submit()
        before, now = sandbox.ledger(), sandbox.clock.now()
        caller.close()
    with (tmp_path / "ledger.jsonl").open("a") as journal:
        journal.write('{"event": "accep')
    with Sandbox(switches, start=now) as sandbox:
        after = sandbox.ledger()
        caller = Caller(sandbox)
        assert caller.status(done).json()["status"] == "Succeed"
        assert caller.exact(url.replace(url.split("/")[2], sandbox.root.split("/")[2])) == (200, whole)
        request_id = caller.request_id()
        assert caller.status(request_id).json()["position"] == 2
        caller.close()
    kept = [{**job, "status_calls": 0} for job in before.jobs]
    assert [{**job, "status_calls": 0} for job in after.jobs] == kept
    for name in (
        "submit_calls",
        "accepted",
        "answered",
        "billed",
        "spent",
        "rejected",
        "shown",
        "fetched",
        "key_leaks",
    ):
        assert getattr(after, name) == getattr(before, name), name
    lines = (tmp_path / "ledger.jsonl").read_text().splitlines()
    assert all(isinstance(json.loads(line), dict) for line in lines)


def test_a_reset_forgets_all(tmp_path: Path) -> None:
    switches = Settings(tiny=True, ledger_file=str(tmp_path / "ledger.jsonl"))
    with Sandbox(switches, start=NOON) as sandbox:
        caller = Caller(sandbox)
        caller.request_id()
        sandbox.script(Fault("models", "busy"))
        assert caller.session.post(f"{sandbox.root}/sandbox/reset", timeout=30).json() == {}
        assert sandbox.ledger() == Ledger(spent={"cn": 0.0, "other": 0.0, "com": 0.0})
        assert caller.get("/models").status_code == 200
        caller.close()
    assert not (tmp_path / "ledger.jsonl").exists()
