"""The gallery's routes as Airflow mounts them, over a real database; users with rights of the test's own."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.api_fastapi.app import init_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
from airflow.models.dagrun import DagRun
from airflow.utils.session import create_session
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import delete, insert, text

from airflow_provider_siliconflow._airflow.releases import has_react_apps
from airflow_provider_siliconflow.client.video_record import KEY
from airflow_provider_siliconflow.gallery import routes
from airflow_provider_siliconflow.gallery.page import static
from airflow_provider_siliconflow.gallery.plugin import PREFIX, STATIC_PREFIX
from tests.releases import delete_xcoms, insert_xcom

NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)
CLIP = bytes(range(256)) * 4


@dataclass
class Rights:
    """Hold what the user may do."""

    dags: set[str] = field(default_factory=lambda: {"clips", "other"})
    may_read_xcoms: bool = True


@dataclass
class Gallery:
    """Hold the client of a user, and the database and folder that it reads."""

    client: TestClient
    rights: Rights
    folder: Path
    _count: int = 0
    _runs: dict[tuple[str, str], int] = field(default_factory=dict)

    def add(self, **given: Any) -> dict[str, Any]:
        """Add a record as a task pushes it, at some ids; each is a minute younger than the one before."""
        self._count += 1
        ids = {"dag": "clips", "run": "run", "task": "make", "map_index": -1, "key": KEY}
        record = {name: value for name, value in given.items() if name not in ids}
        ids |= {name: value for name, value in given.items() if name in ids}
        told = {"version": 1, "state": "archived", "request_id": f"id{self._count}", "prompt": f"clip {self._count}"}
        value = told | record
        with create_session() as session:
            session.execute(text("PRAGMA foreign_keys=OFF"))
            row = {"dag_id": ids["dag"], "run_id": ids["run"], "task_id": ids["task"], "map_index": ids["map_index"]}
            row |= {"dag_run_id": self._run(session, str(ids["dag"]), str(ids["run"])), "key": ids["key"]}
            row |= {"value": record.get("raw", value), "timestamp": NOON + timedelta(minutes=self._count)}
            insert_xcom(session, row)
        return value

    def _run(self, session: Any, dag: str, run: str) -> int:
        if (dag, run) not in self._runs:
            self._runs[dag, run] = number = len(self._runs) + 1
            row = {"id": number, "dag_id": dag, "run_id": run, "state": "running", "run_type": "manual"}
            row |= {"run_after": NOON, "triggered_by": "TEST", "clear_number": 0, "span_status": "NOT_STARTED"}
            row |= {"updated_at": NOON}
            known = {name: value for name, value in row.items() if name in DagRun.__table__.c}
            session.execute(insert(DagRun.__table__).values(**known))
        return self._runs[dag, run]

    def add_video(self, name: str = "clip.mp4", *, dag: str = "clips", data: bytes = CLIP, **record: Any) -> Path:
        """Add the record of a video that is archived, and its file and manifest."""
        path = self.folder / name
        path.write_bytes(data)
        facts = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest(), "path": str(path)}
        told = self.add(dag=dag, **facts, **record)
        manifest = {**told, **facts, "dag_id": dag, "content_type": "video/mp4"}
        path.with_name(f"{name}.json").write_text(json.dumps(manifest))
        return path

    def get(self, route: str, **options: Any) -> Any:
        return self.client.get(f"{PREFIX}/{route}", **options)

    def ids(self, query: str = "") -> list[str]:
        answer = self.get(f"videos?{query}")
        assert answer.status_code == 200, answer.text
        return [video["record"]["request_id"] for video in answer.json()["videos"]]


@pytest.fixture
def rights(monkeypatch: pytest.MonkeyPatch) -> Rights:
    rights = Rights()

    def may(self: Any, *, method: str, user: Any, access_entity: Any = None, details: Any = None) -> bool:
        if access_entity is DagAccessEntity.XCOM and not rights.may_read_xcoms:
            return False
        return details is None or details.id is None or details.id in rights.dags

    monkeypatch.setattr(SimpleAuthManager, "is_authorized_dag", may)
    monkeypatch.setattr(SimpleAuthManager, "get_authorized_dag_ids", lambda self, **_: set(rights.dags))
    return rights


@pytest.fixture
def anonymous(airflow_db: None) -> Iterator[TestClient]:
    """Return a client without a login."""
    if not has_react_apps():
        pytest.skip("Airflow 3.0 has no place for a page of a provider's")
    init_auth_manager()
    app = FastAPI()
    app.mount(PREFIX, routes.app)
    app.mount(STATIC_PREFIX, static)
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def gallery(anonymous: TestClient, rights: Rights, tmp_path: Path) -> Iterator[Gallery]:
    user = SimpleAuthManagerUser(username="ann", role="user")
    token = init_auth_manager().generate_jwt(user)
    anonymous.cookies.set("_token", token)
    # Other tests of this process have run DAGs in the same database.
    empty()
    yield Gallery(anonymous, rights, tmp_path)
    empty()


def empty() -> None:
    with create_session() as session:
        session.execute(text("PRAGMA foreign_keys=OFF"))
        delete_xcoms(session)
        session.execute(delete(DagRun.__table__))
