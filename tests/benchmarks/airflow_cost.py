"""
Benchmark 5: what a video costs in a real Airflow, and how long its bytes are in danger.

``python -m tests.benchmarks.airflow_cost [--videos 200] [--speed 1] [--variants three_tasks one_task batch]``. Every
part of Airflow runs, with LocalExecutor and PostgreSQL; the sandbox makes the videos, which take 1 to 9 minutes each
by ``--speed 1``. Worker CPU is that of all task processes and of the executor's processes above them. A task process
is one start of a task on a worker, resumptions included, as Airflow's own event log counts them. The delay is from
*ready at the service*, by its ledger, to the moment at which the file got its final name. The variants run one after
the other; 200 videos take about 15 minutes for each.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from tests.benchmarks import proc
from tests.benchmarks.report import head, table
from tests.benchmarks.simulation import figures
from tests.system.processes import session_members
from tests.system.stack import Stack, StackFailedError, StackSettings, running

VARIANTS = ("three_tasks", "one_task", "batch")


@dataclass
class Cost:
    """
    Hold what one variant took.

    :param cpu: Seconds, of all worker processes.
    :param processes: Starts of a task on a worker.
    :param delays: Seconds from ready to safe, for each video.
    :param billed: Videos paid for.
    """

    cpu: float
    processes: int
    delays: list[float]
    billed: int


def worker_cpu(scheduler: int) -> float:
    """Return the CPU seconds so far of all that the scheduler's executor has started, ended or not."""
    workers = [pid for pid in session_members([scheduler]) if pid != scheduler]
    return proc.cpu(workers) + sum(map(proc.cpu_of_children, [scheduler, *workers]))


def run_variant(stack: Stack, variant: str, folder: Path, seconds: float) -> Cost:
    """
    Run a DAG to its end.

    :raises StackFailedError: if it does not succeed.
    """
    known = len(stack.sandbox("ledger")["jobs"])
    scheduler = stack.parts["scheduler"].pid
    before = worker_cpu(scheduler)
    run_id = stack.api.trigger(variant)
    stack.wait_until(
        f"the end of {variant}", lambda: stack.api.run_state(variant, run_id) in ("success", "failed"), seconds=seconds
    )
    if stack.api.run_state(variant, run_id) != "success":
        raise StackFailedError(stack.explain(variant, run_id))
    cpu = worker_cpu(scheduler) - before
    jobs = stack.sandbox("ledger")["jobs"][known:]
    events = f"eventLogs?dag_id={variant}&run_id={quote(run_id)}&event=running&limit=1"
    started = stack.api.call("GET", events)["total_entries"]
    # A rename changes a file's ctime, and nothing else does so afterwards.
    delays = [(folder / f"{job['request_id']}.mp4").stat().st_ctime - job["ready_at"] for job in jobs]
    return Cost(cpu, started, delays, sum(job["billed"] for job in jobs))


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--videos", type=int, default=200)
    parser.add_argument("--speed", type=float, default=1.0, help="divides the time that videos take")
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=VARIANTS)
    parser.add_argument("--parallelism", type=int, default=4, help="task processes at the same time")
    parser.add_argument("--database", choices=("postgres", "sqlite"), default="postgres")
    parser.add_argument("--minutes", type=float, default=60.0, help="patience with each variant")
    chosen = parser.parse_args()
    head("Cost and delay of a video in a real Airflow", "apache-airflow", "aiohttp")
    with tempfile.TemporaryDirectory() as folder:
        settings = StackSettings(
            dags=Path(__file__).parent / "dags",
            database=chosen.database,
            parallelism=chosen.parallelism,
            env={"COST_VIDEOS": str(chosen.videos), "COST_ARCHIVE": folder},
            sandbox=("--speed", str(chosen.speed), "--tiny"),
        )
        costs: dict[str, Cost] = {}
        with running(settings) as stack:
            stack.wait_until("the DAGs", lambda: all(map(stack.api.knows_dag, VARIANTS)), seconds=90)
            for variant in chosen.variants:
                costs[variant] = run_variant(stack, variant, Path(folder), 60 * chosen.minutes)
                _show(chosen.videos, list(costs.items())[-1:])
    print(
        f"\nAll ways, videos {chosen.speed:g} times as fast as in the field, {chosen.parallelism} at the same time:\n"
    )
    _show(chosen.videos, list(costs.items()))


def _show(videos: int, costs: Sequence[tuple[str, Cost]]) -> None:
    columns = (
        *("variant", "videos", "billed", "task processes", "a video", "worker CPU s", "a video", "CPU / first variant"),
        *("delay p50 s", "p95", "most"),
    )
    first = costs[0][1].cpu
    rows: list[tuple[str | float | int, ...]] = []
    for variant, cost in costs:
        _, p50, p95, most = figures(cost.delays)
        share, cpu = cost.processes / videos, cost.cpu / videos
        rows.append(
            (variant, videos, cost.billed, cost.processes, share, cost.cpu, cpu, cost.cpu / first, p50, p95, most)
        )
    table(columns, rows)


if __name__ == "__main__":
    main()
