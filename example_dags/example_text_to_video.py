"""
Shows the whole way of one video: submit the prompt, wait without a worker, keep the bytes where they last.
Runs every day at six; each day's video is archived in a folder of its own.
Needs one Airflow connection, `siliconflow_default`: the sandbox or the real service, nothing else differs.
"""

from __future__ import annotations

import os

import pendulum
from airflow.sdk import DAG

from airflow_provider_siliconflow.operators.video import ArchiveVideoOperator, SubmitVideoOperator
from airflow_provider_siliconflow.sensors.video import VideoReadySensor

# Any object storage will do, e.g. "s3://my_aws_conn@my-bucket/videos".
ARCHIVE = os.environ.get("SILICONFLOW_ARCHIVE", "file:///tmp/siliconflow-videos")

with DAG(
    dag_id="example_text_to_video",
    schedule="0 6 * * *",
    start_date=pendulum.datetime(2026, 1, 1),
    catchup=False,
    params={"prompt": "A red fox crosses a snowy field at dawn, soft light, slow camera"},
    tags=["siliconflow", "example"],
    doc_md=__doc__,
):
    submit = SubmitVideoOperator(
        task_id="submit",
        model="Wan-AI/Wan2.2-T2V-A14B",
        prompt="{{ params.prompt }}",
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
        prompt="{{ params.prompt }}",
    )
