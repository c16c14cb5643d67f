"""The same list of videos three ways: three tasks for each, one task for each, one task for a hundred."""

from __future__ import annotations

import os
from typing import Any

from airflow.sdk import DAG, task_group

from airflow_provider_siliconflow.operators.video import (
    ArchiveVideoOperator,
    GenerateVideoBatchOperator,
    GenerateVideoOperator,
    SubmitVideoOperator,
)
from airflow_provider_siliconflow.sensors.video import VideoReadySensor

FOLDER = os.environ["COST_ARCHIVE"] + "/"
PROMPTS = [f"video {number}" for number in range(int(os.environ["COST_VIDEOS"]))]
BATCH = 100
VIDEO: dict[str, Any] = {"model": "Wan-AI/Wan2.2-T2V-A14B", "image_size": "1280x720"}


@task_group
def video(prompt: str) -> None:
    """Take one prompt all the way in three tasks."""
    submit = SubmitVideoOperator(task_id="submit", prompt=prompt, **VIDEO)
    ready = VideoReadySensor(task_id="ready", request_id=submit.output, deferrable=True)
    ArchiveVideoOperator(task_id="archive", request_id=submit.output, url=ready.output, destination=FOLDER)


with DAG("three_tasks", schedule=None, default_args={"weight_rule": "upstream"}):
    video.expand(prompt=PROMPTS)

with DAG("one_task", schedule=None):
    GenerateVideoOperator.partial(task_id="generate", destination=FOLDER, **VIDEO).expand(prompt=PROMPTS)

with DAG("batch", schedule=None):
    GenerateVideoBatchOperator.partial(task_id="generate", destination=FOLDER, **VIDEO).expand(
        requests=[PROMPTS[start : start + BATCH] for start in range(0, len(PROMPTS), BATCH)]
    )
