"""Fill an Airflow with FAB: two DAGs with a video each, and users who may see one of them, or no XComs, or all."""

from __future__ import annotations

import hashlib
import json
import sys
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

PASSWORD = "a password of these tests"
#: What each user may read besides the UI itself; None for all.
USERS: dict[str, tuple[str, ...] | None] = {
    "alice": ("DAG:clips", "XComs"),
    "bob": ("DAG:clips",),
    "carol": (),
    "admin": None,
}
NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)


def main(folder: Path) -> None:
    """
    Make users and videos in the database that the environment names.

    :param folder: Where the videos go.
    """
    # By name, since mypy runs where FAB is not installed.
    utils = import_module("airflow.providers.fab.auth_manager.cli_commands.utils")
    with utils.get_application_builder() as builder:
        manager: Any = builder.sm
        manager.sync_roles()
        for name, resources in USERS.items():
            role = manager.find_role("Admin") if resources is None else manager.add_role(name)
            for resource in resources or ():
                manager.add_permission_to_role(role, manager.create_permission("can_read", resource))
            made = manager.add_user(name, name, name, f"{name}@example.com", role=role, password=PASSWORD)
            assert made, name
    for number, dag in enumerate(("clips", "secret"), 1):
        _add_video(folder, number, dag)


def _add_video(folder: Path, number: int, dag: str) -> None:
    from airflow.models.dag import DagModel
    from airflow.models.dagbundle import DagBundleModel
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from sqlalchemy import insert, text

    from tests.releases import insert_xcom

    data = f"bytes of {dag}".encode() * 100
    path = folder / f"{dag}.mp4"
    path.write_bytes(data)
    (folder / f"{dag}.mp4.jpg").write_bytes(b"\xff\xd8\xff\xe0" + dag.encode())
    facts = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest(), "path": str(path)}
    told = {"version": 1, "state": "archived", "request_id": f"id-{dag}", "prompt": f"prompt of {dag}", **facts}
    path.with_name(f"{path.name}.json").write_text(json.dumps({**told, "dag_id": dag, "content_type": "video/mp4"}))
    ids = {"dag_id": dag, "run_id": "run"}
    with create_session() as session:
        session.execute(text("PRAGMA foreign_keys=OFF"))
        if not session.get(DagBundleModel, "tests"):
            session.add(DagBundleModel(name="tests"))
            session.flush()
        session.add(DagModel(dag_id=dag, bundle_name="tests"))
        run = {"id": number, **ids, "state": "success", "run_type": "manual", "run_after": NOW, "triggered_by": "TEST"}
        run |= {"clear_number": 0, "span_status": "NOT_STARTED", "updated_at": NOW}
        known = {name: value for name, value in run.items() if name in DagRun.__table__.c}
        session.execute(insert(DagRun.__table__).values(**known))
        row = {**ids, "dag_run_id": number, "task_id": "make", "map_index": -1, "key": "siliconflow_video"}
        insert_xcom(session, {**row, "value": told, "timestamp": NOW})


if __name__ == "__main__":
    main(Path(sys.argv[1]))
