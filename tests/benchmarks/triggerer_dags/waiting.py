"""Sensors that wait for videos which were submitted before the run."""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, task

from airflow_provider_siliconflow.sensors.video import VideoReadySensor

with DAG("waiting", schedule=None):

    @task
    def submitted(**context: Any) -> list[str]:
        """Return the ids that the run was given."""
        ids: list[str] = context["dag_run"].conf["request_ids"]
        return ids

    ids: Any = submitted()
    VideoReadySensor.partial(task_id="ready", deferrable=True, timeout=6 * 3600).expand(request_id=ids)
