"""
Every case of the table of single deaths, in one run: each is one video, mapped, in one task and in three.
"""

from __future__ import annotations

import os
from datetime import timedelta
from functools import partial
from typing import Any

from airflow.sdk import DAG, task_group

from airflow_provider_siliconflow.operators.video import (
    ArchiveVideoOperator,
    GenerateVideoOperator,
    SubmitVideoOperator,
)
from airflow_provider_siliconflow.sensors.video import VideoReadySensor
from tests.system.cases import POLICIES, RETRIES, Case, OnUnknownSubmit, cases_of

VIDEO: dict[str, Any] = {"model": "Wan-AI/Wan2.2-T2V-A14B", "image_size": "1280x720"}
DESTINATION = os.environ["DURABILITY_ARCHIVE"] + "/"
QUICK: dict[str, Any] = {"retries": RETRIES, "retry_delay": timedelta(seconds=1)}


def prepare(cases: list[Case], step: str | None, context: Any) -> None:
    cases[context["ti"].map_index].prepare(context, step)


@task_group
def three_tasks(policy: OnUnknownSubmit, prompt: str) -> None:
    hook = partial(prepare, cases_of("three tasks", policy))
    submit: Any = SubmitVideoOperator(
        task_id="submit", prompt=prompt, on_unknown_submit=policy, pre_execute=partial(hook, "submit"), **VIDEO
    )
    ready: Any = VideoReadySensor(
        task_id="ready",
        request_id=submit.output,
        deferrable=True,
        poke_interval=2,
        pre_execute=partial(hook, "ready"),
    )
    ArchiveVideoOperator(
        task_id="archive",
        request_id=submit.output,
        url=ready.output,
        destination=DESTINATION,
        prompt=prompt,
        pre_execute=partial(hook, "archive"),
    )


with DAG("kills", schedule=None, default_args=QUICK) as dag:
    for policy in POLICIES:
        one = cases_of("one task", policy)
        GenerateVideoOperator.partial(
            task_id=f"one_{policy}",
            destination=DESTINATION,
            on_unknown_submit=policy,
            poke_interval=2,
            pre_execute=partial(prepare, one, None),
            **VIDEO,
        ).expand(prompt=[case.prompt("one task") for case in one])
        three = cases_of("three tasks", policy)
        three_tasks.override(group_id=f"three_{policy}").partial(policy=policy).expand(
            prompt=[case.prompt("three tasks") for case in three]
        )
