"""Label a downloaded video before it is published; one that cannot be labelled is kept beside its name."""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING, Any

from airflow_provider_siliconflow.archive import stores
from airflow_provider_siliconflow.archive.errors import shorten
from airflow_provider_siliconflow.client.masking import describe_error, mask_text
from airflow_provider_siliconflow.exceptions import VideoLabelError
from airflow_provider_siliconflow.label.apply import describe_label

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_siliconflow.archive.destination import Destination
    from airflow_provider_siliconflow.label.apply import Labeller

#: Seconds for the labels of one video: two thousand times what a clip takes, and a bound for a file that never ends.
LABEL_TIMEOUT = 600.0
_BLOCK = 1 << 20


async def label_video(
    labeller: Labeller,
    source: Path,
    target: Path,
    destination: Destination,
    *,
    request_id: str | None,
    model: str | None,
) -> dict[str, Any]:
    """
    Write a labelled copy of a downloaded video.

    :param labeller: The labels.
    :param source: The video as the service made it; a local file of :func:`.staging`.
    :param target: An empty local file of :func:`.staging`, for the copy.
    :param destination: Where the video goes.
    :param request_id: Its request id.
    :param model: The model that made it.
    :return: What the manifest tells of it: ``label``, the same for people as ``labelled``, ``bytes`` and ``sha256`` of
        the copy, ``vendor_bytes`` and ``vendor_sha256`` of the video as the service made it.
    :raises VideoLabelError: if it cannot be labelled; the message tells where the video is kept.
    """
    try:
        async with asyncio.timeout(LABEL_TIMEOUT):
            label = await asyncio.to_thread(labeller.apply, source, target, request_id=request_id, model=model)
            # Libraries quote what they were given, the address of a time stamping server among it.
            if reason := (label.get("c2pa") or {}).get("reason"):
                label["c2pa"]["reason"] = mask_text(reason)
            return {
                "label": label,
                "labelled": describe_label(label),
                **await asyncio.to_thread(_sizes, source, target),
            }
    except TimeoutError:
        error = VideoLabelError(f"The labels were not written within {LABEL_TIMEOUT:.0f} s.")
    except VideoLabelError as failed:
        error = failed
    kept = await asyncio.to_thread(_keep, source, destination)
    raise VideoLabelError(
        f"{destination.path} is not published, since it cannot be labelled: {mask_text(error.message)} {kept}"
    )


def _sizes(source: Path, target: Path) -> dict[str, Any]:
    return {
        "bytes": target.stat().st_size,
        "sha256": _sha256(target),
        "vendor_bytes": source.stat().st_size,
        "vendor_sha256": _sha256(source),
    }


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _keep(source: Path, destination: Destination) -> str:
    """Keep a paid video without its label where a person finds it; its URL expires within the hour."""
    path = destination.path
    # No pattern of a job that publishes "*.mp4" may match it.
    kept = path.with_name(f"{path.name}.unlabelled")
    try:
        stores.replace(source, kept)
    except Exception as error:
        return f"It could not be kept unlabelled as {kept} either: {shorten(describe_error(error), 300)}."
    return f"It is kept unlabelled as {kept}."
