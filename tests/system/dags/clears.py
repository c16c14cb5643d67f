"""Videos whose tasks the user clears, in each state; one mapped task submits anew, the other re-attaches."""

from __future__ import annotations

import os
from datetime import timedelta

from airflow.sdk import DAG

from airflow_provider_siliconflow.operators.video import GenerateVideoOperator
from tests.system.cases import CLEARED_STATES, clear_prompt

with DAG("clears", schedule=None) as dag:
    for reuse in (False, True):
        GenerateVideoOperator.partial(
            task_id="reuse" if reuse else "anew",
            model="Wan-AI/Wan2.2-T2V-A14B",
            image_size="1280x720",
            destination=os.environ["DURABILITY_ARCHIVE"] + "/",
            reuse_on_clear=reuse,
            poke_interval=2,
            retries=1,
            retry_delay=timedelta(seconds=1),
        ).expand_kwargs(
            [
                {
                    "prompt": clear_prompt(reuse, state),
                    "deferrable": state != "running",
                    # Too short for its video, which is how it fails after it has paid.
                    "timeout": 1 if state == "failed" else 1800,
                }
                for state in CLEARED_STATES
            ]
        )
