"""
Videos without faults, mapped in one task and in three, generated while parts of Airflow are killed.
"""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, task_group

from airflow_provider_siliconflow.operators.video import (
    ArchiveVideoOperator,
    GenerateVideoOperator,
    SubmitVideoOperator,
)
from airflow_provider_siliconflow.sensors.video import VideoReadySensor
from tests.system.cases import SCENARIOS, Scenario, scenario_prompt

VIDEO: dict[str, Any] = {"model": "Wan-AI/Wan2.2-T2V-A14B", "image_size": "1280x720"}
DESTINATION = os.environ["DURABILITY_ARCHIVE"] + "/"
#: As long as an outage lasts: tries that are all spent within it are of no use.
PATIENT: dict[str, Any] = {"retries": 3, "retry_delay": timedelta(seconds=10)}


@task_group
def three(prompt: str) -> None:
    submit: Any = SubmitVideoOperator(task_id="submit", prompt=prompt, **VIDEO)
    ready: Any = VideoReadySensor(task_id="ready", request_id=submit.output, deferrable=True, poke_interval=2)
    ArchiveVideoOperator(task_id="archive", request_id=submit.output, url=ready.output, destination=DESTINATION)


def scenario_dag(dag_id: str, scenario: Scenario) -> DAG:
    with DAG(dag_id, schedule=None, default_args=PATIENT) as dag:
        GenerateVideoOperator.partial(task_id="one", destination=DESTINATION, poke_interval=2, **VIDEO).expand(
            prompt=[scenario_prompt(dag_id, "one task", index) for index in range(scenario.one)]
        )
        if scenario.three:
            three.expand(prompt=[scenario_prompt(dag_id, "three tasks", index) for index in range(scenario.three)])
        if scenario.no_retries:
            GenerateVideoOperator(
                task_id="no_retries",
                prompt=scenario_prompt(dag_id, "no retries", 0),
                destination=DESTINATION,
                deferrable=False,
                poke_interval=2,
                retries=0,
                # First in the queue, so that it runs when the scheduler is killed.
                priority_weight=100,
                **VIDEO,
            )
    return dag


for name, scenario in SCENARIOS.items():
    globals()[name] = scenario_dag(name, scenario)
