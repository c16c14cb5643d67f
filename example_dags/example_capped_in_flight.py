"""
Shows a cap on videos in flight: one task for each video, in a pool that counts deferred tasks as well.
Make the pool first: `airflow pools set siliconflow_videos 8 "videos in flight" --include-deferred`.
Needs one Airflow connection, `siliconflow_default`: the sandbox or the real service, nothing else differs.
"""

from __future__ import annotations

import os

from airflow.sdk import DAG

from airflow_provider_siliconflow.operators.video import GenerateVideoOperator

# Any object storage will do, e.g. "s3://my_aws_conn@my-bucket/videos".
ARCHIVE = os.environ.get("SILICONFLOW_ARCHIVE", "file:///tmp/siliconflow-videos")

with DAG(
    dag_id="example_capped_in_flight",
    schedule=None,
    tags=["siliconflow", "example"],
    doc_md=__doc__,
):
    GenerateVideoOperator.partial(
        task_id="generate",
        model="Wan-AI/Wan2.2-T2V-A14B",
        image_size="720x1280",
        destination=ARCHIVE + "/{{ dag_run.run_after | ds }}/",  # a folder: the file is named by the request id
        pool="siliconflow_videos",
        deferrable=True,
    ).expand(
        prompt=[
            "A lighthouse beam sweeps over a dark sea, long exposure",
            "A paper crane unfolds itself on a wooden desk",
        ]
    )
