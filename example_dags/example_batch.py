"""
Shows a list of prompts in one task: submitted under the account's limits, awaited together, each archived when ready.
A bad request costs the others nothing; the manifest tells what became of each, and what it cost.
Needs one Airflow connection, `siliconflow_default`: the sandbox or the real service, nothing else differs.
"""

from __future__ import annotations

import os
from typing import Any

from airflow.sdk import DAG, task

from airflow_provider_siliconflow.operators.video import GenerateVideoBatchOperator

# Any object storage will do, e.g. "s3://my_aws_conn@my-bucket/videos".
ARCHIVE = os.environ.get("SILICONFLOW_ARCHIVE", "file:///tmp/siliconflow-videos")


@task
def tell(manifest: dict[str, Any]) -> str:
    """Say in one line what came of the list."""
    states = (f"{manifest[state]} {state}" for state in ("archived", "failed", "rejected", "unknown"))
    return ", ".join(states)


with DAG(
    dag_id="example_batch",
    schedule=None,
    tags=["siliconflow", "example"],
    doc_md=__doc__,
):
    generate = GenerateVideoBatchOperator(
        task_id="generate",
        requests=[
            "A kite rises over a beach, seen from the string",
            "窗外下着雪，一杯热茶冒着热气",
            {"prompt": "A pocket watch opens, its gears turn, macro shot", "image_size": "960x960", "seed": 7},
        ],
        model="Wan-AI/Wan2.2-T2V-A14B",  # for those that do not say
        image_size="1280x720",
        deferrable=True,
        destination=ARCHIVE + "/{{ dag_run.run_after | ds }}/",  # each file is named by its request id
    )
    tell(generate.output)
