"""More submits at once than their spend limit allows, and beside them a decorated function without one."""

from __future__ import annotations

import os
from datetime import timedelta

from airflow.sdk import DAG, task

from airflow_provider_siliconflow.operators.video import SubmitVideoOperator
from airflow_provider_siliconflow.spend_limit import SpendLimit
from tests.system.cases import DECORATED_PROMPT, LIMIT, LIMITED, limited_prompt

ARCHIVE = os.environ["DURABILITY_ARCHIVE"]

with DAG("limits", schedule=None, max_active_tasks=LIMITED, default_args={"retry_delay": timedelta(seconds=1)}) as dag:
    SubmitVideoOperator.partial(
        task_id="submit",
        model="Wan-AI/Wan2.2-T2V-A14B",
        image_size="1280x720",
        spend_limit=SpendLimit(folder=ARCHIVE + "-limits", max_videos_per_run=LIMIT),
        retries=0,
    ).expand(prompt=[limited_prompt(number) for number in range(LIMITED)])

    @task.siliconflow_video(
        model="Wan-AI/Wan2.2-T2V-A14B",
        image_size="1280x720",
        destination=ARCHIVE + "/",
        poke_interval=2,
        # First in the queue, so that its video is made while the others race.
        priority_weight=100,
    )
    def decorated() -> str:
        return DECORATED_PROMPT

    decorated()
