"""
Shows a video that is labelled as AI-generated when it is archived, and a limit on how many are submitted a day.
The label is the implicit one of GB 45438-2025; the limit counts videos in a folder that all workers reach.
Needs the extra `label` and one Airflow connection, `siliconflow_default`: the sandbox or the real service.
"""

from __future__ import annotations

import os

from airflow.sdk import DAG

from airflow_provider_siliconflow.label import VideoLabel
from airflow_provider_siliconflow.operators.video import GenerateVideoOperator
from airflow_provider_siliconflow.spend_limit import SpendLimit

# Any object storage will do, e.g. "s3://my_aws_conn@my-bucket/videos".
ARCHIVE = os.environ.get("SILICONFLOW_ARCHIVE", "file:///tmp/siliconflow-videos")

with DAG(
    dag_id="example_labelled",
    schedule=None,
    params={"prompt": "A paper lantern rises over a lake at dusk, still water, slow camera"},
    tags=["siliconflow", "example"],
    doc_md=__doc__,
):
    GenerateVideoOperator(
        task_id="video",
        model="Wan-AI/Wan2.2-T2V-A14B",
        prompt="{{ params.prompt }}",
        image_size="1280x720",
        destination=ARCHIVE + "/labelled/",  # a folder: the file is named by the request id
        video_label=VideoLabel(content_producer="Studio"),
        spend_limit=SpendLimit(folder=ARCHIVE + "-limits", max_videos_per_day=20, time_zone="Asia/Shanghai"),
        deferrable=True,
    )
