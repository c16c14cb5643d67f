"""A whole Airflow and the sandbox on this machine: every part its own process, on loopback, gone in the end."""

from __future__ import annotations

import base64
import secrets
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import requests

from tests.system.environment import USER, environment_of
from tests.system.processes import Part, ReaperProcess, free_port, wait_until
from tests.system.rest import AirflowApi, TaskInstance
from tests.system.services import Postgres, Redis, account


class StackFailedError(Exception):
    """Raised when a part of the stack ended, or does not work."""


@dataclass(frozen=True)
class StackSettings:
    """
    Settings of a stack.

    :param dags: Folder with the DAG files.
    :param executor: Airflow's executor. Celery brings a Redis along, and needs workers and PostgreSQL.
    :param database: Made for this stack, and ends with it.
    :param workers: How many Celery workers.
    :param triggerers: How many triggerers.
    :param parallelism: How many tasks run at the same time; each takes about two CPU seconds to start.
    :param preload: Whether a task finds loaded what it needs, which saves part of that.
    :param env: More environment for all parts of Airflow.
    :param connection: What the connection to the sandbox says beside host and key.
    :param sandbox: More arguments of the sandbox's command line.
    """

    dags: Path
    executor: Literal["LocalExecutor", "CeleryExecutor"] = "LocalExecutor"
    database: Literal["sqlite", "postgres"] = "sqlite"
    workers: int = 0
    triggerers: int = 1
    parallelism: int = 4
    preload: bool = False
    env: Mapping[str, str] = field(default_factory=dict)
    connection: Mapping[str, Any] = field(default_factory=dict)
    sandbox: tuple[str, ...] = ()


