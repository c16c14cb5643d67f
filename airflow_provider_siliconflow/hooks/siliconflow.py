"""The SiliconFlow API from a worker, with requests: I/O and nothing else."""

from __future__ import annotations

from decimal import Decimal
from functools import cached_property
from ssl import SSLCertVerificationError, SSLContext
from typing import Any, TypeVar

import requests
import tenacity
import urllib3
from airflow.providers.common.compat.sdk import BaseHook

from airflow_provider_siliconflow.client import endpoints
from airflow_provider_siliconflow.client.endpoints import Endpoint
from airflow_provider_siliconflow.client.models import SubmittedVideo, VideoRequest, VideoStatus
from airflow_provider_siliconflow.exceptions import SiliconFlowAPIError, SiliconFlowError
from airflow_provider_siliconflow.hooks.connection import DEFAULT_CONN_NAME, Settings
from airflow_provider_siliconflow.hooks.http import answer, connection_error, ssl_of
from airflow_provider_siliconflow.hooks.retrying import policy

T = TypeVar("T")

#: Seconds for a connection test; a person waits for it.
_TEST_TIMEOUT = 10.0
_GONE = 410


class _Bearer(requests.auth.AuthBase):
    """Carry the key as requests' own auth, since a ``~/.netrc`` entry would replace a plain header."""

    def __init__(self, api_key: str) -> None:
        self._api_key = api_key

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Sign the request."""
        request.headers["Authorization"] = f"Bearer {self._api_key}"
        return request


class SiliconFlowHook(BaseHook):
    """
    Call the SiliconFlow API from a worker.

    Calls are sent again only while that costs nothing: a submit only if it is known not to have been accepted.

    :param siliconflow_conn_id: Airflow connection of type ``siliconflow``: password is the API key, host the base
        URL with its version (default ``https://api.siliconflow.cn/v1``).
    """

    conn_name_attr = "siliconflow_conn_id"
    default_conn_name = DEFAULT_CONN_NAME
    conn_type = "siliconflow"
    hook_name = "SiliconFlow"

    def __init__(self, siliconflow_conn_id: str = DEFAULT_CONN_NAME, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.siliconflow_conn_id = siliconflow_conn_id

    @cached_property
    def settings(self) -> Settings:
        """
        Return what the connection says.

        :raises SiliconFlowConfigError: if it cannot be used.
        """
        conn = self.get_connection(self.siliconflow_conn_id)
        settings = Settings.from_connection(conn, conn.extra_dejson)
        # Here, and not in the midst of a call, where nobody could tell whether anything was sent; and kept, for all
        # authorities are read, which the downloads of a batch would do anew for each video.
        self._ssl = ssl_of(settings)
        return settings

    @property
    def ssl(self) -> SSLContext | bool:
        """
        Return what aiohttp's ``ssl`` wants for this connection.

        :raises SiliconFlowConfigError: if the connection cannot be used.
        """
        _ = self.settings  # which reads it
        return self._ssl

    def submit_video(self, video: VideoRequest, attempts: int | None = None) -> SubmittedVideo:
        """
        Submit a video, once.

        :param video: What to make.
        :param attempts: Tries while the service refuses for now, instead of the connection's ``max_attempts``.
        :raises InvalidVideoRequestError: before anything is sent, with all that is wrong.
        :raises SubmitOutcomeUnknownError: if the answer is lost: a video may be running and billed.
        :raises SiliconFlowError: if nothing was submitted.
        """
        call = endpoints.submit(video)
        for doubt in video.warnings():
            self.log.warning("%s It is submitted all the same.", doubt)
        return self._call(call, attempts)

    def get_video_status(self, request_id: str, attempts: int | None = None) -> VideoStatus:
        """
        Look at a video; free, and may be repeated.

        :param request_id: What the submit answered.
        :param attempts: Tries, instead of the connection's.
        :raises SiliconFlowNotFoundError: if this host and account do not know the id.
        :raises SiliconFlowError: for any other failure.
        """
        return self._call(endpoints.status(request_id), attempts)

    def poll(self, request_id: str, attempts: int | None = None) -> VideoStatus | SiliconFlowError:
        """
        Look at a video and return what was seen, or how looking failed: both are for the judge of the wait.

        :param request_id: What the submit answered.
        :param attempts: Tries, instead of the connection's.
        """
        try:
            return self.get_video_status(request_id, attempts)
        except SiliconFlowError as error:
            return error

    def list_models(self, type: str = "video") -> list[str]:
        """
        List the ids of the models on offer.

        :param type: The API's model type.
        :raises SiliconFlowError: if there is no list to be had.
        """
        return self._call(endpoints.models(type))

    def get_balance(self) -> Decimal | None:
        """
        Return the account's total balance in the site's currency, or None where the site does not tell.

        :raises SiliconFlowError: for any failure but 410, which .cn answers since 2026-08.
        """
        try:
            return self._call(endpoints.balance())
        except SiliconFlowAPIError as error:
            if error.status_code != _GONE:
                raise
            return None

    def test_connection(self) -> tuple[bool, str]:
        """Return whether host and key work together, and a sentence that says so; never raise, never show the key."""
        try:
            models = self._call(endpoints.models("video"), attempts=1, timeout=_TEST_TIMEOUT)
        except Exception as error:
            return False, str(error) or type(error).__name__
        return True, f"{self.settings.base_url} accepts the key and offers {len(models)} video models."

    def _call(self, call: Endpoint[T], attempts: int | None = None, timeout: float | None = None) -> T:
        retrying = tenacity.Retrying(**policy(call.route, self.settings, attempts))
        try:
            result: T = retrying(self._send, call, timeout or self.settings.timeout)
            return result
        except SiliconFlowError as error:
            last = call.final_error(error)
            raise last from (None if last is error else error)

    def _send(self, call: Endpoint[T], timeout: float) -> T:
        settings = self.settings
        try:
            # Without a session, so each call has a connection of its own: on a kept-alive one that the server has
            # just closed, "never arrived" and "answer lost" look alike, and for a submit that is free or paid.
            response = requests.request(
                call.method,
                settings.base_url + call.path,
                json=call.body,
                auth=_Bearer(settings.api_key),
                timeout=timeout,
                verify=settings.verify,
                proxies={"http": settings.proxy, "https": settings.proxy} if settings.proxy else None,
                allow_redirects=False,
            )
        # requests lets a ValueError through, of a redirect's malformed address for one, even if it is not to follow.
        except (requests.RequestException, OSError, ValueError) as error:
            failure = connection_error(settings, error, sent=not _never_sent(error))
        else:
            return call.read(answer(settings, response.status_code, response.headers, response.content))
        # Out here the library's own error is no context of ours; it may hold the key.
        raise failure


_NEVER_SENT = (
    requests.ConnectTimeout,
    requests.exceptions.InvalidURL,
)
#: urllib3 raises ProxyError only before the proxy is connected to.
_NEVER_SENT_REASONS = (
    urllib3.exceptions.NewConnectionError,
    urllib3.exceptions.ConnectTimeoutError,
    urllib3.exceptions.ProxyError,
)


def _never_sent(error: BaseException) -> bool:
    """Tell whether a failure is certain to have come before the first byte of the request left."""
    if isinstance(error, _NEVER_SENT):
        return True
    reason = getattr(error.args[0], "reason", None) if error.args else None
    if isinstance(reason, urllib3.exceptions.SSLError):
        return bool(reason.args) and isinstance(reason.args[0], SSLCertVerificationError)
    return isinstance(reason, _NEVER_SENT_REASONS)
