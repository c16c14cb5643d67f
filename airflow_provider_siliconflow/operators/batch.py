"""Make a list of videos in one task."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.providers.common.compat.sdk import BaseOperator

from airflow_provider_siliconflow.batch import Progress, RowState, manifest, read_items
from airflow_provider_siliconflow.durability import OnUnknownSubmit
from airflow_provider_siliconflow.exceptions import SiliconFlowError, VideoTimeoutError
from airflow_provider_siliconflow.operators.archive import IfExists
from airflow_provider_siliconflow.triggers.batch import VideosEndedTrigger
from airflow_provider_siliconflow.triggers.video import FIRST_LOOK

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context


_GRACE = 300.0


class GenerateVideoBatchOperator(BaseOperator):
    """
    Submit a list of videos, wait for all with one trigger, archive each as it gets ready; return a manifest.

    A bad request never costs the others: what became of each is in its row of the manifest (``index``, ``state``
    ``done``/``refused``/``failed``/``unknown``, ``request_id``, ``path``, ``reason``, ``cost``). A retry takes up what
    is in flight and submits only what is missing: each request has a durable record of its own, found again by its
    content, so a list that has changed between two tries pays for nothing twice.

    :param requests: A list of prompts, or of mappings with ``prompt``, ``model``, ``image_size``,
        ``negative_prompt``, ``image``, ``seed``.
    :param destination: A folder, local or in any object storage; each video is ``<request_id>.mp4`` in it.
    :param model: For requests that do not say.
    :param image_size: For requests that do not say.
    :param siliconflow_conn_id: Airflow connection of type ``siliconflow``.
    :param if_exists: What to do if another video is at a destination: ``fail``, ``skip`` or ``overwrite``.
    :param poke_interval: Seconds between two looks at a video; None to learn from what videos take.
    :param timeout: Seconds to wait for the videos after the last submit.
    :param submit_timeout: Seconds for which submits that are refused for now are tried again.
    :param on_unknown_submit: As for ``SubmitVideoOperator``.
    :param reuse_on_clear: As for ``SubmitVideoOperator``.
    :param fail_on_partial_error: Fail the task, after everything else is safe, if any request was not done.
    :raises SiliconFlowError: if nothing at all was made, or with ``fail_on_partial_error``.
    :raises VideoTimeoutError: if a video was not ready in time; a retry goes on waiting for it.
    """

    template_fields: Sequence[str] = ("requests", "destination", "model", "image_size", "siliconflow_conn_id")
    ui_color = "#d2dcf0"

    def __init__(
        self,
        *,
        requests: list[str] | list[dict[str, Any]],
        destination: str,
        model: str | None = None,
        image_size: str | None = None,
        siliconflow_conn_id: str = "siliconflow_default",
        if_exists: IfExists = "fail",
        poke_interval: float | None = None,
        timeout: float = 1800,
        submit_timeout: float = 3600,
        on_unknown_submit: OnUnknownSubmit = "fail",
        reuse_on_clear: bool = False,
        fail_on_partial_error: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.requests = requests
        self.destination = destination
        self.model = model
        self.image_size = image_size
        self.siliconflow_conn_id = siliconflow_conn_id
        self.if_exists = if_exists
        self.poke_interval = poke_interval
        self.timeout = timeout
        self.submit_timeout = submit_timeout
        self.on_unknown_submit = on_unknown_submit
        self.reuse_on_clear = reuse_on_clear
        self.fail_on_partial_error = fail_on_partial_error

    def execute(self, context: Context) -> dict[str, Any]:
        """Submit, and go on as far as the videos are."""
        return self._advance(context, Progress(accepted_at=time.time()), ended=[])

    def execute_complete(self, context: Context, event: dict[str, Any]) -> dict[str, Any]:
        """
        Go on after a wait.

        :param event: ``{"ended": [request ids], "state": what the trigger was given}``.
        """
        if "message" in event:
            raise SiliconFlowError(
                f"The trigger that waited for the videos broke off: {event['message']}. They go on at the service and"
                " are billed; a retry of this task takes them up at no cost."
            )
        return self._advance(context, Progress.from_json(event["state"]), event["ended"])

    def _advance(self, context: Context, progress: Progress, ended: list[str]) -> dict[str, Any]:
        from airflow_provider_siliconflow.hooks.siliconflow import SiliconFlowHook
        from airflow_provider_siliconflow.operators.batch_steps import archive_ended, submit_missing

        hook = SiliconFlowHook(self.siliconflow_conn_id)
        defaults = {"model": self.model, "image_size": self.image_size}
        items = read_items(self.requests, {name: value for name, value in defaults.items() if value})
        archive_ended(self, context, hook, items, progress, ended)
        wait = submit_missing(self, context, hook, items, progress)
        if progress.flying or wait is not None:
            self._defer(progress, wait)
        return self._result(progress)

    def _defer(self, progress: Progress, wait: float | None) -> NoReturn:
        now = time.time()
        deadline = max(progress.deadline, now + (wait or 0.0))
        self.log.info("%s videos under way, %s rows decided.", len(progress.flying), len(progress.rows))
        self.defer(
            trigger=VideosEndedTrigger(
                self.siliconflow_conn_id,
                list(progress.flying.values()),
                deadline,
                wake_at=None if wait is None else now + wait,
                state=progress.to_json(),
                poke_interval=self.poke_interval,
            ),
            method_name="execute_complete",
            timeout=timedelta(seconds=max(deadline - now, FIRST_LOOK) + _GRACE),
        )

    def _result(self, progress: Progress) -> dict[str, Any]:
        result = manifest(progress.rows)
        if progress.unsafe:
            raise VideoTimeoutError(
                f"{result['done']} videos are archived; {len(progress.unsafe)} are paid for and not yet safe:"
                f" {' '.join(progress.unsafe)} A retry of this task takes them up at no cost."
            )
        undone = [row for row in progress.rows if row.state is not RowState.DONE]
        for row in undone:
            self.log.error("Request %s: %s: %s", row.index, row.state.value, row.reason)
        if undone and (self.fail_on_partial_error or not result["done"]):
            raise SiliconFlowError(
                f"{result['done']} of {len(progress.rows)} videos were made: {result['failed']} failed at the service,"
                f" {result['refused']} were refused and cost nothing, of {result['unknown']} the outcome is unknown."
                f" The first: {undone[0].reason}"
            )
        return result
