"""
How long the gallery's server takes for a page, a search, a filter and the sums, on PostgreSQL.

``python -m tests.benchmarks.gallery [--videos 10000 100000]``; passes or fails nothing.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.system.processes import ReaperProcess, wait_until
from tests.system.services import Postgres, account

#: Records of a video: of its submit, its wait and its archive; and XComs of other tasks for each.
_TASKS = ("submit", "ready", "archive")
_OTHERS = 10
_TRIES = 9


def main() -> None:
    """Start a PostgreSQL, and measure in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--videos", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        for count in options.videos:
            _measure(count)
        return
    home = Path(tempfile.mkdtemp(prefix="siliconflow-gallery-"))
    server = Postgres(home)
    server.create()
    with ReaperProcess(home):
        process = subprocess.Popen(
            server.argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **account(server.user)
        )
        try:
            wait_until("postgres", server.ready, seconds=60)
            env = {**os.environ, "AIRFLOW_HOME": str(home), "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": server.url}
            subprocess.run([sys.executable, "-m", "airflow", "db", "migrate"], check=True, env=env, capture_output=True)
            command = [sys.executable, "-m", "tests.benchmarks.gallery", "--inside", "--videos"]
            subprocess.run([*command, *map(str, options.videos)], check=True, env=env)
        finally:
            process.terminate()
            process.wait(30)


def _fill(session: Any, count: int) -> None:
    from sqlalchemy import text

    session.execute(text("SET session_replication_role = replica"))
    session.execute(text("TRUNCATE xcom, dag_run CASCADE"))
    session.execute(
        text(
            "INSERT INTO dag_run (id, dag_id, run_id, state, run_type, run_after, clear_number,"
            " span_status, updated_at)"
            " SELECT i, 'dag' || i % 10, 'run' || i, 'success', 'manual', now(), 0, 'ended', now()"
            " FROM generate_series(1, :runs) AS i"
        ),
        {"runs": count // 20},
    )
    value = (
        "jsonb_build_object('version', 1, 'state', :state, 'request_id', 'id' || i, 'model', 'Wan-AI/Wan2.2-T2V-A14B',"
        " 'prompt', 'A red fox number ' || i || ' crosses a snowy field at dawn, soft light, slow camera', 'seed', i,"
        " 'image_size', '1280x720', 'estimated_cost', 2.0, 'currency', 'CNY', 'waited_seconds', 100 + i % 300,"
        " 'bytes', 5000000,"
        " 'sha256', md5(i::text) || md5(i::text), 'path', 's3://bucket/videos/' || i || '.mp4')"
    )
    row = (
        "INSERT INTO xcom (dag_run_id, task_id, map_index, key, dag_id, run_id, value, timestamp)"
        " SELECT 1 + i / 20 % :runs, :task, i % 20, :key, 'dag' || (1 + i / 20 % :runs) % 10,"
        " 'run' || (1 + i / 20 % :runs), {}, now() - (:count - i) * interval '30 s' + :later * interval '60 s'"
        " FROM generate_series(0, :count - 1) AS i"
    )
    common = {"count": count, "runs": count // 20}
    for later, task in enumerate(_TASKS):
        state = {"submit": "submitted", "ready": "ready", "archive": "archived"}[task]
        told = {**common, "task": task, "key": "siliconflow_video", "later": later, "state": state}
        session.execute(text(row.format(value)), told)
    for number in range(_OTHERS):
        other = {**common, "task": f"other{number}", "key": "return_value", "later": 0}
        session.execute(text(row.format("to_jsonb(i)")), other)
    session.commit()
    session.connection(execution_options={"isolation_level": "AUTOCOMMIT"}).execute(text("VACUUM ANALYZE xcom"))


def _measure(count: int) -> None:
    from airflow.utils.session import create_session
    from sqlalchemy import event

    from airflow_provider_siliconflow.gallery.query import VideoFilter, run_states, select_page
    from airflow_provider_siliconflow.gallery.sums import select_sums

    with create_session(scoped=False) as session:
        _fill(session, count)
    dag_ids = {f"dag{number}" for number in range(10)}
    print(f"\n{count:,} archived videos: {count * 3:,} records among {count * (3 + _OTHERS):,} XComs")
    print(f"{'':28}{'median':>9}{'slowest':>10}  queries")
    with create_session(scoped=False) as session:
        queries: list[str] = []
        event.listen(session.get_bind(), "before_cursor_execute", lambda *given: queries.append(given[2]))

        def page(cursor: str | None = None, **wanted: Any) -> str | None:
            rows, following = select_page(session, VideoFilter(**wanted), dag_ids, cursor, 50)
            run_states(session, rows)
            return following

        deep = page()
        for _ in range(20):
            deep = page(deep)
        cases = {
            "first page": page,
            "page 21": lambda: page(deep),
            "one DAG": lambda: page(dag="dag3"),
            "search": lambda: page(text="number 77"),
            "search, nothing found": lambda: page(text="no such words"),
            "one model": lambda: page(model="Wan-AI/Wan2.2-T2V-A14B"),
            "state, model and day": lambda: page(state="archived", model="Wan-AI/Wan2.2-T2V-A14B"),
            "a task's tab": lambda: page(dag="dag2", run="run1", task="submit", map_index=3),
            "sums": lambda: select_sums(session, VideoFilter(), dag_ids),
        }
        for name, case in cases.items():
            times = []
            for _ in range(_TRIES):
                session.rollback()
                queries.clear()
                began = time.perf_counter()
                case()  # type: ignore[no-untyped-call]
                times.append(time.perf_counter() - began)
            print(f"{name:28}{statistics.median(times) * 1e3:6.0f} ms{max(times) * 1e3:7.0f} ms  {len(queries)}")


if __name__ == "__main__":
    main()
