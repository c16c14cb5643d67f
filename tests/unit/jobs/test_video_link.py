"""The link from a task to its videos."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import airflow.sdk
import pytest

from airflow_provider_siliconflow._airflow import releases
from airflow_provider_siliconflow.jobs.video_link import VideoLink
from airflow_provider_siliconflow.operators.video import (
    ArchiveVideoOperator,
    GenerateVideoBatchOperator,
    GenerateVideoOperator,
    SubmitVideoOperator,
)
from airflow_provider_siliconflow.sensors.video import VideoReadySensor

IDS = {"dag_id": "a dag", "run_id": "manual__2026-01-01T00:00:00+00:00", "task_id": "video.make", "map_index": -1}


def link(**ids: Any) -> str:
    return VideoLink().get_link(None, ti_key=SimpleNamespace(**IDS | ids))  # type: ignore[arg-type]


@pytest.mark.skipif(not releases.has_react_apps(), reason="Airflow 3.0 has no tab")
def test_the_link_leads_to_the_tab_of_the_task() -> None:
    path = "/dags/a%20dag/runs/manual__2026-01-01T00%3A00%3A00%2B00%3A00/tasks/video.make"
    assert link() == f"{path}/plugin/video"
    assert link(map_index=3) == f"{path}/mapped/3/plugin/video"


@pytest.mark.parametrize("base_url", ["http://host/team-a", "https://host:8080/team-a/"])
def test_the_link_has_the_path_under_which_airflow_is_served(base_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", base_url)
    assert link().startswith("/team-a/dags/")


def test_airflow_3_0_has_no_tab(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(airflow.sdk, "__version__", "1.0.6")
    assert not releases.has_react_apps()
    assert link().endswith("/tasks/video.make")


@pytest.mark.parametrize(
    "kind",
    [SubmitVideoOperator, VideoReadySensor, ArchiveVideoOperator, GenerateVideoOperator, GenerateVideoBatchOperator],
)
def test_each_task_has_the_link(kind: type[Any]) -> None:
    assert [link.name for link in kind.operator_extra_links] == ["Video"]
