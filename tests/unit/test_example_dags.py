"""Every example runs as it stands, against the sandbox."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_provider_siliconflow.sandbox.server import Sandbox
from airflow_provider_siliconflow.sandbox.settings import Settings
from tests.conftest import ROOT
from tests.system.demo_config.airflow_local_settings import task_policy

EXAMPLES = sorted((ROOT / "example_dags").glob("*.py"))


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
        *(pytest.param(example, AT_ONCE, id=example.stem) for example in EXAMPLES),
        pytest.param(ROOT / "example_dags/example_text_to_video.py", SOON, id="deferred"),
    ],
    indirect=["sandbox"],
)
def test_example_archives_every_video_it_submits(
    example: Path, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.releases import DagBag

    monkeypatch.setenv("SILICONFLOW_ARCHIVE", tmp_path.as_uri())
    monkeypatch.setattr("airflow_provider_siliconflow.triggers.base.MIN_DEFERRAL_SECONDS", 2.0)
    bag = DagBag(example, bundle_name="dags-folder", bundle_path=example.parent)
    assert not bag.import_errors
    (dag,) = bag.dags.values()
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
        assert manifest["sha256"] == job["sha256"]
        assert manifest["prompt"] == job["prompt"]
        assert "Signature" not in json.dumps(manifest)


def test_examples_open_with_three_lines_on_what_they_show() -> None:
    for example in EXAMPLES:
        docstring = example.read_text().split('"""')[1].strip()
        assert len(docstring.splitlines()) == 3, example.name
        assert docstring.startswith("Shows "), example.name
