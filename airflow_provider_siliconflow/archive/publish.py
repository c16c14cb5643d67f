"""
Publish a video and its manifest, or find them published already.

The order is what keeps a pair right at any crash: the manifest is written under a hidden name, the video gets its final
name (exclusively, unless it is to be overwritten), and last the manifest gets its own. Where there is a manifest, the
video of its id is published whole; a crash in between leaves a video without a manifest, which a retry completes.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from airflow_provider_siliconflow.archive import claim as claims
from airflow_provider_siliconflow.archive import stores
from airflow_provider_siliconflow.archive.claim_file import claim_path
from airflow_provider_siliconflow.archive.destination import Destination, understand
from airflow_provider_siliconflow.archive.errors import destination_error
from airflow_provider_siliconflow.archive.existing import IfExists, pending_manifest, resolve_existing
from airflow_provider_siliconflow.archive.manifest import describes, storable, write_manifest
from airflow_provider_siliconflow.archive.options import STORE_TIMEOUT
from airflow_provider_siliconflow.archive.staging import abort_uploads
from airflow_provider_siliconflow.archive.threads import bounded
from airflow_provider_siliconflow.exceptions import DestinationError, DestinationRefusedError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from airflow_provider_siliconflow.archive.claim_file import Claim


def publish(
    stage: Path,
    destination: Destination,
    manifest: Mapping[str, Any],
    if_exists: IfExists,
    claim: Claim | None = None,
) -> dict[str, Any]:
    """
    Publish a whole video, and after it its manifest.

    :param stage: The file of :func:`~airflow_provider_siliconflow.archive.staging.staging` for this path, complete.
    :param destination: Where the video goes.
    :param manifest: What to write beside it.
    :param if_exists: What to do if a video has appeared there meanwhile.
    :param claim: The claim of the writer, if it has one: nothing is published once it is another's.
    :return: The manifest of what is there now.
    :raises DestinationError: with the path and the cause; nothing half-written is under the final name.
    """
    facts: dict[str, Any] = storable(manifest)
    existing = resolve_existing(destination, facts["request_id"], if_exists)
    if existing is not None:
        return existing
    _publish_pair(stage, destination, facts, if_exists, claim)
    waiting = pending_manifest(destination.path, facts["request_id"])
    abort_uploads(destination.path, waiting.name, claim_path(destination.path).name)
    return facts


def find_archived(
    destination: Any, request_id: str, *, owner: str | None = None, timeout: float = STORE_TIMEOUT
) -> dict[str, Any] | None:
    """
    Return the manifest of a video that is archived already, whatever the service says of it by now.

    :param destination: As for :func:`~airflow_provider_siliconflow.archive.destination.understand`.
    :param request_id: The video's id.
    :param owner: Whose claim is released if the video is there; None where there is no claim.
    :param timeout: Seconds for it, which reads all of the video.
    :return: None if it is not there, or if that cannot be found out.
    """

    def find() -> dict[str, Any] | None:
        found = understand(destination, request_id)
        existing = resolve_existing(found, request_id, "overwrite")
        if existing is not None and owner is not None and not found.is_folder:
            claims.release_quietly(found.path, owner)
        return existing

    try:
        return bounded(find, timeout, destination)
    except DestinationError:
        return None


def _publish_pair(
    stage: Path, destination: Destination, facts: dict[str, Any], if_exists: IfExists, claim: Claim | None
) -> None:
    waiting = pending_manifest(destination.path, facts["request_id"])
    is_published = False
    try:
        write_manifest(waiting, facts)
        with stores.folder_lock(destination.path):
            if claim:
                claims.check(destination.path, claim)
            _publish_video(stage, destination, facts, if_exists)
            is_published = True
            write_manifest(destination.manifest, facts)
    except Exception as error:
        with suppress(Exception):
            # The upload may have succeeded and its answer be lost: then the manifest waits for a retry.
            if not is_published and (isinstance(error, DestinationError) or not stores.exists(destination.path)):
                stores.remove(waiting)
        if isinstance(error, DestinationError):
            raise
        raise destination_error(destination.path, error) from error
    with suppress(Exception):
        # All that counts is published; a store may not allow to remove.
        stores.remove(waiting)


def _publish_video(stage: Path, destination: Destination, facts: dict[str, Any], if_exists: IfExists) -> None:
    path, kind = destination.path, facts.get("content_type")
    if if_exists == "overwrite":
        # First: an old manifest beside a new video would be a wrong pair.
        stores.remove(destination.manifest)
        stores.replace(stage, path, kind)
        return
    try:
        stores.create(stage, path, kind)
    except FileExistsError:
        # An upload whose answer was lost is repeated by the store's client, and then meets its own object.
        if not describes(facts, path):
            raise DestinationRefusedError(
                f"{path} was published by another task meanwhile, and is not replaced. Give another destination."
            ) from None
