"""
Shows TaskFlow: a function returns what to show, and its task makes and archives the video; a list becomes a batch.
The function is called once, whatever happens: a retry re-attaches to the video that was asked for and paid for first.
Needs one Airflow connection, `siliconflow_default`: the sandbox or the real service, nothing else differs.
"""

from __future__ import annotations

import os
from typing import Any

from airflow.sdk import DAG, task

# Any object storage will do, e.g. "s3://my_aws_conn@my-bucket/videos".
ARCHIVE = os.environ.get("SILICONFLOW_ARCHIVE", "file:///tmp/siliconflow-videos")

with DAG(
    dag_id="example_taskflow",
    schedule=None,
    default_args={"model": "Wan-AI/Wan2.2-T2V-A14B", "image_size": "1280x720"},
    tags=["siliconflow", "example"],
    doc_md=__doc__,
):

    @task.siliconflow_video(destination=ARCHIVE + "/animals/", deferrable=True)
    def animal(name: str) -> str:
        """Return a prompt: the task returns the path of its video."""
        return f"A {name} crosses a snowy field at dawn, soft light, slow camera"

    @task.siliconflow_video(destination=ARCHIVE + "/seasons/", deferrable=True)
    def seasons() -> list[dict[str, Any]]:
        """Return a list of requests: the task returns the manifest of a batch."""
        return [{"prompt": f"A forest in {season}, seen from above", "seed": 7} for season in ("spring", "autumn")]

    animal.expand(name=["red fox", "snowy owl"])
    seasons()
