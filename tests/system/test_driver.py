"""A stack's driver may be killed by whatever: nothing of what it started is left."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from tests.system.processes import ROOT, session_members, wait_until

pytestmark = pytest.mark.system

_SIGNALS = ("TERM", "INT", "KILL")
#: Prints what it started as soon as all of it is started, and is killed before it could stop anything.
_DRIVER = """
import signal, sys, time
from pathlib import Path
from tests.system.demo import demo_settings, _terminate
from tests.system.stack import Stack, running

def started(stack, *_, **__):
    print(stack.home, *(part.pid for part in stack.parts.values()), flush=True)
    time.sleep(600)

signal.signal(signal.SIGTERM, _terminate)
# A shell that runs the tests in its background hands on an ignored SIGINT.
signal.signal(signal.SIGINT, signal.default_int_handler)
Stack.wait_until = started
with running(demo_settings(Path(sys.argv[1]))):
    pass
"""


def start_driver(archive: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", _DRIVER, str(archive)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )


def none_lives(sessions: list[int]) -> bool:
    return not session_members(sessions)


def is_gone(home: Path) -> bool:
    return not home.exists()


def test_nothing_is_left_when_the_driver_is_killed(tmp_path: Path) -> None:
    """Each is killed while its parts load; at rest, every other test ends a stack."""
    drivers = {signal: start_driver(tmp_path / signal) for signal in _SIGNALS}
    for signal, driver in drivers.items():
        assert driver.stdout
        home, *pids = driver.stdout.readline().split()
        sessions = [int(pid) for pid in pids]
        assert len(session_members(sessions)) >= len(sessions) >= 5

        subprocess.run(["kill", f"-{signal}", str(driver.pid)], check=True)

        driver.wait(60)
        wait_until(f"the end of all parts after SIG{signal}", partial(none_lives, sessions), seconds=60)
        wait_until(f"the end of the home after SIG{signal}", partial(is_gone, Path(home)), seconds=60)
