"""A worker that forks after a video was read, as OpenLineage's listener does, must be able to free what read it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from airflow_provider_siliconflow.sandbox.render import Scene, render
from tests.conftest import ROOT

_FORKS = """
import gc, os, sys, time
from pathlib import Path
from airflow_provider_siliconflow.archive.poster import poster_of
from airflow_provider_siliconflow.label import VideoLabel
from airflow_provider_siliconflow.label.apply import Labeller

gc.disable()
source = Path(sys.argv[1])
labeller = Labeller(VideoLabel(content_producer="a", visible={"text": "AI"}))
match sys.argv[2]:
    case "poster":
        assert poster_of(source).jpeg
    case "label":
        labeller.apply(source, source.with_name("labelled.mp4"), request_id="a", model="b")
    case "check":
        labeller.check()
child = os.fork()
if child == 0:
    gc.collect()
    os._exit(0)
os.waitpid(child, 0)
"""


@pytest.mark.parametrize("what", ["poster", "label", "check"])
def test_a_forked_process_frees_what_read_a_video(what: str, tmp_path: Path) -> None:
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(render(Scene("a fox", "720x1280", 1, frames=8)))
    # A child that waits for threads which it does not have never ends.
    done = subprocess.run([sys.executable, "-c", _FORKS, str(clip), what], cwd=ROOT, timeout=60, check=False)
    assert done.returncode == 0
