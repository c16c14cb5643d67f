"""A sensor in Airflow's own worker code, and what the service may say to it."""

from __future__ import annotations

from typing import Any

from airflow_provider_siliconflow.sensors.video import VideoReadySensor
from tests.unit.hooks.scripted_server import reply
from tests.unit.worker import TaskRun, in_dag

ID = "gs6fhi8yrhxt"
URL = "https://s3/out%2Fclip.mp4?Expires=1741861920&Signature=s3cr3t"
RESULTS = {"videos": [{"url": URL}], "timings": {"inference": 41.5}, "seed": 7}
READY = reply(200, {"status": "Succeed", "reason": "", "results": RESULTS}, {"x-siliconcloud-trace-id": "ti_1"})
FAILED = reply(200, {"status": "Failed", "reason": "内容 违规"})
QUEUED = reply(200, {"status": "InQueue", "position": 3})
MODES: dict[str, dict[str, Any]] = {
    "poke": {"deferrable": False},
    "reschedule": {"deferrable": False, "mode": "reschedule"},
    "deferrable": {"deferrable": True},
    "deferrable reschedule": {"deferrable": True, "mode": "reschedule"},
}
FLAGS: dict[str, dict[str, Any]] = {"plain": {}, "soft_fail": {"soft_fail": True}, "never_fail": {"never_fail": True}}


def waiting(**arguments: Any) -> TaskRun:
    given = {"request_id": ID, "poke_interval": 0, "timeout": 60, "retries": 1}
    return TaskRun(in_dag(VideoReadySensor, **given | arguments))
