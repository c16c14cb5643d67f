"""Tell Airflow of a video that is archived: an asset event with the facts of its record, and the file's lineage."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from airflow_provider_siliconflow._airflow import lineage
from airflow_provider_siliconflow._airflow.callbacks import call_on_success
from airflow_provider_siliconflow._airflow.names import conf
from airflow_provider_siliconflow.assets import NEW_VIDEO, folder_asset, read_asset, uri_of
from airflow_provider_siliconflow.billing import Billing
from airflow_provider_siliconflow.client.masking import describe_error
from airflow_provider_siliconflow.client.video_record import RecordState, VideoRecord
from airflow_provider_siliconflow.jobs import first_event

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow.sdk import Asset, Context

#: The settings that tell one Airflow from another on the same machine.
_THIS_AIRFLOW = (("core", "execution_api_server_url"), ("api", "base_url"))

log = logging.getLogger(__name__)


class AnnouncesVideos:
    """
    A task whose archived videos are events of an asset, and outputs in its lineage; goes before Airflow's base class.

    :param asset: The asset, its URI or its name; None for one of the folder that each video is in.
    """

    hook: Any
    outlets: Any
    asset: Any
    _announced: list[VideoRecord]

    def declare_outlet(self, asset: Any) -> None:
        """
        Declare the alias through which the events go: Airflow drops events of what a task did not declare.

        :param asset: As the user gave it.
        """
        self.asset = asset
        self._announced = []
        if NEW_VIDEO not in self.outlets:
            self.outlets = [*self.outlets, NEW_VIDEO]

    def announce(self, context: Context, told: VideoRecord) -> None:
        """
        Tell Airflow of a video, if the task has made and archived it; the event comes if the task succeeds.

        :param context: The task's context.
        :param told: The record of the video.
        """
        # What was there before anything was submitted is no new video.
        if told.state != RecordState.ARCHIVED or told.billing != Billing.ARCHIVED or not told.path:
            return
        path = told.path
        self._announced.append(told)

        def add_event() -> None:
            context["outlet_events"][NEW_VIDEO].add(self._asset_of(path), extra=told.to_json())

        _try(f"There is no asset event for {path}", add_event)
        _try(
            f"There is no hook lineage for {path}",
            lambda: lineage.collector().add_output_asset(context=self.hook, uri=uri_of(path)),
        )

    def post_execute(self, context: Context, result: Any = None) -> None:
        """
        Let no other task on this machine be the first one with an event of the same asset at the same moment.

        :param context: The task's context.
        :param result: What the task returned.
        """
        super().post_execute(context, result)  # type: ignore[misc]
        if self._announced:
            call_on_success(self, lambda _: _try("Other tasks may wait for this one", first_event.tell_known))
            _try("This task did not wait for its turn", self._wait_for_turns)

    def _wait_for_turns(self) -> None:
        airflow = " ".join(conf.get(*key, fallback="") for key in _THIS_AIRFLOW)
        uris = {self._asset_of(told.path).uri for told in self._announced if told.path}
        first_event.wait_for_turns(f"{airflow} {uri}" for uri in uris)

    def _asset_of(self, path: str) -> Asset:
        return read_asset("asset", self.asset) or folder_asset(path)

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:
        """
        Return the archived files as outputs, for the OpenLineage provider, which then looks for no others.

        :param task_instance: The task instance that ended.
        :return: An ``OperatorLineage``.
        """
        # The provider calls this, so it and its client are there.
        from airflow.providers.openlineage.extractors import OperatorLineage

        return OperatorLineage(outputs=[_dataset(told) for told in self._announced])


def _dataset(told: VideoRecord) -> Any:
    """Return a file as OpenLineage names it: by its store, and by its path in there."""
    from openlineage.client.event_v2 import OutputDataset
    from openlineage.client.facet_v2 import output_statistics_output_dataset as statistics

    scheme, _, rest = uri_of(told.path or "").partition("://")
    where, _, key = rest.partition("/")
    namespace, name = (scheme, f"/{key}") if scheme in ("file", "local") else (f"{scheme}://{where}", key)
    facet = statistics.OutputStatisticsOutputDatasetFacet(size=told.bytes, fileCount=1)
    return OutputDataset(namespace, unquote(name), outputFacets={"outputStatistics": facet})


def _try(failure: str, step: Callable[[], object]) -> None:
    """Take a step; the video is archived, so what others are told of it is no reason to fail."""
    try:
        step()
    except Exception as error:
        log.warning("%s: %s", failure, describe_error(error))