class Stack:
    """
    The parts by name, the clients of Airflow's API and of the sandbox.

    Use :func:`running`; parts may be killed and started again at will meanwhile (``expect_dead`` says which).

    :param home: Folder for everything that the stack writes.
    """

    def __init__(self, settings: StackSettings, home: Path, reaper: ReaperProcess) -> None:
        self.settings = settings
        self.home = home
        self.password = secrets.token_urlsafe(9)
        self.sandbox_url = f"http://127.0.0.1:{free_port()}"
        self.api = AirflowApi(f"http://127.0.0.1:{free_port()}", USER, self.password)
        self.fernet_key = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
        self.expect_dead: set[str] = set()
        #: Whether parts that end are started again, as an init system would do; answers may then fail meanwhile.
        self.supervised = False
        self.postgres = Postgres(home) if settings.database == "postgres" else None
        self.redis = Redis(home) if settings.executor == "CeleryExecutor" else None
        self._reaper = reaper
        self._env = environment_of(self)
        self.parts: dict[str, Part] = {}
        self._add_parts()

    def _add_parts(self) -> None:
        for service in self._services():
            self._add(service.name, *service.argv, user=service.user)
        port = self.sandbox_url.rpartition(":")[2]
        python = (sys.executable, "-m")
        self._add("sandbox", *python, "airflow_provider_siliconflow.sandbox", "--port", port, *self.settings.sandbox)
        airflow = (*python, "airflow")
        runs_tasks = (*python, "tests.system.preloaded") if self.settings.preload else airflow
        self._add("migrate", *airflow, "db", "migrate")
        self._add("api-server", *airflow, "api-server", "--port", self.api.url.rpartition(":")[2])
        self._add("scheduler", *runs_tasks, "scheduler", "--skip-serve-logs")
        self._add("dag-processor", *airflow, "dag-processor")
        for number in range(1, self.settings.triggerers + 1):
            self._add(f"triggerer-{number}", *airflow, "triggerer", "--skip-serve-logs")
        for number in range(1, self.settings.workers + 1):
            name = f"worker-{number}"
            self._add(name, *runs_tasks, "celery", "worker", "--skip-serve-logs", "--celery-hostname", f"{name}@%h")

    def add_part(self, name: str, *argv: str) -> Part:
        """
        Add a part of the caller's, without starting it.

        :param argv: A Python module and its arguments.
        """
        self._add(name, sys.executable, "-m", *argv)
        return self.parts[name]

    def _add(self, name: str, *argv: str, user: str | None = None) -> None:
        log = self.home / f"{name}.log"
        self.parts[name] = Part(name, argv, env=self._env, log=log, reaper=self._reaper, account=account(user))

    def _services(self) -> list[Postgres | Redis]:
        return [service for service in (self.postgres, self.redis) if service]

    def start(self) -> None:
        """
        Start everything and wait until Airflow's own health check finds nothing missing.

        :raises StackFailedError: if a part ends, with the tail of its log.
        """
        started = {"sandbox"}
        for service in self._services():
            service.create()
            self.parts[service.name].start()
            wait_until(service.name, service.ready, seconds=30)
            started.add(service.name)
        self.parts["sandbox"].start()
        migrate = self.parts.pop("migrate")
        migrate.start()
        wait_until("the database", lambda: migrate.exit_code is not None, seconds=120)
        if migrate.exit_code:
            raise StackFailedError(f"airflow db migrate failed:\n{migrate.tail()}")
        for name, part in self.parts.items():
            if name not in started:
                part.start()
        self.wait_until("all parts of Airflow", lambda: not self.api.unhealthy(), seconds=300)
        self.wait_until("the sandbox", self._sandbox_answers, seconds=30)

    def stop(self) -> None:
        """End the services in order, for a server that is killed leaves shared memory behind."""
        for service in self._services():
            part = self.parts[service.name]
            if part.running:
                part.kill(signal.SIGQUIT if service is self.postgres else signal.SIGTERM)
                part.wait(10)

    def check(self) -> None:
        """
        Check that every part runs.

        :raises StackFailedError: if one does not, and is not to be started again.
        """
        for name, part in self.parts.items():
            if name in self.expect_dead or part.exit_code is None:
                continue
            if not self.supervised:
                raise StackFailedError(f"{name} ended with {part.exit_code}; its log ends:\n{part.tail()}")
            part.start()

    def wait_until(self, what: str, condition: Callable[[], bool], *, seconds: float) -> None:
        """Wait until a condition is true, and no longer than every part lives."""

        def holds() -> bool:
            with suppress(*([requests.RequestException] if self.supervised else [])):
                return condition()
            return False

        wait_until(what, holds, seconds=seconds, check=self.check)

    def sandbox(self, route: str, method: str = "GET", json: Any = None) -> Any:
        """Return what the sandbox answers at ``/sandbox/<route>``."""
        with requests.Session() as http:
            http.trust_env = False
            answer = http.request(method, f"{self.sandbox_url}/sandbox/{route}", json=json, timeout=10)
            answer.raise_for_status()
            return answer.json()

    def _sandbox_answers(self) -> bool:
        with suppress(requests.ConnectionError):
            self.sandbox("jobs")
            return True
        return False

    def explain(self, dag_id: str, run_id: str) -> str:
        """Return the logs of the run's tasks that did not succeed."""
        return "\n".join(
            f"--- {task.name}: {task.state}\n{self._task_log(dag_id, run_id, task)}"
            for task in self.api.task_instances(dag_id, run_id)
            if task.state not in ("success", "skipped", "upstream_failed", None)
        )

    def _task_log(self, dag_id: str, run_id: str, task: TaskInstance) -> str:
        try:
            return self.api.task_log(dag_id, run_id, task)
        except requests.RequestException as error:
            return f"(no log: {error})"


@contextmanager
def running(settings: StackSettings) -> Iterator[Stack]:
    """
    Start a stack; when the block ends, or this process, by whatever, nothing of it is left.

    A failure inside prints the ends of all logs.
    """
    home = Path(tempfile.mkdtemp(prefix="siliconflow-airflow-"))
    with ReaperProcess(home) as reaper:
        stack = Stack(settings, home, reaper)
        try:
            stack.start()
            yield stack
        except Exception:
            for part in stack.parts.values():
                print(f"=== {part.name}\n{part.tail(15)}", file=sys.stderr)
            raise
        finally:
            stack.stop()
