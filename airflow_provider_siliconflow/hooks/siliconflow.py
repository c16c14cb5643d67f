"""The SiliconFlow API from a worker: I/O and nothing else."""

from __future__ import annotations

from functools import cached_property
from http.client import HTTPException
from json import dumps
from typing import TYPE_CHECKING, Any, TypeVar

import tenacity

from airflow_provider_siliconflow._airflow.connections import BaseHook
from airflow_provider_siliconflow._airflow.releases import takes_form_from_hook
from airflow_provider_siliconflow.client import endpoints
from airflow_provider_siliconflow.client.masking import mask_text
from airflow_provider_siliconflow.exceptions import SiliconFlowAPIError, SiliconFlowError
from airflow_provider_siliconflow.hooks.connection import DEFAULT_CONN_NAME, Settings
from airflow_provider_siliconflow.hooks.exchange import NotSentError, Request, exchange
from airflow_provider_siliconflow.hooks.form import connection_form_widgets, ui_field_behaviour
from airflow_provider_siliconflow.hooks.http import (
    USER_AGENT,
    check_proxies,
    connection_error,
    log_oddity,
    proxy_for,
    response,
    tls_context,
)
from airflow_provider_siliconflow.hooks.retrying import policy
from airflow_provider_siliconflow.hooks.session import new_session

if TYPE_CHECKING:
    from decimal import Decimal
    from ssl import SSLContext

    import requests

    from airflow_provider_siliconflow.client.endpoints import Endpoint
    from airflow_provider_siliconflow.client.models import SubmittedVideo, VideoRequest, VideoStatus

T = TypeVar("T")

#: Seconds for a connection test; a person waits for it.
_TEST_TIMEOUT = 10.0
_GONE = 410


