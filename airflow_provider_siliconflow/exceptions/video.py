"""Why a paid video is not ready, or not archived."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_siliconflow._airflow.names import AirflowFailException
from airflow_provider_siliconflow.billing import Billing
from airflow_provider_siliconflow.exceptions.base import SiliconFlowError

if TYPE_CHECKING:
    from datetime import datetime


class VideoTimeoutError(SiliconFlowError):
    """Raised when a video was not ready in time; its request id is kept, and a retry polls it again."""


class VideoUnavailableError(SiliconFlowError):
    """Raised when the service rejected every poll of a paid video for a grace period; a retry polls it again."""


class VideoFailedError(SiliconFlowError):
    """
    Raised when the service could not make the video.

    :param message: What happened.
    :param request_id: The video's request id.
    :param reason: The service's reason, verbatim but for masked secrets; may be empty.
    """

    def __init__(self, message: str = "", *, request_id: str = "", reason: str = "") -> None:
        super().__init__(message, billing=Billing.FAILED, request_id=request_id)
        self.reason = reason


class VideoFailedPermanentlyError(VideoFailedError, AirflowFailException):
    """Raised when a video failed in a task whose retry could only poll the same request id again."""


class VideoNotArchivedError(SiliconFlowError):
    """Raised when paid videos of a task are not archived; a retry re-attaches to them."""


class VideoExpiredError(SiliconFlowError):
    """
    Raised when the URL of a video has expired and no fresh one was to be had.

    :param message: What happened.
    :param made_at: When the URL was made, aware; None if it does not tell.
    """

    def __init__(self, message: str = "", *, made_at: datetime | None = None) -> None:
        super().__init__(message)
        self.made_at = made_at


class VideoIntegrityError(SiliconFlowError):
    """Raised when what was downloaded is not a whole video; nothing was published."""


class VideoLabelError(SiliconFlowError):
    """Raised when a video cannot be labelled as asked for; it is not published under its name without the label."""


class UnsafeUrlError(SiliconFlowError):
    """
    Raised when a URL, or where it redirects to, must not be fetched; nothing was fetched from there.

    One answer of the service is no reason to give up a paid video: a retry may poll for another URL.
    """


class DestinationError(SiliconFlowError):
    """Raised when a destination cannot be read or written; nothing half-written is left under its name."""


class DestinationRefusedError(DestinationError, AirflowFailException):
    """Raised when no retry can make a destination right, such as one that holds another video."""
