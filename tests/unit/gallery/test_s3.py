"""A video in S3, from the task that archives it to the bytes that a browser plays; and a store that is away."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

import pytest

from airflow_provider_siliconflow.client.video_record import KEY
from airflow_provider_siliconflow.sandbox.server import Sandbox
from tests.system.processes import free_port
from tests.unit.archive.moto_s3 import NEEDS_MOTO, new_bucket, s3_server
from tests.unit.gallery.conftest import Gallery
from tests.unit.operators.tasks import generating, run_to_end

pytestmark = NEEDS_MOTO


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Run a server that plays S3, with a connection to it, and give the name of a bucket."""
    with s3_server() as client:
        extra = {"endpoint_url": client.endpoint_url, "region_name": "us-east-1"}
        connection = {"conn_type": "aws", "login": "key", "password": "secret", "extra": extra}
        monkeypatch.setenv("AIRFLOW_CONN_STORE", json.dumps(connection))
        yield new_bucket(client)


def test_a_video_in_s3_is_archived_listed_played_and_sought(
    gallery: Gallery, bucket: str, sandbox: Sandbox, first_poll_at_once: None
) -> None:
    run = generating(f"s3://store@{bucket}/clips/")
    assert run_to_end(run, sandbox).state == "success"
    told = run.xcoms[KEY]
    gallery.rights.dags = {"a_dag"}
    gallery.add(dag="a_dag", task="video", raw=told)

    (video,) = gallery.get("videos").json()["videos"]
    assert video["record"]["path"] == f"s3://store@{bucket}/clips/{told['request_id']}.mp4"
    whole = gallery.get("file/a_dag/run/video/-1")
    assert whole.status_code == 200
    assert hashlib.sha256(whole.content).hexdigest() == sandbox.ledger().jobs[0]["sha256"]
    part = gallery.get("file/a_dag/run/video/-1", headers={"Range": "bytes=100-199"})
    assert (part.status_code, part.content) == (206, whole.content[100:200])
    assert part.headers["content-range"] == f"bytes 100-199/{len(whole.content)}"
    head = gallery.client.head("/siliconflow/file/a_dag/run/video/-1")
    assert (head.headers["content-length"], head.content) == (str(len(whole.content)), b"")
    poster = gallery.get("poster/a_dag/run/video/-1")
    assert (poster.status_code, poster.headers["content-type"]) == (200, "image/jpeg")


def test_a_store_that_is_away_says_so_and_the_other_videos_play(
    gallery: Gallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    extra: dict[str, Any] = {"endpoint_url": f"http://127.0.0.1:{free_port()}", "region_name": "us-east-1"}
    extra["config_kwargs"] = {"retries": {"max_attempts": 1}}
    connection = {"conn_type": "aws", "login": "key", "password": "secret", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_AWAY", json.dumps(connection))
    gallery.add_video(task="here")
    gallery.add(task="away", path="s3://away@bucket/clip.mp4", bytes=5)
    assert len(gallery.ids()) == 2
    answer = gallery.get("file/clips/run/away/-1")
    assert answer.status_code == 503
    assert "The API server cannot read s3://away@bucket/clip.mp4" in answer.json()["detail"]
    assert "secret" not in answer.text
    assert gallery.get("file/clips/run/here/-1").status_code == 200
