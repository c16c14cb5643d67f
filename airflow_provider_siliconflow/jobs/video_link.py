"""The link from a task to its videos in Airflow's UI."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from airflow.sdk import BaseOperatorLink

from airflow_provider_siliconflow._airflow.releases import base_path, has_react_apps

if TYPE_CHECKING:
    from typing import Any

    from airflow.sdk import BaseOperator


class VideoLink(BaseOperatorLink):
    """Link to the tab of a task that shows its videos; on Airflow 3.0, which has no such tab, to the task."""

    name = "Video"

    def get_link(self, operator: BaseOperator, *, ti_key: Any) -> str:
        """
        Return the address of the tab, with the path under which Airflow is served.

        :param operator: The task's operator.
        :param ti_key: The task instance's ids.
        :return: A path on Airflow's own host.
        """
        ids = ("dags", ti_key.dag_id, "runs", ti_key.run_id, "tasks", ti_key.task_id)
        path = "/".join(quote(part, safe="") for part in ids)
        mapped = f"/mapped/{ti_key.map_index}" if ti_key.map_index >= 0 else ""
        return f"{base_path()}/{path}{mapped}{'/plugin/video' if has_react_apps() else ''}"
