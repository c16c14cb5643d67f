"""Processes that never outlive the one that started them, whatever ends it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import psutil

ROOT = Path(__file__).resolve().parents[2]


class WaitTimeoutError(Exception):
    """Raised when a condition did not become true in time."""


def wait_until(
    what: str, condition: Callable[[], bool], *, seconds: float, check: Callable[[], None] | None = None
) -> None:
    """
    Wait until a condition is true.

    :param what: What is waited for, for the error.
    :param check: Called before each check; what it raises ends the wait.
    :raises WaitTimeoutError: after ``seconds``.
    """
    deadline = time.monotonic() + seconds
    while True:
        if check:
            check()
        if condition():
            return
        if time.monotonic() > deadline:
            raise WaitTimeoutError(f"Waited {seconds:.0f} s without success for {what}.")
        time.sleep(0.2)


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def session_members(sessions: Sequence[int]) -> list[int]:
    """
    Return the ids of the living processes of these sessions, zombies left out.

    Airflow puts children into process groups of their own, so a group does not tell what a part has started.
    """
    members = []
    for process in psutil.process_iter(["status"]):
        with suppress(OSError):
            if process.info["status"] != psutil.STATUS_ZOMBIE and os.getsid(process.pid) in sessions:
                members.append(process.pid)
    return members


def kill_sessions(sessions: Sequence[int]) -> None:
    """SIGKILL everything in these sessions, and what it forks meanwhile; 10 s at most."""
    for _ in range(100):
        members = session_members(sessions)
        if not members:
            return
        for pid in members:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.1)
    raise WaitTimeoutError(f"Processes {members} survive SIGKILL.")


class ReaperProcess:
    """
    A process beside this one that cleans up when this one ends, however it ends.

    :param home: Folder to remove in the end.
    """

    def __init__(self, home: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.system.reaper", str(home)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def __enter__(self) -> Self:
        return self

    def watch(self, session: int) -> None:
        """Have a session killed in the end."""
        assert self._process.stdin
        self._process.stdin.write(f"{session}\n")
        self._process.stdin.flush()

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait(30)


class Part:
    """
    One part of the stack: a process and all it starts, in a session of their own.

    :param name: Names it in messages and its log file.
    :param argv: Command; a leading ``python -m`` is up to the caller.
    :param log: File that gets its output, over all its lives.
    :param account: What :class:`subprocess.Popen` needs to run it as another user.
    """

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        log: Path,
        reaper: ReaperProcess,
        account: Mapping[str, Any],
    ) -> None:
        self.name = name
        self.log = log
        self._account = account
        self._argv = argv
        self._env = env
        self._reaper = reaper
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, again if it has ended."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._argv,
                cwd=ROOT,
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **self._account,
            )
        self._reaper.watch(self._process.pid)

    @property
    def pid(self) -> int:
        """Id of its first process, which is the id of its session too."""
        assert self._process, f"{self.name} was never started"
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """How its first process ended; None while it runs."""
        assert self._process, f"{self.name} was never started"
        return self._process.poll()

    @property
    def running(self) -> bool:
        """Whether its first process was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    def kill(self, sig: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal to its first process; SIGKILL goes to all it started, and returns when they are gone."""
        if sig == signal.SIGKILL:
            kill_sessions([self.pid])
            self.wait(10)
        else:
            os.kill(self.pid, sig)

    def wait(self, seconds: float) -> int:
        """Wait for its first process to end and return the exit code."""
        assert self._process, f"{self.name} was never started"
        return self._process.wait(seconds)

    def tail(self, lines: int = 40) -> str:
        """Return the end of its log."""
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
