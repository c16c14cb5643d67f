"""
The DAGs of ``tests/system/chaos.py``: each video in one task, in three, or in a batch, as the seed has it.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
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
from tests.system.cases import POLICIES, OnUnknownSubmit
from tests.system.chaos_plan import MODEL, Scenario, Video, connection_of, scenarios_of

VIDEO: dict[str, Any] = {"model": MODEL, "image_size": "1280x720"}
DESTINATION = os.environ["CHAOS_ARCHIVE"] + "/"
PATIENT: dict[str, Any] = {"retries": 6, "retry_delay": timedelta(seconds=1)}
#: Retries that last longer than the absence of the connection.
OUTLASTING: dict[str, Any] = {"retry_delay": timedelta(seconds=10), "priority_weight": 50}


@task_group
def three_tasks(policy: OnUnknownSubmit, prompt: str, conn_id: str) -> None:
    submit: Any = SubmitVideoOperator(
        task_id="submit", prompt=prompt, on_unknown_submit=policy, siliconflow_conn_id=conn_id, **VIDEO
    )
    ready: Any = VideoReadySensor(
        task_id="ready", request_id=submit.output, siliconflow_conn_id=conn_id, deferrable=True
    )
    ArchiveVideoOperator(
        task_id="archive",
        request_id=submit.output,
        url=ready.output,
        siliconflow_conn_id=conn_id,
        destination=DESTINATION,
    )


def one_task(task_id: str, videos: Sequence[Video], destinations: Sequence[str] = (), **settings: Any) -> None:
    """Map one task over some videos."""
    if videos:
        GenerateVideoOperator.partial(task_id=task_id, **settings, **VIDEO).expand_kwargs(
            [
                {"prompt": video.prompt, "siliconflow_conn_id": video.conn_id, "destination": destination}
                for video, destination in zip(videos, destinations or [DESTINATION] * len(videos), strict=True)
            ]
        )


def batches(scenario: Scenario) -> None:
    """Map the batch operator over lists whose prompts render differently on each resume and try."""
    if scenario.batches:
        GenerateVideoBatchOperator.partial(task_id="batch", destination=DESTINATION, **VIDEO).expand_kwargs(
            [
                {
                    "requests": [video.template if scenario.chance else video.prompt for video in videos],
                    "siliconflow_conn_id": videos[0].conn_id,
                }
                for videos in scenario.batches
            ]
        )


def scenario_dag(scenario: Scenario) -> DAG:
    with DAG(scenario.name, schedule=None, default_args=PATIENT) as dag:
        for policy in POLICIES:
            one_task(f"one_{policy}", scenario.group("one task", policy), on_unknown_submit=policy)
            if videos := scenario.group("three tasks", policy):
                three_tasks.override(group_id=f"three_{policy}").partial(policy=policy).expand_kwargs(
                    [{"prompt": video.prompt, "conn_id": video.conn_id} for video in videos]
                )
        batches(scenario)
        pairs = scenario.group("pair", "fail")
        one_task("pair", pairs, [f"{DESTINATION}pair-{video.pair}.mp4" for video in pairs], if_exists="fail")
        one_task("cleared", scenario.group("cleared", "fail"), reuse_on_clear=True)
        one_task("away", scenario.group("away", "fail"), **OUTLASTING)
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
    ArchiveVideoOperator.partial(
        task_id="archive", destination=DESTINATION, siliconflow_conn_id=connection_of("direct")
    ).expand(request_id=ids)
