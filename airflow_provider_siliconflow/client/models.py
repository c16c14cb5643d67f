"""The models of the API: what is asked for and what comes back, as plain, frozen data with its JSON."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from airflow_provider_siliconflow.client import signed_urls
from airflow_provider_siliconflow.client.masking import excerpt

if TYPE_CHECKING:
    from datetime import datetime

#: Models that make videos, as the vendor's submit page lists them (api-reference/videos/videos_submit). The list
#: changes with notice, so an unknown model is a warning, never an error.
TEXT_TO_VIDEO_MODELS = frozenset({"Wan-AI/Wan2.2-T2V-A14B"})
IMAGE_TO_VIDEO_MODELS = frozenset({"Wan-AI/Wan2.2-I2V-A14B"})
KNOWN_MODELS = TEXT_TO_VIDEO_MODELS | IMAGE_TO_VIDEO_MODELS

#: Sizes of the same page: 16:9, 9:16, 1:1.
IMAGE_SIZES = ("1280x720", "720x1280", "960x960")

#: Bytes. No limit is documented for video; the same gateway rejects more than this on another route (413, code 20043).
LARGE_IMAGE = 5 * 1024 * 1024

_IMAGE_FORM = re.compile(r"(https?://\S+|data:image/[a-z0-9.+-]+;base64,[A-Za-z0-9+/]+={0,2})\Z", re.IGNORECASE)


#: Characters of a user's value that a message shows.
_SHOWN = 80


class VideoState(StrEnum):
    """States of a video in the service's own words; ``videos/get_videos_status`` documents exactly four."""

    IN_QUEUE = "InQueue"
    IN_PROGRESS = "InProgress"
    SUCCEED = "Succeed"
    FAILED = "Failed"
    UNKNOWN = "unknown"

    @classmethod
    def _missing_(cls, value: object) -> VideoState:
        """Read the word in any casing; for a success also in the forms that clients in the field have met."""
        return _STATES.get(re.sub(r"[\W_]", "", str(value)).lower(), cls.UNKNOWN)


#: A failure ends the wait for a paid video, so it has no other words than the documented one.
_STATES = {state.lower(): state for state in VideoState} | dict.fromkeys(
    ("succeeded", "success", "successful", "completed", "complete", "finished", "done"), VideoState.SUCCEED
)


@dataclass(frozen=True)
class VideoRequest:
    """
    What a video is made from, field by field as ``POST /video/submit`` documents it.

    :param model: Model id, e.g. ``Wan-AI/Wan2.2-T2V-A14B``.
    :param prompt: What to show.
    :param image_size: ``1280x720``, ``720x1280`` or ``960x960``.
    :param negative_prompt: What not to show.
    :param image: For image-to-video, an http(s) URL or a ``data:image/…;base64,`` URI.
    :param seed: A number that makes the result repeatable; no range is documented.
    """

    model: str
    prompt: str
    image_size: str
    negative_prompt: str | None = None
    image: str | None = field(default=None, repr=False)
    seed: int | None = None

    def validate(self) -> list[str]:
        """
        Return all that is wrong at once.

        :return: One sentence for each problem; empty if the request can be sent.
        """
        problems = []
        if not isinstance(self.model, str) or not self.model.strip():
            problems.append("model is empty.")
        if not isinstance(self.prompt, str) or not self.prompt.strip():
            problems.append("prompt is empty.")
        if self.image_size not in IMAGE_SIZES:
            problems.append(f"image_size {_shown(self.image_size)} is not one of {', '.join(IMAGE_SIZES)}.")
        if self.negative_prompt is not None and not isinstance(self.negative_prompt, str):
            problems.append("negative_prompt is not a text.")
        if self.seed is not None and (isinstance(self.seed, bool) or not isinstance(self.seed, int)):
            problems.append(f"seed {_shown(self.seed)} is not an integer.")
        return problems + self._image_problems()

    def _image_problems(self) -> list[str]:
        if not isinstance(self.model, str):
            return []
        if self.model in IMAGE_TO_VIDEO_MODELS and not self.image:
            return [f"{self.model} makes a video from an image: image is missing."]
        if self.model in TEXT_TO_VIDEO_MODELS and self.image:
            return [f"{self.model} makes a video from text alone: image must not be given."]
        if self.image and not (isinstance(self.image, str) and _IMAGE_FORM.match(self.image)):
            return ["image is neither an http(s) URL nor a base64 data URI of an image."]
        return []

    def warnings(self) -> list[str]:
        """
        Return what the service may reject, though nobody documents it.

        :return: One sentence for each warning.
        """
        warnings = []
        if self.model not in KNOWN_MODELS:
            known = ", ".join(sorted(KNOWN_MODELS))
            warnings.append(f"model {_shown(self.model)} is not among those known to this release ({known}).")
        if self.image and self.image[:5].lower() == "data:" and len(self.image) * 3 // 4 > LARGE_IMAGE:
            warnings.append("image is larger than 5 MB; SiliconFlow rejects such images on other routes (HTTP 413).")
        return warnings

    def to_json(self) -> dict[str, Any]:
        """
        Return the body of the submit.

        :return: The fields that are set.
        """
        return {name: value for name, value in vars(self).items() if value is not None}


def _shown(value: object) -> str:
    return excerpt(repr(value), length=_SHOWN)


@dataclass(frozen=True)
class SubmittedVideo:
    """
    An accepted submit.

    :param request_id: The only handle on the video; opaque, and cannot be found again if lost.
    :param trace_id: ``x-siliconcloud-trace-id``, if it came.
    :param host: The base URL that accepted it.
    :param oddity: What the response had that is not documented, for the log; empty for nothing.
    """

    request_id: str
    trace_id: str | None
    host: str
    oddity: str = field(default="", compare=False)


@dataclass(frozen=True)
class VideoStatus:
    """
    A video's status, as a poll returned it.

    :param request_id: The video's request id.
    :param status: One of the four words, or unknown.
    :param status_text: The word as it came.
    :param reason: The service's reason, verbatim; often empty.
    :param position: Position in the queue, where given (in the oldest documentation only).
    :param urls: Signed URLs, usable byte for byte only; neither ``repr`` nor ``str`` shows them.
    :param inference_seconds: Seconds of inference (unit inferred).
    :param seed: The seed that was used.
    :param trace_id: ``x-siliconcloud-trace-id``, if it came.
    :param oddity: What the response had that is not documented, for the log; empty for nothing.
    """

    request_id: str
    status: VideoState
    status_text: str = ""
    reason: str = ""
    position: int | None = None
    urls: tuple[str, ...] = field(default=(), repr=False)
    inference_seconds: float | None = None
    seed: int | None = None
    trace_id: str | None = None
    oddity: str = field(default="", compare=False)

    @property
    def url(self) -> str | None:
        """Return the first URL; no response with more than one was observed."""
        return self.urls[0] if self.urls else None

    @property
    def expires_at(self) -> datetime | None:
        """Return when the URL expires, read from the URL itself: aware, in UTC."""
        return signed_urls.expires_at(self.url) if self.url else None

    def to_xcom(self) -> dict[str, Any]:
        """
        Return the facts of a finished video as plain JSON.

        :return: Without its URL, which is secret.
        """
        facts = {
            "request_id": self.request_id,
            "expires_at": self.expires_at.isoformat() if self.expires_at else None,
            "seed": self.seed,
            "inference_seconds": self.inference_seconds,
            "trace_id": self.trace_id,
        }
        return facts | ({"position": self.position} if self.position is not None else {})
