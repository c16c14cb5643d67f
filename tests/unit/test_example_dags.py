"""Every example runs as it stands, against the sandbox."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_siliconflow.sandbox.server import Sandbox
from airflow_provider_siliconflow.sandbox.settings import Settings
from tests.conftest import ROOT
from tests.system.demo_config.airflow_local_settings import task_policy
from tests.unit.worker import NOW, TaskRun

EXAMPLES = sorted((ROOT / "example_dags").glob("*.py"))
#: Runs on what others have made.
PUBLISHES = ROOT / "example_dags/example_publish_when_archived.py"

#: Ready before the first poll, or while the trigger waits: 0.2 to 1.8 s.
AT_ONCE, SOON = 1e9, 300.0


@pytest.fixture
def sandbox(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """Run a sandbox of the speed that the parameter says, and point the default connection at it."""
    with Sandbox(Settings(speed=request.param, tiny=True)) as sandbox:
        connection = {"conn_type": "siliconflow", "password": sandbox.key, "host": sandbox.base_url}
        monkeypatch.setenv("AIRFLOW_CONN_SILICONFLOW_DEFAULT", json.dumps(connection))
        yield sandbox


@pytest.mark.usefixtures("airflow_db")
@pytest.mark.parametrize(
    ("example", "sandbox"),
    [
        *(pytest.param(example, AT_ONCE, id=example.stem) for example in EXAMPLES if example != PUBLISHES),
        pytest.param(ROOT / "example_dags/example_text_to_video.py", SOON, id="deferred"),
    ],
    indirect=["sandbox"],
)
def test_example_archives_every_video_it_submits(
    example: Path, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.releases import dag_of

    monkeypatch.setenv("SILICONFLOW_ARCHIVE", tmp_path.as_uri())
    monkeypatch.setattr("airflow_provider_siliconflow.triggers.base.MIN_DEFERRAL_SECONDS", 2.0)
    dag = dag_of(example)
    for task in dag.tasks:
        task_policy(task)

    run = dag.test()

    assert run.state == "success"
    ledger = sandbox.ledger()
    videos = sorted(tmp_path.rglob("*.mp4"))
    assert ledger.billed == ledger.fetched == len(videos) > 0
    assert ledger.key_leaks == 0
    assert {video.stem for video in videos} == {job["request_id"] for job in ledger.jobs}
    for job in ledger.jobs:
        manifest = json.loads(next(tmp_path.rglob(f"{job['request_id']}.mp4.json")).read_text())
        # Of a labelled video the published file is another one than the service made.
        assert manifest.get("vendor_sha256", manifest["sha256"]) == job["sha256"]
        assert manifest["prompt"] == job["prompt"]
        assert "Signature" not in json.dumps(manifest)


def event(request_id: str, path: Path | str) -> dict[str, Any]:
    """Return the event of an archived video, as Airflow's API tells it."""
    return {
        "id": 1,
        "asset": {"name": "videos", "uri": "videos", "group": "asset", "extra": {}},
        "extra": {"request_id": request_id, "path": str(path), "bytes": 5},
        "created_dagruns": [],
        "timestamp": NOW,
    }


@pytest.mark.usefixtures("airflow_db")
def test_the_example_that_publishes_copies_each_new_video_once_and_no_other_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.releases import dag_of

    archive, public = tmp_path / "archive", tmp_path / "public"
    monkeypatch.setenv("SILICONFLOW_ARCHIVE", archive.as_uri())
    monkeypatch.setenv("SILICONFLOW_PUBLIC", public.as_uri())
    (archive / "2026").mkdir(parents=True)
    for name in ("one", "other"):
        (archive / f"2026/{name}.mp4").write_bytes(b"bytes")
    (tmp_path / "secret").write_bytes(b"secret")
    forged: tuple[Path | str, ...] = (tmp_path / "secret", f"{archive.as_uri()}/../secret", "/etc/hostname")
    events = [
        event("one", f"{archive.as_uri()}/2026/one.mp4"),
        *(event(f"forged{number}", path) for number, path in enumerate(forged)),
        event("../../escaped", f"{archive.as_uri()}/2026/one.mp4"),
        event("unknown", "nosuchstore://somewhere"),
        event("removed", f"{archive.as_uri()}/2026/removed.mp4"),
        {**event("empty", "/"), "extra": {}},
        {**event("none", "/"), "extra": None},
        *(event("one", f"{archive.as_uri()}/2026/one.mp4") for _ in range(200)),
        event("other", f"{archive.as_uri()}/2026/other.mp4"),
    ]
    (task,) = dag_of(PUBLISHES).tasks

    for known, published in ((events[:1], ["one"]), (events, ["other"]), (events, [])):
        run = TaskRun(task, events=known)
        report = run.work()
        assert report.state == "success", report.error
        assert run.xcoms["return_value"] == [f"{public.as_uri()}/{name}.mp4" for name in published]
    assert sorted(path.name for path in tmp_path.rglob("*.mp4")) == ["one.mp4", "one.mp4", "other.mp4", "other.mp4"]

    # What a kill in the middle of a copy left.
    (public / "one.mp4").write_bytes(b"by")
    assert TaskRun(task, events=events).work().state == "success"
    assert (public / "one.mp4").read_bytes() == b"bytes"


def test_examples_open_with_three_lines_on_what_they_show() -> None:
    for example in EXAMPLES:
        docstring = example.read_text().split('"""')[1].strip()
        assert len(docstring.splitlines()) == 3, example.name
        assert docstring.startswith("Shows "), example.name
