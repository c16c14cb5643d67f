"""Tasks that end in the middle of a submit, while the service holds its answer."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any

from airflow.sdk import DAG

from airflow_provider_siliconflow.operators.batch import GenerateVideoBatchOperator
from airflow_provider_siliconflow.operators.video import GenerateVideoOperator, SubmitVideoOperator
from tests.system.cases import INTERRUPTED_CONNECTION, interrupt_prompt

VIDEO: dict[str, Any] = {
    "model": "Wan-AI/Wan2.2-T2V-A14B",
    "image_size": "1280x720",
    "siliconflow_conn_id": INTERRUPTED_CONNECTION,
}
DESTINATION = os.environ["DURABILITY_ARCHIVE"] + "/"

with DAG("interrupts", schedule=None, default_args={"retry_delay": timedelta(seconds=1)}) as dag:
    SubmitVideoOperator(task_id="submit_marked_failed", prompt=interrupt_prompt("submit_marked_failed"), **VIDEO)
    GenerateVideoOperator(
        task_id="generate_marked_failed",
        prompt=interrupt_prompt("generate_marked_failed"),
        destination=DESTINATION,
        **VIDEO,
    )
    GenerateVideoBatchOperator(
        task_id="batch_marked_failed",
        requests=[interrupt_prompt("batch_marked_failed")],
        destination=DESTINATION,
        **VIDEO,
    )
    GenerateVideoOperator(
        task_id="generate_timed_out",
        prompt=interrupt_prompt("generate_timed_out"),
        destination=DESTINATION,
        execution_timeout=timedelta(seconds=20),
        **VIDEO,
    )
    GenerateVideoOperator(
        task_id="generate_cleared",
        prompt=interrupt_prompt("generate_cleared"),
        destination=DESTINATION,
        reuse_on_clear=True,
        retries=2,
        **VIDEO,
    )
