"""A thin client of Airflow's REST API."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import requests


@dataclass(frozen=True)
class TaskInstance:
    """One task instance, as far as the tests care."""

    task_id: str
    map_index: int
    state: str | None
    try_number: int
    duration: float | None

    @property
    def name(self) -> str:
        """Task and map index, as people write them."""
        return self.task_id if self.map_index < 0 else f"{self.task_id}[{self.map_index}]"


class AirflowApi:
    """
    Talk to an API server.

    :param url: Its address, without a path.
    """

    def __init__(self, url: str, user: str, password: str) -> None:
        self.url = url
        self._login = {"username": user, "password": password}
        self._http = requests.Session()
        self._http.trust_env = False

    def call(self, method: str, path: str, **json: Any) -> Any:
        """
        Call ``/api/v2/<path>`` and return the decoded answer.

        :raises requests.HTTPError: if it is not 2xx.
        """
        if "Authorization" not in self._http.headers:
            answer = self._http.post(f"{self.url}/auth/token", json=self._login, timeout=30)
            answer.raise_for_status()
            self._http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        answer = self._http.request(method, f"{self.url}/api/v2/{path}", json=json or None, timeout=30)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def unhealthy(self) -> list[str]:
        """Return the names of the parts that the server does not see alive; all of them if it does not answer."""
        try:
            answer = self._http.get(f"{self.url}/api/v2/monitor/health", timeout=5)
            answer.raise_for_status()
            parts = answer.json()
        except (requests.RequestException, ValueError):
            return ["api-server"]
        return [name for name, part in parts.items() if part and part.get("status") != "healthy"]

    def import_errors(self) -> list[str]:
        """Return the traces of DAG files that cannot be parsed."""
        return [error["stack_trace"] for error in self.call("GET", "importErrors")["import_errors"]]

    def knows_dag(self, dag_id: str) -> bool:
        """Return whether the DAG is parsed."""
        return any(dag["dag_id"] == dag_id for dag in self.call("GET", "dags?limit=100")["dags"])

    def trigger(self, dag_id: str, conf: dict[str, Any] | None = None) -> str:
        """Unpause a DAG, start a run of it and return the run's id."""
        self.call("PATCH", f"dags/{dag_id}", is_paused=False)
        run = self.call("POST", f"dags/{dag_id}/dagRuns", logical_date=None, conf=conf or {})
        return str(run["dag_run_id"])

    def run_state(self, dag_id: str, run_id: str) -> str:
        """Return ``queued``, ``running``, ``success`` or ``failed``."""
        return str(self.call("GET", f"dags/{dag_id}/dagRuns/{run_id}")["state"])

    def task_instances(self, dag_id: str, run_id: str) -> list[TaskInstance]:
        """Return all task instances of a run."""
        found: list[TaskInstance] = []
        total = 1
        while len(found) < total:
            page = self.call("GET", f"dags/{dag_id}/dagRuns/{run_id}/taskInstances?limit=100&offset={len(found)}")
            total = page["total_entries"]
            if not page["task_instances"]:
                break
            found += [
                TaskInstance(**{name: item[name] for name in TaskInstance.__dataclass_fields__})
                for item in page["task_instances"]
            ]
        return found

    def count(self, dag_id: str, run_id: str, state: str) -> int:
        """Return how many task instances of a run are in a state."""
        query = f"taskInstances?state={state}&limit=1"
        return int(self.call("GET", f"dags/{dag_id}/dagRuns/{run_id}/{query}")["total_entries"])

    def clear(self, dag_id: str, run_id: str, tasks: Sequence[TaskInstance]) -> None:
        """Clear some task instances, as a user does who wants them done again."""
        chosen = [task.task_id if task.map_index < 0 else [task.task_id, task.map_index] for task in tasks]
        wish = {"dag_run_id": run_id, "task_ids": chosen, "dry_run": False, "only_failed": False}
        self.call("POST", f"dags/{dag_id}/clearTaskInstances", **wish)

    def xcom(self, dag_id: str, run_id: str, task_id: str, *, key: str = "return_value", map_index: int = -1) -> Any:
        """Return the value of one XCom."""
        path = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/xcomEntries/{key}"
        return self.call("GET", f"{path}?map_index={map_index}")["value"]

    def task_log(self, dag_id: str, run_id: str, task: TaskInstance, try_number: int | None = None) -> str:
        """Return the log of one try of a task, by default the last, one event a line."""
        return "\n".join(map(_line, self.log_events(dag_id, run_id, task, try_number or task.try_number)))

    def log_events(self, dag_id: str, run_id: str, task: TaskInstance, try_number: int) -> list[Any]:
        """Return the events of the log of one try of a task; an event is a mapping, or a text."""
        path = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task.task_id}/logs/{try_number}"
        events: list[Any] = self.call("GET", f"{path}?map_index={task.map_index}&full_content=true")["content"]
        return events


def _line(event: Any) -> str:
    if not isinstance(event, dict):
        return str(event)
    more = {key: value for key, value in event.items() if key not in ("timestamp", "event", "level", "logger")}
    return f"{event.get('timestamp') or '':.19} {event.get('level') or '':8.8} {event.get('event')} {more or ''}"
