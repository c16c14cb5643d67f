"""Archive a video."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from airflow_provider_siliconflow._airflow.rendered import HiddenText, hide, plain_path
from airflow_provider_siliconflow.client.models import VideoStatus
from airflow_provider_siliconflow.exceptions import InvalidArgumentError
from airflow_provider_siliconflow.jobs.announce import AnnouncesVideos
from airflow_provider_siliconflow.jobs.archive import archive, owner_of
from airflow_provider_siliconflow.jobs.arguments import text
from airflow_provider_siliconflow.jobs.hook_mixin import HookMixin
from airflow_provider_siliconflow.jobs.labels import label_fields
from airflow_provider_siliconflow.jobs.record import now
from airflow_provider_siliconflow.jobs.target import Target
from airflow_provider_siliconflow.jobs.video_facts import with_status
from airflow_provider_siliconflow.jobs.video_link import VideoLink
from airflow_provider_siliconflow.jobs.video_xcom import pull_upstream

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import PurePath

    from airflow.sdk import Asset, Context, ObjectStoragePath, XComArg

    from airflow_provider_siliconflow.archive.existing import IfExists
    from airflow_provider_siliconflow.label import VideoLabel


class ArchiveVideoOperator(AnnouncesVideos, HookMixin, BaseOperator):
    """
    Archive a finished video, whole or not at all, and return its path.

    Streams the URL to the destination in constant memory, asks for a fresh URL where there is none or it is expired,
    publishes the video under its name once it is whole, and last writes a JSON manifest beside it (``clip.mp4`` has
    ``clip.mp4.json``). Pushes the manifest as the XCom ``manifest``. Safe to retry at any time: a video that is there
    already, whole and under its own id, is taken as done. The destination is claimed meanwhile, so that of two tasks
    with one destination the second one fails before it replaces anything.

    :param destination: A local path or any object-storage URI (``s3://conn_id@bucket/clip.mp4``), as text or path. A
        folder (a trailing ``/``, or one that exists) gets ``<request_id>.mp4``.
    :param request_id: What ``SubmitVideoOperator`` returned; without it, no fresh URL can be asked for.
    :param url: What ``VideoReadySensor`` returned; without it, a URL is asked for.
    :param if_exists: What to do if another video is there: ``fail``, ``skip`` or ``overwrite``.
    :param model: For the manifest.
    :param prompt: For the manifest.
    :param siliconflow_conn_id: The Airflow connection the video was submitted with.
    :param video_label: The labels of AI-generated video that the file gets: a
        :class:`~airflow_provider_siliconflow.label.VideoLabel` or a mapping of its fields; None for those of the
        connection.
    :param asset: The asset that gets an event for each archived video: an ``Asset``, or the URI or the name of one; by
        default one for the folder that the video is in. Whatever it is, a DAG with the schedule
        :data:`~airflow_provider_siliconflow.assets.NEW_VIDEO` runs.
    :raises VideoExpiredError: if the URL is expired and the service gives no other.
    :raises VideoIntegrityError: if what came is not a whole video; nothing is published.
    :raises DestinationError: if the destination cannot be written, or holds another video.
    """

    template_fields: Sequence[str] = (
        "destination",
        "request_id",
        "url",
        "model",
        "prompt",
        "siliconflow_conn_id",
        "video_label",
    )
    operator_extra_links = (VideoLink(),)
    ui_color = "#c9e7d3"

    def __init__(
        self,
        *,
        destination: str | PurePath | ObjectStoragePath,
        request_id: str | XComArg | None = None,
        url: str | XComArg | None = None,
        if_exists: IfExists = "fail",
        model: str | None = None,
        prompt: str | None = None,
        siliconflow_conn_id: str = "siliconflow_default",
        video_label: VideoLabel | Mapping[str, Any] | None = None,
        asset: Asset | str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.destination = plain_path(destination)
        # XComArgs are texts by the time the task runs.
        self.request_id: str | None = request_id  # type: ignore[assignment]
        self.url = url  # type: ignore[assignment]
        self.if_exists = if_exists
        self.model = model
        self.prompt = prompt
        self.siliconflow_conn_id = siliconflow_conn_id
        self.video_label = label_fields(video_label)
        self.declare_outlet(asset)

    @property
    def url(self) -> str | None:
        """Return the signed URL of the video; on Airflow 3.0 an object whose ``str`` is the URL."""
        return self._url

    @url.setter
    def url(self, url: str | None) -> None:
        # Airflow sets rendered fields here before it stores and shows them: a signed URL must not be among them.
        if isinstance(url, str) and "://" in url:
            url = hide(url)
        self._url = url

    def execute(self, context: Context) -> str:
        """
        Archive the video.

        :param context: The task's context.
        :return: The path of the video.
        :raises InvalidArgumentError: if there is neither a request id nor a URL.
        :raises SiliconFlowError: if it cannot be archived now.
        """
        from airflow_provider_siliconflow.archive.archiver import VideoFacts

        given = str(self.url) if isinstance(self.url, HiddenText) else self.url
        request_id, url = text("request_id", self.request_id), text("url", given)
        if not request_id and not url:
            raise InvalidArgumentError(
                "There is nothing to archive: both request_id and url are empty. Did the tasks before this one run?"
            )
        told = pull_upstream(context, request_id)
        prompt = told.prompt if self.prompt is None else self.prompt
        told = replace(told, model=self.model or told.model, prompt=prompt)
        facts = VideoFacts(request_id, told.model, told.prompt)
        if request_id and url:
            # For the manifest only, so one try: with a URL at hand, a silent service holds nothing up.
            seen = self.hook.poll(request_id, attempts=1)
            facts = facts.with_status(seen) if isinstance(seen, VideoStatus) else facts
            told = with_status(told, seen, now())
        target = Target(self.destination, self.if_exists, owner_of(context), label=self.video_label)
        path, told = archive(context, self.hook, target, url, facts, told)
        self.announce(context, told)
        return path
