"""The main job, as `make demo` runs it: three prompts become three whole videos, paid once each."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import pytest

from tests.system.demo import demo_settings
from tests.system.example_run import ArchivedVideo, ExampleRun
from tests.system.listening import open_to_others
from tests.system.processes import ROOT, session_members, wait_until
from tests.system.stack import Stack, running

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder that the videos go to."""
    return tmp_path_factory.mktemp("archive")


@pytest.fixture(scope="module")
def stack(archive: Path) -> Iterator[Stack]:
    """Run the demo's stack."""
    with running(demo_settings(archive)) as stack:
        yield stack


@pytest.fixture(scope="module")
def videos(stack: Stack) -> list[ArchivedVideo]:
    """Run the mapped example to its end."""
    return ExampleRun(stack, print).run(seconds=600)


@pytest.fixture(scope="module")
def ledger(stack: Stack, videos: list[ArchivedVideo]) -> dict[str, Any]:
    """Return what the service billed and saw, once the run has ended."""
    found: dict[str, Any] = stack.sandbox("ledger")
    return found


def test_files_are_whole_videos(videos: list[ArchivedVideo]) -> None:
    assert len(videos) == 3
    for video in videos:
        with av.open(video.path) as container:
            (stream,) = container.streams.video
            assert stream.codec_context.name == "h264"
            assert (stream.width, stream.height) == (1280, 720)
            frames = sum(1 for _ in container.decode(stream))
            assert stream.average_rate
            assert 4.5 <= frames / stream.average_rate <= 5.5


def test_manifests_match_the_ledger(videos: list[ArchivedVideo], ledger: dict[str, Any]) -> None:
    rendered = {job["request_id"]: job["sha256"] for job in ledger["jobs"]}
    for video in videos:
        content = video.path.read_bytes()
        assert hashlib.sha256(content).hexdigest() == video.manifest["sha256"]
        assert rendered[video.manifest["request_id"]] == video.manifest["sha256"]
        assert video.manifest["bytes"] == len(content)
        assert video.manifest["prompt"] == video.prompt


def test_each_video_is_paid_once_and_fetched_without_the_key(ledger: dict[str, Any]) -> None:
    counts = {name: ledger[name] for name in ("submit_calls", "accepted", "billed", "finished", "fetched")}
    assert set(counts.values()) == {3}, counts
    assert ledger["key_leaks"] == 0


def test_archive_holds_the_videos_their_manifests_and_posters_alone(videos: list[ArchivedVideo], archive: Path) -> None:
    expected = {Path(f"{video.path}{suffix}") for video in videos for suffix in ("", ".json", ".jpg")}
    assert {path for path in archive.rglob("*") if path.is_file()} == expected


def test_nothing_listens_beyond_loopback(stack: Stack) -> None:
    pids = session_members([part.pid for part in stack.parts.values()])
    assert len(pids) >= len(stack.parts)
    assert open_to_others(pids) == []


@pytest.mark.parametrize("signal", ["TERM", "INT", "KILL"])
def test_nothing_is_left_when_the_driver_is_killed(signal: str, tmp_path: Path) -> None:
    """The driver prints what it started, and is killed before it could stop anything."""
    script = """
import signal, sys, time
from pathlib import Path
from tests.system.demo import demo_settings, _terminate
from tests.system.stack import running

signal.signal(signal.SIGTERM, _terminate)
# A shell that runs the tests in its background hands on an ignored SIGINT.
signal.signal(signal.SIGINT, signal.default_int_handler)
with running(demo_settings(Path(sys.argv[1]))) as stack:
    print(stack.home, *(part.pid for part in stack.parts.values()), flush=True)
    time.sleep(600)
"""
    driver = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert driver.stdout
    home, *pids = driver.stdout.readline().split()
    sessions = [int(pid) for pid in pids]
    assert len(session_members(sessions)) >= len(sessions) >= 5

    subprocess.run(["kill", f"-{signal}", str(driver.pid)], check=True)

    driver.wait(60)
    wait_until("the end of all parts", lambda: not session_members(sessions), seconds=30)
    wait_until("the end of the home", lambda: not Path(home).exists(), seconds=30)
