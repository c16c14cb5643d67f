"""Where a video is archived, as the user said it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_siliconflow.archive.existing import IfExists


@dataclass(frozen=True)
class Target:
    """
    Where a video is archived.

    :param destination: A local path, an object-storage URI or a folder.
    :param if_exists: What to do if another video is there.
    :param owner: The task instance without its try: in its name the destination is claimed.
    :param probe: Whether to write and remove a hidden object before paying, where the destination is not local.
    :param label: The labels of the video, as the task says; None for those of the connection.
    """

    destination: Any
    if_exists: IfExists
    owner: str
    probe: bool = True
    label: Any = None

    def prepare(self, timeout: float) -> dict[str, Any] | None:
        """
        Find out whether a video could be archived, and claim the destination.

        :param timeout: Seconds for all that is asked of its store.
        :return: The manifest of what is there, where that means that there is nothing to pay for.
        :raises DestinationError: if a video could not be archived.
        """
        from airflow_provider_siliconflow.archive.prepare import prepare_destination

        return prepare_destination(
            self.destination, owner=self.owner, if_exists=self.if_exists, probe=self.probe, timeout=timeout
        )
