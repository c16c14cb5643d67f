"""
The errors of this provider, by cause.

::

    SiliconFlowError                      anything below; an AirflowException
    ├── InvalidArgumentError          *   an argument cannot be understood
    │   └── InvalidVideoRequestError  *   … of a video that was about to be submitted
    ├── ImageUnavailableError             the store of an image cannot be reached, before anything was sent
    ├── SiliconFlowConfigError        *   the Airflow connection cannot be used as it is
    ├── SiliconFlowConnectionError        no whole response came: refused, timed out, reset
    ├── SiliconFlowAPIError               the service responded, but not with what was asked for
    │   ├── SiliconFlowAuthenticationError  *   401
    │   ├── SiliconFlowPermissionError      *   403
    │   ├── SiliconFlowBalanceError         *   402, codes 30xxx
    │   ├── SiliconFlowBadRequestError      *   400, 413, 451 …, codes 20xxx
    │   ├── SiliconFlowNotFoundError        *   404, 410, a redirect
    │   ├── SiliconFlowRateLimitError           429
    │   ├── SiliconFlowOverloadedError          503, codes 50xxx
    │   └── SiliconFlowServerError              500, 502, 504, code 60000, a malformed response
    ├── SubmitOutcomeUnknownError     *   a submit was sent and its answer is lost: a video may be billed
    ├── SubmitRejectedError               a submit was rejected temporarily until submit_timeout
    ├── SpendLimitError                   the limit of videos is reached, or cannot be read: nothing was submitted
    ├── SubmitRecordError                 the record of a submit cannot be read or written
    ├── SubmitConflictError           *   the task has paid for another request than the one it has now
    ├── VideoTimeoutError                 a video was not ready in time; a retry polls it again
    ├── VideoUnavailableError             the service rejected every poll of a paid video for a while
    ├── VideoFailedError                  the service could not make the video
    │   └── VideoFailedPermanentlyError *   … and the task could only poll the same request id again
    ├── VideoNotArchivedError             a paid video could not be archived; a retry re-attaches to it
    ├── VideoExpiredError                 the URL of a video has expired and no fresh one was to be had
    ├── VideoIntegrityError               what was downloaded is not a whole video
    ├── VideoLabelError                   a video cannot be labelled as asked; it is not published unlabelled
    ├── UnsafeUrlError                    a URL of a video leads where no video of the service can be
    └── DestinationError                  the destination cannot be read or written
        └── DestinationRefusedError   *   … or holds another video, or cannot hold one

    * no retry can succeed: an AirflowFailException as well

Each error says what happened to the money in its field ``billing``; :mod:`airflow_provider_siliconflow.billing` makes
the sentence of it.
"""

from __future__ import annotations

from airflow_provider_siliconflow.exceptions.api import (
    SiliconFlowAPIError,
    SiliconFlowAuthenticationError,
    SiliconFlowBadRequestError,
    SiliconFlowBalanceError,
    SiliconFlowConnectionError,
    SiliconFlowNotFoundError,
    SiliconFlowOverloadedError,
    SiliconFlowPermissionError,
    SiliconFlowRateLimitError,
    SiliconFlowServerError,
)
from airflow_provider_siliconflow.exceptions.base import (
    InvalidArgumentError,
    SiliconFlowConfigError,
    SiliconFlowError,
)
from airflow_provider_siliconflow.exceptions.submit import (
    ImageUnavailableError,
    InvalidVideoRequestError,
    SpendLimitError,
    SubmitConflictError,
    SubmitOutcomeUnknownError,
    SubmitRecordError,
    SubmitRejectedError,
)
from airflow_provider_siliconflow.exceptions.video import (
    DestinationError,
    DestinationRefusedError,
    UnsafeUrlError,
    VideoExpiredError,
    VideoFailedError,
    VideoFailedPermanentlyError,
    VideoIntegrityError,
    VideoLabelError,
    VideoNotArchivedError,
    VideoTimeoutError,
    VideoUnavailableError,
)

__all__ = [
    "DestinationError",
    "DestinationRefusedError",
    "ImageUnavailableError",
    "InvalidArgumentError",
    "InvalidVideoRequestError",
    "SiliconFlowAPIError",
    "SiliconFlowAuthenticationError",
    "SiliconFlowBadRequestError",
    "SiliconFlowBalanceError",
    "SiliconFlowConfigError",
    "SiliconFlowConnectionError",
    "SiliconFlowError",
    "SiliconFlowNotFoundError",
    "SiliconFlowOverloadedError",
    "SiliconFlowPermissionError",
    "SiliconFlowRateLimitError",
    "SiliconFlowServerError",
    "SpendLimitError",
    "SubmitConflictError",
    "SubmitOutcomeUnknownError",
    "SubmitRecordError",
    "SubmitRejectedError",
    "UnsafeUrlError",
    "VideoExpiredError",
    "VideoFailedError",
    "VideoFailedPermanentlyError",
    "VideoIntegrityError",
    "VideoLabelError",
    "VideoNotArchivedError",
    "VideoTimeoutError",
    "VideoUnavailableError",
]
