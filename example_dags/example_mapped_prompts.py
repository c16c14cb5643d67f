"""
Shows one video for each prompt of a list: a mapped task group, so that no video waits for another.
A slow video holds up no other: URLs expire within minutes, so each is archived as soon as it is ready.
Needs one Airflow connection, `siliconflow_default`: the sandbox or the real service, nothing else differs.
"""

from __future__ import annotations

import os

from airflow.sdk import DAG, task_group

from airflow_provider_siliconflow.operators.video import ArchiveVideoOperator, SubmitVideoOperator
from airflow_provider_siliconflow.sensors.video import VideoReadySensor

# Any object storage will do, e.g. "s3://my_aws_conn@my-bucket/videos".
ARCHIVE = os.environ.get("SILICONFLOW_ARCHIVE", "file:///tmp/siliconflow-videos")

PROMPTS = [
    "A red fox crosses a snowy field at dawn, soft light, slow camera",
    "Paper boats drift down a rainy street, seen from above",
    "雨后的竹林，阳光穿过薄雾，镜头缓缓推进",
]


@task_group
def video(prompt: str) -> None:
    """Take one prompt all the way."""
    submit = SubmitVideoOperator(
        task_id="submit",
        model="Wan-AI/Wan2.2-T2V-A14B",
        prompt=prompt,
        image_size="1280x720",
        deferrable=True,
    )
    ready = VideoReadySensor(task_id="ready", request_id=submit.output, deferrable=True)
    ArchiveVideoOperator(
        task_id="archive",
        request_id=submit.output,
        url=ready.output,
        destination=ARCHIVE + "/{{ dag_run.run_after | ds }}/",  # a folder: the file is named by the request id
        if_exists="skip",
        model=submit.model,
        prompt=prompt,
    )


with DAG(
    dag_id="example_mapped_prompts",
    schedule=None,
    # The later a step, the sooner it gets a worker: what is ready goes before what is not submitted yet.
    default_args={"weight_rule": "upstream"},
    tags=["siliconflow", "example"],
    doc_md=__doc__,
):
    video.expand(prompt=PROMPTS)
