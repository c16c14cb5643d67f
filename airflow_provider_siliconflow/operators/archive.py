"""Bring a video to where it lasts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseOperator, mask_secret

from airflow_provider_siliconflow.archive.existing import IfExists
from airflow_provider_siliconflow.client.models import VideoStatus
from airflow_provider_siliconflow.exceptions import InvalidArgumentError
from airflow_provider_siliconflow.jobs.archive import archive

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context, XComArg


class ArchiveVideoOperator(BaseOperator):
    """
    Bring a finished video to where it lasts, whole or not at all, and return its path.

    Streams the link to the destination in constant memory, asks for a fresh link where there is none or it is dead,
    and writes a JSON manifest beside the video (``clip.mp4`` has ``clip.mp4.json``). Pushes the manifest as the XCom
    ``manifest``. Safe to retry at any time: a video that is there already, whole and under its own id, is taken as
    done.

    :param destination: A local path or any object-storage URI (``s3://conn_id@bucket/clip.mp4``). A folder (a
        trailing ``/``, or one that exists) gets ``<request_id>.mp4``.
    :param request_id: What ``SubmitVideoOperator`` returned; without it, no fresh link can be had.
    :param url: What ``VideoReadySensor`` returned; without it, a link is asked for.
    :param if_exists: What to do if another video is there: ``fail``, ``skip`` or ``overwrite``.
    :param model: For the manifest.
    :param prompt: For the manifest.
    :param siliconflow_conn_id: The Airflow connection the video was submitted with.
    :raises VideoExpiredError: if the link is dead and the service gives no other.
    :raises VideoIntegrityError: if what came is not a whole video; nothing is published.
    :raises DestinationError: if the destination cannot be written, or holds another video.
    """

    template_fields: Sequence[str] = ("destination", "request_id", "url", "model", "prompt", "siliconflow_conn_id")
    ui_color = "#c9e7d3"

    def __init__(
        self,
        *,
        destination: str,
        request_id: str | XComArg | None = None,
        url: str | XComArg | None = None,
        if_exists: IfExists = "fail",
        model: str | None = None,
        prompt: str | None = None,
        siliconflow_conn_id: str = "siliconflow_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.destination = destination
        # XComArgs are texts by the time the task runs.
        self.request_id: str | None = request_id  # type: ignore[assignment]
        self.url = url  # type: ignore[assignment]
        self.if_exists = if_exists
        self.model = model
        self.prompt = prompt
        self.siliconflow_conn_id = siliconflow_conn_id

    @property
    def url(self) -> str | None:
        """Return the link to the video."""
        return self._url

    @url.setter
    def url(self, url: str | None) -> None:
        # Airflow sets rendered fields here before it stores and shows them: a signed link must not be among them.
        if isinstance(url, str) and url.startswith("http"):
            mask_secret(url)
        self._url = url

    def execute(self, context: Context) -> str:
        """Archive the video and return its path."""
        from airflow_provider_siliconflow.archive.archiver import VideoFacts
        from airflow_provider_siliconflow.hooks.siliconflow import SiliconFlowHook

        if not self.request_id and not self.url:
            raise InvalidArgumentError(
                "There is nothing to archive: both request_id and url are empty. Did the tasks before this one run?"
            )
        hook = SiliconFlowHook(self.siliconflow_conn_id)
        facts = VideoFacts(self.request_id, self.model, self.prompt)
        if self.request_id and self.url:
            # For the manifest only, so one try: with a link in hand, a silent service holds nothing up.
            seen = hook.poll(self.request_id, attempts=1)
            facts = facts.with_status(seen) if isinstance(seen, VideoStatus) else facts
        return archive(context, hook, self.destination, self.url, facts, self.if_exists)
