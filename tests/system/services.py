"""PostgreSQL and Redis of our own, from Debian's packages: own data, free ports, on loopback."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
from pathlib import Path
from typing import Any

from tests.system.processes import free_port

#: PostgreSQL refuses to run as root; this account comes with its package.
_POSTGRES_ACCOUNT = "postgres"


class Postgres:
    """
    Describe how to run a PostgreSQL server.

    :param home: Folder for its data.
    """

    name = "postgres"

    def __init__(self, home: Path) -> None:
        self._data = home / "postgres"
        self._port = free_port()
        self._programs = _newest_programs()
        self.user = _POSTGRES_ACCOUNT if os.geteuid() == 0 else None
        self.url = f"postgresql+psycopg2://airflow@127.0.0.1:{self._port}/postgres"
        self.argv = [
            *(str(self._programs / "postgres"), "-D", str(self._data), "-p", str(self._port)),
            *("-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "max_connections=200"),
            # What is killed here is the server, never the machine, so a restart finds all that was committed.
            *("-c", "fsync=off"),
        ]

    def create(self) -> None:
        """Make an empty database cluster."""
        self._data.mkdir(mode=0o700)
        if self.user:
            # The account must be able to walk to its data.
            self._data.parent.chmod(0o711)
            shutil.chown(self._data, self.user)
        command = [str(self._programs / "initdb"), "-D", str(self._data), "-U", "airflow"]
        command += ["--auth=trust", "--no-sync", "-E", "UTF8", "--locale=C.UTF-8"]
        subprocess.run(command, check=True, capture_output=True, **account(self.user))

    def ready(self) -> bool:
        """Return whether it takes connections."""
        command = [str(self._programs / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self._port), "-U", "airflow"]
        return subprocess.run(command, check=False).returncode == 0

    def dump(self) -> str:
        """Return everything that the database holds, as SQL."""
        command = [str(self._programs / "pg_dump"), "--data-only", "-h", "127.0.0.1", "-p", str(self._port)]
        command += ["-U", "airflow", "postgres"]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout


class Redis:
    """
    Describe how to run a Redis server that keeps nothing.

    :param home: Its working folder.
    """

    name = "redis"
    user = None

    def __init__(self, home: Path) -> None:
        self._port = free_port()
        self.url = f"redis://127.0.0.1:{self._port}/0"
        self.argv = [
            *("redis-server", "--port", str(self._port), "--bind", "127.0.0.1"),
            *("--save", "", "--dir", str(home)),
        ]

    def create(self) -> None:
        """Do nothing: it starts empty."""

    def ready(self) -> bool:
        """Return whether it takes connections."""
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self._port)) == 0


def account(user: str | None) -> dict[str, Any]:
    """Return the arguments with which :mod:`subprocess` runs something as another user; None is this one."""
    if user is None:
        return {}
    entry = pwd.getpwnam(user)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def _newest_programs() -> Path:
    """Return the folder of the server's programs, which Debian keeps off the path."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    if not found:
        raise FileNotFoundError("PostgreSQL's server is missing; on Debian: apt-get install postgresql")
    return found[-1].parent
