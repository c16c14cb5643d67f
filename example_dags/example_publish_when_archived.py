"""
Shows a DAG that runs on each new video: it copies what any other DAG has archived to where the public sees it.
Runs when a task of this provider has archived a video; nothing in those DAGs names this one.
Needs no connection of its own; several videos that are new at the same time may come in one run.
"""

from __future__ import annotations

import os
from typing import Any

from airflow.sdk import DAG, ObjectStoragePath, task

from airflow_provider_siliconflow.assets import NEW_VIDEO

ARCHIVE = os.environ.get("SILICONFLOW_ARCHIVE", "file:///tmp/siliconflow-videos")
PUBLIC = os.environ.get("SILICONFLOW_PUBLIC", "file:///tmp/siliconflow-public")

with DAG(
    dag_id="example_publish_when_archived",
    schedule=NEW_VIDEO,
    tags=["siliconflow", "example"],
    doc_md=__doc__,
):

    @task
    def publish(triggering_asset_events: Any = None) -> list[str]:
        """Copy each new video, and return where to."""
        folder = ObjectStoragePath(PUBLIC)
        folder.mkdir(parents=True, exist_ok=True)
        published = []
        for event in triggering_asset_events[NEW_VIDEO]:
            video = event.extra  # what the gallery shows: request_id, prompt, path, bytes, sha256, …
            source = ObjectStoragePath(video["path"]).resolve()
            # A user who may create asset events could name any file.
            if not str(source).startswith(f"{ARCHIVE}/"):
                raise ValueError(f"{source} is not in {ARCHIVE}")
            target = folder / f"{video['request_id']}.mp4"
            source.copy(target)
            published.append(str(target))
        return published

    publish()
