"""
Shows an image brought to life: read from any object storage, sent along with the prompt, archived as a video.
Trigger it with an image of your own: `{"image": "s3://my_aws_conn@my-bucket/cat.png"}`.
Needs one Airflow connection, `siliconflow_default`: the sandbox or the real service, nothing else differs.
"""

from __future__ import annotations

import os
from pathlib import Path

from airflow.sdk import DAG, Param

from airflow_provider_siliconflow.operators.video import ArchiveVideoOperator, SubmitVideoOperator
from airflow_provider_siliconflow.sensors.video import VideoReadySensor

# Any object storage will do, e.g. "s3://my_aws_conn@my-bucket/videos".
ARCHIVE = os.environ.get("SILICONFLOW_ARCHIVE", "file:///tmp/siliconflow-videos")

IMAGE = Path(__file__).with_name("lighthouse.png").as_uri()

with DAG(
    dag_id="example_image_to_video",
    schedule=None,
    params={
        "image": Param(IMAGE, type="string", description="URL, or path in any object storage"),
        "prompt": "The beam of the lighthouse sweeps across the evening sea",
    },
    tags=["siliconflow", "example"],
    doc_md=__doc__,
):
    submit = SubmitVideoOperator(
        task_id="submit",
        model="Wan-AI/Wan2.2-I2V-A14B",
        prompt="{{ params.prompt }}",
        image="{{ params.image }}",
        image_size="1280x720",  # the size nearest to the image's ratio
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
        prompt="{{ params.prompt }}",
    )