class SiliconFlowHook(BaseHook):
    """
    The SiliconFlow API, called from a worker.

    Calls are sent again only while that costs nothing: a submit only if it is known not to have been accepted.

    :param siliconflow_conn_id: Airflow connection of type ``siliconflow``: password is the API key, host the base
        URL with its version (default ``https://api.siliconflow.cn/v1``).
    """

    conn_name_attr = "siliconflow_conn_id"
    default_conn_name = DEFAULT_CONN_NAME
    conn_type = "siliconflow"
    hook_name = "SiliconFlow"
    if takes_form_from_hook():
        get_connection_form_widgets = staticmethod(connection_form_widgets)
        get_ui_field_behaviour = staticmethod(ui_field_behaviour)

    def __init__(self, siliconflow_conn_id: str = DEFAULT_CONN_NAME, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.siliconflow_conn_id = siliconflow_conn_id

    @cached_property
    def settings(self) -> Settings:
        """
        Return the connection's settings, checked as far as that is possible before a call.

        :return: The settings.
        :raises SiliconFlowConfigError: if it cannot be used.
        """
        settings = Settings.from_connection(self.get_connection(self.siliconflow_conn_id))
        # Here, and not within a call or after a video was paid for.
        check_proxies(settings)
        tls_context(settings.verify)
        return settings

    @property
    def ssl(self) -> SSLContext:
        """
        Return the TLS context of this connection, shared by all connections with the same ``verify``.

        :raises SiliconFlowConfigError: if the connection cannot be used.
        """
        return tls_context(self.settings.verify)

    def get_conn(self) -> requests.Session:
        """
        Return an HTTP session that sends the API key to the API's host, and to no other.

        For calls of one's own. The calls of this hook do not use it, see ``hooks/exchange.py``: a paid call that fails
        in a session cannot be told from one that was accepted.

        :return: A session with the connection's key, proxy, certificates and time limit for each read.
        :raises SiliconFlowConfigError: if the connection cannot be used.
        """
        return new_session(self.settings)

    def run(self, method: str, path: str, json: Any = None) -> Any:
        """
        Call a route of the API that this hook has no method for.

        A GET is repeated like a poll. Any other method may be a paid one, so it is sent again only if it is known not
        to have been accepted.

        :param method: The HTTP method.
        :param path: Path and query below the base URL, such as ``/images/generations``.
        :param json: The JSON body; None for none.
        :return: The response's JSON.
        :raises InvalidArgumentError: if the path does not begin with a slash, or has characters that no URL has.
        :raises SiliconFlowError: for any failure.
        """
        return self._call(endpoints.other(method, path, json))

    def submit_video(self, video: VideoRequest, attempts: int | None = None) -> SubmittedVideo:
        """
        Submit a video, once.

        :param video: What to make.
        :param attempts: Tries while the service rejects temporarily, instead of the connection's ``max_attempts``.
        :return: The accepted submit, with its request id.
        :raises InvalidVideoRequestError: before anything is sent, with all that is wrong.
        :raises SubmitOutcomeUnknownError: if the response is lost: a video may be running and billed.
        :raises SiliconFlowError: if nothing was submitted.
        """
        call = endpoints.submit(video)
        for warning in video.warnings():
            self.log.warning("%s It is submitted all the same.", warning)
        return self._call(call, attempts)

    def get_video_status(self, request_id: str, attempts: int | None = None) -> VideoStatus:
        """
        Poll a video; free, and may be repeated.

        :param request_id: The video's request id.
        :param attempts: Tries, instead of the connection's ``max_attempts``.
        :return: The video's status.
        :raises SiliconFlowNotFoundError: if this host and account do not know the id.
        :raises SiliconFlowError: for any other failure.
        """
        return self._call(endpoints.status(request_id), attempts)

    def poll(self, request_id: str, attempts: int | None = None) -> VideoStatus | SiliconFlowError:
        """
        Poll a video and return its status, or the error: what either means is decided where polls are evaluated.

        :param request_id: The video's request id.
        :param attempts: Tries, instead of the connection's ``max_attempts``.
        :return: The status, or how the poll failed.
        """
        try:
            return self.get_video_status(request_id, attempts)
        except SiliconFlowError as error:
            return error

    def list_models(self, model_type: str = "video") -> list[str]:
        """
        List the ids of the models on offer.

        :param model_type: The API's model type, such as ``video`` or ``image``.
        :return: The ids, in the service's order.
        :raises SiliconFlowError: if the service gives no list.
        """
        return self._call(endpoints.models(model_type))

    def get_balance(self) -> Decimal | None:
        """
        Return the account's total balance.

        :return: In the site's currency; None where the site does not say (observed: .cn responds with 410 since
            2026-08).
        :raises SiliconFlowError: for any other failure.
        """
        try:
            return self._call(endpoints.balance())
        except SiliconFlowAPIError as error:
            if error.status_code != _GONE:
                raise
            return None

    def test_connection(self) -> tuple[bool, str]:
        """
        Test whether host and key work together; never raise, never show the key.

        :return: Whether they do, and a sentence that says so or why not.
        """
        try:
            models = self._call(endpoints.models("video"), attempts=1, timeout=_TEST_TIMEOUT)
        except Exception as error:
            return False, mask_text(str(error)) or type(error).__name__
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
        headers = {
            "Authorization": f"Bearer {settings.api_key}",
            "Accept": "application/json",
            "User-Agent": USER_AGENT,
        }
        body = None
        if call.body is not None:
            body = dumps(call.body).encode()
            headers["Content-Type"] = "application/json"
        request = Request(call.method, settings.base_url + call.path, headers, body)
        proxy = proxy_for(settings.base_url, settings)
        try:
            reply = exchange(request, proxy=proxy, context=self.ssl, timeout=timeout)
        except NotSentError as error:
            failure = connection_error(settings, error.__cause__ or error, sent=False)
        except (OSError, HTTPException, ValueError) as error:
            failure = connection_error(settings, error, sent=True)
        else:
            result = call.read(response(settings, reply.status, reply.headers, reply.body, reply.cut))
            log_oddity(result)
            return result
        # Out here the library's own error is no context of ours; it may hold the key.
        raise failure
