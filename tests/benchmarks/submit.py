"""
Benchmark 8: a batch submits under the service's account limit, over real sockets.

``python -m tests.benchmarks.submit [--submits 500] [--limit 100]``. The limit is so many submits in any 60 seconds,
and the service names no time to wait. The operator runs in Airflow's own worker code; each worker process starts
``--start`` seconds after its trigger fired, as it does in a real Airflow on a small machine. With a limit of a hundred,
500 submits take four minutes at best. Of the limit: that best time by the time it took.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from contextlib import redirect_stdout
from pathlib import Path

from airflow_provider_siliconflow.sandbox.ledger import Ledger
from airflow_provider_siliconflow.sandbox.server import Sandbox
from airflow_provider_siliconflow.sandbox.settings import Settings
from tests.benchmarks.report import head, table
from tests.conftest import HOME  # importing it gives Airflow a home of its own

WINDOW = 60


def submit_all(sandbox: Sandbox, folder: Path, submits: int, start: float) -> int:
    """Run one try of the task until every submit is accepted; return how many worker processes that took."""
    from airflow_provider_siliconflow.operators.video import GenerateVideoBatchOperator
    from tests.unit.worker import MODEL, TaskRun, in_dag

    prompts = [f"video {number}" for number in range(submits)]
    request = {"model": MODEL, "image_size": "1280x720", "destination": str(folder), "deferrable": True}
    run = TaskRun(in_dag(GenerateVideoBatchOperator, requests=prompts, **request))
    processes = 0
    while sandbox.ledger().accepted < submits:
        time.sleep(start)
        processes += 1
        if (report := run.work()).state != "deferred":
            raise RuntimeError(f"The try ended as {report.state}: {report.error}")
    return processes


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--submits", type=int, default=500)
    parser.add_argument("--limit", type=int, default=100, help="submits a minute")
    parser.add_argument("--start", type=float, default=4.0, help="seconds until a worker process is up")
    chosen = parser.parse_args()
    head("Submit under a limit", "apache-airflow", "requests")
    with (
        tempfile.TemporaryDirectory(dir=HOME) as folder,
        open(os.devnull, "w") as nowhere,
        Sandbox(Settings(tiny=True, submits_per_minute=chosen.limit)) as sandbox,
    ):
        connection = {"conn_type": "siliconflow", "password": sandbox.key, "host": sandbox.base_url}
        os.environ["AIRFLOW_CONN_SILICONFLOW_DEFAULT"] = json.dumps(connection)
        with redirect_stdout(nowhere):
            processes = submit_all(sandbox, Path(folder), chosen.submits, chosen.start)
        ledger = sandbox.ledger()
    _show(ledger, chosen.submits, chosen.limit, processes)


def _show(ledger: Ledger, submits: int, limit: int, processes: int) -> None:
    times = [job["accepted_at"] for job in ledger.jobs]
    took = times[-1] - times[0]
    best = WINDOW * ((submits - 1) // limit)
    rows = [
        ("submits intended", submits),
        ("billed", ledger.billed),
        ("limit a minute", limit),
        ("seconds at best", best),
        ("seconds taken", took),
        ("of the limit", best / took),
        ("tries of the task", 1),
        ("worker processes", processes),
        ("POSTs rejected", ledger.rejected),
    ]
    table(("what", "figure"), rows)


if __name__ == "__main__":
    main()
