"""
Shows a DAG that runs on each new video: it copies what any other DAG has archived to where the public sees it.
Runs when a task of this provider has archived a video; nothing in those DAGs names this one.
Needs no connection of its own. Publishes all that is not there yet: Airflow may leave one out of what a run is for.
"""

from __future__ import annotations

import logging
import os
from typing import Any

from airflow.sdk import DAG, ObjectStoragePath, task

from airflow_provider_siliconflow.assets import NEW_VIDEO

ARCHIVE = os.environ.get("SILICONFLOW_ARCHIVE", "file:///tmp/siliconflow-videos")
PUBLIC = os.environ.get("SILICONFLOW_PUBLIC", "file:///tmp/siliconflow-public")

log = logging.getLogger(__name__)

with DAG(
    dag_id="example_publish_when_archived",
    schedule=NEW_VIDEO,
    tags=["siliconflow", "example"],
    doc_md=__doc__,
):

    @task(inlets=[NEW_VIDEO])
    def publish(inlet_events: Any = None) -> list[str]:
        """Copy each video that is not there yet, and return where to."""
        folder = ObjectStoragePath(PUBLIC)
        folder.mkdir(parents=True, exist_ok=True)
        published = []
        for event in inlet_events[NEW_VIDEO]:
            video = event.extra  # what the gallery shows: request_id, prompt, path, bytes, sha256, …
            # A user who may create asset events could write anything.
            try:
                source = ObjectStoragePath(video["path"]).resolve()
                target = folder / f"{video['request_id']}.mp4"
                is_video = str(source).startswith(f"{ARCHIVE}/") and target.parent == folder and video["bytes"] > 0
            except (KeyError, TypeError, ValueError):
                is_video = False
            if not is_video:
                log.error("This is no video of %s: %s", ARCHIVE, video)
                continue
            # Published already, or removed from the archive since.
            if (target.exists() and target.stat().st_size == video["bytes"]) or not source.exists():
                continue
            source.copy(target)
            published.append(str(target))
        return published

    publish()
