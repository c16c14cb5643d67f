"""The decorator ``@task.siliconflow_video``: a function returns what to show, and the task makes the video."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk.bases.decorator import DecoratedOperator, task_decorator_factory

from airflow_provider_siliconflow._airflow.rendered import plain_path
from airflow_provider_siliconflow.exceptions import InvalidVideoRequestError
from airflow_provider_siliconflow.jobs.announce import AnnouncesVideos
from airflow_provider_siliconflow.jobs.batch_list import read_requests
from airflow_provider_siliconflow.jobs.labels import label_fields
from airflow_provider_siliconflow.jobs.reattach import explain_invalid
from airflow_provider_siliconflow.jobs.record import SubmitStore
from airflow_provider_siliconflow.jobs.request import FIELDS
from airflow_provider_siliconflow.jobs.returned import ReturnedStore
from airflow_provider_siliconflow.operators.base import PaidVideoOperator
from airflow_provider_siliconflow.operators.batch import GenerateVideoBatchOperator
from airflow_provider_siliconflow.operators.generate import GenerateVideoOperator

if TYPE_CHECKING:
    from datetime import timedelta
    from pathlib import PurePath

    from airflow.sdk import Asset, Context, ObjectStoragePath
    from airflow.sdk.bases.decorator import TaskDecorator

    from airflow_provider_siliconflow.archive.existing import IfExists
    from airflow_provider_siliconflow.label import VideoLabel

#: The fields of a request that the decorator may give for all that the function returns.
_DEFAULTS = tuple(name for name in FIELDS if name != "prompt")
#: Those of them that a batch takes for all of its requests.
_BATCH_DEFAULTS = ("model", "image_size")
#: What both operators take besides the request.
_ARGUMENTS = (
    *("siliconflow_conn_id", "deferrable", "submit_timeout", "on_unknown_submit", "reuse_on_clear", "spend_limit"),
    *("destination", "if_exists", "poke_interval", "timeout", "probe_destination", "video_label", "asset"),
)


class VideoDecoratedOperator(AnnouncesVideos, DecoratedOperator, PaidVideoOperator):
    """
    Generate and archive the video, or the list of videos, that a function asks for.

    The function is called once for all tries: what it returned is kept beside the record of the submits, so that a
    retry re-attaches to what was paid for. A clear calls it again. What it returned is no template and names no file.

    :param destination: As for ``GenerateVideoOperator``; for a list, a folder.
    :param model: For requests that do not say; so the four after it.
    :param image_size: ``1280x720``, ``720x1280`` or ``960x960``.
    :param negative_prompt: What not to show.
    :param image: For image-to-video. A request with a data URI or a URL with a query is not kept: each retry calls the
        function again then.
    :param seed: A number that makes the result repeatable.
    :param if_exists: As for ``GenerateVideoOperator``; so all that follow.
    :param poke_interval: Seconds, or a ``timedelta``, between two polls.
    :param timeout: Seconds, or a ``timedelta``, to wait for the video.
    :param probe_destination: Whether to find out before paying if a store can be written to.
    :param fail_on_partial_error: As for ``GenerateVideoBatchOperator``, for a list.
    :param video_label: The labels of AI-generated video.
    :param asset: The asset of which each archived video is an event.
    """

    template_fields: Sequence[str] = (
        *DecoratedOperator.template_fields,
        *(*_DEFAULTS, "destination", "siliconflow_conn_id", "video_label"),
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {**DecoratedOperator.template_fields_renderers}
    #: No argument of the function names a file.
    template_ext: Sequence[str] = ()
    custom_operator_name = "@task.siliconflow_video"
    ui_color = "#d2dcf0"

    def __init__(  # noqa: DOC102, DOC103  (those of the base class are documented as well)
        self,
        *,
        destination: str | PurePath | ObjectStoragePath,
        model: str | None = None,
        image_size: str | None = None,
        negative_prompt: str | None = None,
        image: str | None = None,
        seed: int | str | None = None,
        if_exists: IfExists = "fail",
        poke_interval: timedelta | float | None = None,
        timeout: timedelta | float = 1800,
        probe_destination: bool = True,
        fail_on_partial_error: bool = False,
        video_label: VideoLabel | Mapping[str, Any] | None = None,
        asset: Asset | str | None = None,
        **kwargs: Any,
    ) -> None:
        # A function that returns a mapping is no task with many outputs: it returns a path or a manifest.
        super().__init__(**kwargs | {"multiple_outputs": False})
        self.destination = plain_path(destination)
        self.model = model
        self.image_size = image_size
        self.negative_prompt = negative_prompt
        self.image = image
        self.seed = seed
        self.if_exists = if_exists
        self.poke_interval = poke_interval
        self.timeout = timeout
        self.probe_destination = probe_destination
        self.fail_on_partial_error = fail_on_partial_error
        self.video_label = label_fields(video_label)
        self.declare_outlet(asset)
        self._made: GenerateVideoOperator | GenerateVideoBatchOperator | None = None

    def execute(self, context: Context) -> Any:
        """
        Call the function, unless an earlier try did, and make what it asks for.

        :param context: The task's context.
        :return: The path of the video; of a list, the manifest.
        :raises SiliconFlowError: what went wrong; its ``billing`` says what happened to the money.
        """
        return self._through(context, self._returned(context), "execute")

    def resume_submit(self, context: Context, event: dict[str, Any]) -> Any:
        """
        Submit again what was rejected temporarily.

        :param context: The task's context.
        :param event: The :class:`.SubmitRetryEvent`.
        :return: The path of the video.
        """
        return self._through(context, self._returned(context), "resume_submit", event)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        """
        Archive what is ready, now that the trigger saw waits end.

        :param context: The task's context.
        :param event: The :class:`.WaitEvent`; of a list, the :class:`.BatchEvent`.
        :return: The path of the video; of a list, the manifest.
        """
        is_list = isinstance(event, dict) and "ended" in event
        try:
            returned = self._returned(context)
        except Exception:
            # It is paid for: what was asked for is on record, and no function or store may hold it up.
            self.log.exception("What the function returned is not known now; continues with what is paid for.")
            returned = None
        if _is_list(returned) is not is_list:
            returned = [] if is_list else ""
        return self._through(context, returned, "execute_complete", event)

    def execute_after_failed_deferral(self, context: Context, error_text: str) -> Any:
        """
        Poll in the worker.

        :param context: The task's context.
        :param error_text: What Airflow tells of it.
        :return: The path of the video; of a list, the manifest.
        """
        return self._through(context, self._returned(context), "execute_after_failed_deferral", error_text)

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:
        """
        Return the archived files as outputs.

        :param task_instance: The task instance that ended.
        :return: An ``OperatorLineage``.
        """
        told: Any = super() if self._made is None else self._made
        return told.get_openlineage_facets_on_complete(task_instance)

    def on_kill(self) -> None:
        """Log what happens to the money: nothing can cancel a video."""
        if self._made:
            self._made.on_kill()

    def _returned(self, context: Context) -> Any:
        """Return what the function asks for, as it did in the first process of this task."""
        policy = self.policy()
        store = ReturnedStore(self.find_stores(context), context["ti"].max_tries)
        self.sweep_on_success(store)
        kept = store.read(policy)
        if kept is not None:
            self.log.info("The function is not called again: what it has returned for this task still counts.")
            return kept
        returned = self._call(context)
        if not store.keep(returned):
            self.log.info("What the function returned is not kept; a retry calls it again.")
        return returned

    def _call(self, context: Context) -> Any:
        given = {**context, **self.op_kwargs}
        parameters = inspect.signature(self.python_callable).parameters
        takes_all = any(each.kind is each.VAR_KEYWORD for each in parameters.values())
        names = given.keys() if takes_all else given.keys() & parameters
        by_position = list(parameters)[: len(self.op_args)]
        return self.python_callable(*self.op_args, **{name: given[name] for name in names - {*by_position}})

    def _through(self, context: Context, returned: Any, method: str, *arguments: Any) -> Any:
        """Have the operator of one video, or that of a list, do the work; it pays for nothing twice."""
        self._made = self._batch(returned) if _is_list(returned) else self._single(context, returned, method)
        try:
            # Airflow wraps ``execute``, to warn of operators in operators: this one is no task of its own.
            return inspect.unwrap(getattr(type(self._made), method))(self._made, context, *arguments)
        finally:
            # What the operator sweeps once the task has succeeded.
            self.on_success_callback = self._made.on_success_callback

    def _single(self, context: Context, returned: Any, method: str) -> GenerateVideoOperator:
        (request,) = read_requests([returned], self._defaults(*_DEFAULTS))
        if request.problem and method == "execute":
            error = InvalidVideoRequestError(f"What the function returned cannot be sent. {request.problem}")
            record = SubmitStore(self.find_stores(context)).read()
            told = explain_invalid(error, record, context["ti"].max_tries, self.policy())
            raise told from (None if told is error else error)
        fields: dict[str, Any] = {"prompt": "", "model": "", "image_size": "", **request.fields}
        return GenerateVideoOperator(**fields, **self._arguments())

    def _batch(self, returned: Any) -> GenerateVideoBatchOperator:
        more = self._defaults(*(name for name in _DEFAULTS if name not in _BATCH_DEFAULTS))
        named = [{"prompt": each} if isinstance(each, str) else each for each in returned]
        requests = [{**more, **each} if isinstance(each, Mapping) else each for each in named]
        return GenerateVideoBatchOperator(
            requests=requests,
            fail_on_partial_error=self.fail_on_partial_error,
            **self._defaults(*_BATCH_DEFAULTS),
            **self._arguments(),
        )

    def _defaults(self, *names: str) -> dict[str, Any]:
        return {name: value for name in names if (value := getattr(self, name)) not in (None, "")}

    def _arguments(self) -> dict[str, Any]:
        arguments = {name: getattr(self, name) for name in _ARGUMENTS}
        return {"task_id": self.task_id, "on_success_callback": self.on_success_callback, **arguments}


def siliconflow_video_task(python_callable: Callable[..., Any] | None = None, **kwargs: Any) -> TaskDecorator:
    """
    Make a function into a task that generates and archives the video that it asks for: ``@task.siliconflow_video``.

    :param python_callable: The function; it returns a prompt, the fields of a request, or a list of these.
    :return: The decorator; its keyword arguments are those of :class:`VideoDecoratedOperator`.
    """
    kwargs["multiple_outputs"] = False
    return task_decorator_factory(python_callable, decorated_operator_class=VideoDecoratedOperator, **kwargs)


def _is_list(returned: Any) -> bool:
    return isinstance(returned, Sequence) and not isinstance(returned, (str, bytes))
