"""Submit videos and bring them to where they last."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseOperator

from airflow_provider_siliconflow.api.video import VideoRequest
from airflow_provider_siliconflow.exceptions import InvalidVideoRequestError
from airflow_provider_siliconflow.images import image_field

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context


class SubmitVideoOperator(BaseOperator):
    """
    Submit a video to SiliconFlow, once, and return its request id.

    Pushes the XCom ``submission``: ``request_id``, ``model``, ``host``, ``trace_id``, ``submitted_at`` (ISO 8601).

    :param prompt: What to show; the vendor's guide advises fewer than 200 words.
    :param model: Model id, e.g. ``Wan-AI/Wan2.2-T2V-A14B``; an unknown one is warned of, not refused.
    :param image_size: ``1280x720``, ``720x1280`` or ``960x960``.
    :param negative_prompt: What not to show.
    :param image: For image-to-video: an http(s) URL, a data URI, a local path or any object-storage URI.
    :param seed: A number that makes the result repeatable.
    :param siliconflow_conn_id: Airflow connection of type ``siliconflow``.
    :raises InvalidVideoRequestError: for a request that cannot become a video, before anything is paid.
    :raises SubmitOutcomeUnknownError: if the answer was lost: a video may be running and billed.
    """

    template_fields: Sequence[str] = (
        "prompt",
        "model",
        "image_size",
        "negative_prompt",
        "image",
        "seed",
        "siliconflow_conn_id",
    )
    ui_color = "#d9d2f7"

    def __init__(
        self,
        *,
        prompt: str,
        model: str,
        image_size: str,
        negative_prompt: str | None = None,
        image: str | None = None,
        seed: int | str | None = None,
        siliconflow_conn_id: str = "siliconflow_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.prompt = prompt
        self.model = model
        self.image_size = image_size
        self.negative_prompt = negative_prompt
        self.image = image
        self.seed = seed
        self.siliconflow_conn_id = siliconflow_conn_id

    def execute(self, context: Context) -> str:
        """Submit the video and return its request id."""
        from airflow_provider_siliconflow.hooks.siliconflow import SiliconFlowHook

        request = self._request()
        submitted = SiliconFlowHook(self.siliconflow_conn_id).submit_video(request)
        self.log.info(
            "Submitted video %s to %s (trace id %s)", submitted.request_id, submitted.host, submitted.trace_id
        )
        context["ti"].xcom_push(
            key="submission",
            value={
                "request_id": submitted.request_id,
                "model": request.model,
                "host": submitted.host,
                "trace_id": submitted.trace_id,
                "submitted_at": datetime.now(UTC).isoformat(timespec="seconds"),
            },
        )
        return submitted.request_id

    def _request(self) -> VideoRequest:
        return VideoRequest(
            model=self.model,
            prompt=self.prompt,
            image_size=self.image_size,
            negative_prompt=self.negative_prompt or None,
            image=image_field(self.image) if self.image else None,
            seed=_integer(self.seed),
        )


def _integer(seed: int | str | None) -> int | None:
    """Read a seed, which a template turns into text."""
    if isinstance(seed, str):
        text = seed.strip()
        if not text or text == "None":
            return None
        try:
            return int(text)
        except ValueError:
            raise InvalidVideoRequestError(f"seed {seed!r} is not an integer.") from None
    return seed
