"""
The scenarios of ``tests/system/chaos.py``: each video in one task, in three, or in a batch, as the seed has it.
"""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, task, task_group

from airflow_provider_siliconflow.operators.batch import GenerateVideoBatchOperator
from airflow_provider_siliconflow.operators.video import (
    ArchiveVideoOperator,
    GenerateVideoOperator,
    SubmitVideoOperator,
)
from airflow_provider_siliconflow.sensors.video import VideoReadySensor
from tests.system.cases import POLICIES, Policy
from tests.system.chaos_plan import Scenario, scenarios_of

VIDEO: dict[str, Any] = {"model": "Wan-AI/Wan2.2-T2V-A14B", "image_size": "1280x720"}
DESTINATION = os.environ["CHAOS_ARCHIVE"] + "/"
PATIENT: dict[str, Any] = {"retries": 6, "retry_delay": timedelta(seconds=1)}


@task_group
def three_tasks(policy: Policy, prompt: str) -> None:
    submit: Any = SubmitVideoOperator(task_id="submit", prompt=prompt, on_unknown_submit=policy, **VIDEO)
    ready: Any = VideoReadySensor(task_id="ready", request_id=submit.output, deferrable=True)
    ArchiveVideoOperator(task_id="archive", request_id=submit.output, url=ready.output, destination=DESTINATION)


def scenario_dag(scenario: Scenario) -> DAG:
    with DAG(scenario.name, schedule=None, default_args=PATIENT) as dag:
        for policy in POLICIES:
            if prompts := scenario.prompts["one task", policy]:
                GenerateVideoOperator.partial(
                    task_id=f"one_{policy}", destination=DESTINATION, on_unknown_submit=policy, **VIDEO
                ).expand(prompt=prompts)
            if prompts := scenario.prompts["three tasks", policy]:
                three_tasks.override(group_id=f"three_{policy}").partial(policy=policy).expand(prompt=prompts)
        if batches := scenario.batches:
            GenerateVideoBatchOperator.partial(task_id="batch", destination=DESTINATION, **VIDEO).expand(
                requests=batches
            )
    return dag


for scenario in scenarios_of(*(int(os.environ[name]) for name in ("CHAOS_SEED", "CHAOS_VIDEOS", "CHAOS_CALM"))):
    globals()[scenario.name] = scenario_dag(scenario)

with DAG("recovery", schedule=None, default_args=PATIENT) as recovery:

    @task
    def reported(**context: Any) -> list[str]:
        """Return the ids that the errors of the scenario reported."""
        ids: list[str] = context["dag_run"].conf["request_ids"]
        return ids

    ids: Any = reported()
    ArchiveVideoOperator.partial(task_id="archive", destination=DESTINATION).expand(request_id=ids)
