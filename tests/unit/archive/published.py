"""Publish a small file as the archive does."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from airflow_provider_siliconflow.archive.destination import Destination
from airflow_provider_siliconflow.archive.publish import publish
from airflow_provider_siliconflow.archive.staging import staging

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

BYTES = b"\0\0\0\x0cftypmp42 and so on"
MANIFEST = {"request_id": "abc", "bytes": len(BYTES), "sha256": hashlib.sha256(BYTES).hexdigest(), "prompt": "一只猫"}


def put(path: ObjectStoragePath, body: bytes = BYTES, if_exists: Any = "fail", **facts: Any) -> dict[str, Any]:
    """Publish some bytes with a manifest that fits them."""
    manifest = MANIFEST | {"bytes": len(body), "sha256": hashlib.sha256(body).hexdigest()} | facts
    with staging(path) as stage:
        stage.write_bytes(body)
        return publish(stage, Destination(path, is_folder=False), manifest, if_exists)
