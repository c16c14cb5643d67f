"""Of the tasks of one machine, one at a time tells of an asset that Airflow may not know yet."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_provider_siliconflow.jobs import first_event
from airflow_provider_siliconflow.sandbox.server import Sandbox
from tests.conftest import ROOT
from tests.unit.operators.tasks import generating, run_to_end

#: Takes its turn and ends once it is told to, with a success or without; notes each step in one file for all.
_TASK = """
import os, sys
from airflow_provider_siliconflow.jobs import first_event

def note(step):
    with open(os.environ["STEPS"], "a") as steps:
        steps.write(f"{sys.argv[1]} {step}\\n")
    print(step, flush=True)

note("waits")
first_event.wait_for_turns(["videos"])
note("has its turn")
how = sys.stdin.readline()
note("ends")
if how == "success\\n":
    first_event.tell_known()
"""


class Task:
    """A task in a process of its own, which waits by now."""

    def __init__(self, name: str, temp: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _TASK, name],
            cwd=ROOT,
            env={"TMPDIR": str(temp), "STEPS": str(temp / "steps")},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.says() == "waits"

    def says(self) -> str:
        assert self._process.stdout
        return self._process.stdout.readline().strip()

    def end(self, how: str) -> None:
        self._process.communicate(f"{how}\n", timeout=60)
        assert self._process.returncode == 0


@pytest.fixture(autouse=True)
def none_is_held() -> Iterator[None]:
    yield
    assert not first_event._held  # noqa: SLF001


def test_a_task_waits_for_the_end_of_the_one_before(tmp_path: Path) -> None:
    first = Task("first", tmp_path)
    assert first.says() == "has its turn"
    second = Task("second", tmp_path)
    first.end("failure")
    assert second.says() == "has its turn"
    third = Task("third", tmp_path)
    second.end("success")
    assert third.says() == "has its turn"
    steps = (tmp_path / "steps").read_text().splitlines()
    turns = [step for step in steps if "waits" not in step]
    assert turns == ["first has its turn", "first ends", "second has its turn", "second ends", "third has its turn"]
    # Airflow knows the asset now: two at once need no turns.
    fourth = Task("fourth", tmp_path)
    assert fourth.says() == "has its turn"
    third.end("success")
    fourth.end("success")


def test_patience_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(first_event, "_PATIENCE", 0.0)
    other = Task("other", tmp_path)
    assert other.says() == "has its turn"
    first_event.wait_for_turns(["videos"])
    other.end("failure")


def test_a_task_that_succeeds_tells_that_its_asset_is_known(
    sandbox: Sandbox, clip: Path, tmp_path: Path, first_poll_at_once: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert run_to_end(generating(clip), sandbox).state == "success"
    (path,) = (tmp_path / f"siliconflow-assets-{os.getuid()}").iterdir()
    assert path.read_bytes() == b"known"


def test_a_task_that_can_take_no_turn_succeeds_all_the_same(
    sandbox: Sandbox, clip: Path, tmp_path: Path, first_poll_at_once: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (tmp_path / f"siliconflow-assets-{os.getuid()}").touch()
    assert run_to_end(generating(clip), sandbox).state == "success"
    assert clip.exists()
