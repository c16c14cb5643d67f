"""The SiliconFlow API from an event loop, with aiohttp: I/O and nothing else. Apart, as no worker needs to load it."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

import aiohttp
import tenacity
from airflow.providers.common.compat.connection import get_async_connection, get_async_extra_dejson
from airflow.providers.common.compat.sdk import BaseHook

from airflow_provider_siliconflow.client import endpoints
from airflow_provider_siliconflow.client.endpoints import Endpoint
from airflow_provider_siliconflow.client.models import SubmittedVideo, VideoRequest, VideoStatus
from airflow_provider_siliconflow.client.retry import Route
from airflow_provider_siliconflow.exceptions import SiliconFlowError
from airflow_provider_siliconflow.hooks.connection import DEFAULT_CONN_NAME, Settings
from airflow_provider_siliconflow.hooks.http import answer, connection_error, proxy_of, ssl_of
from airflow_provider_siliconflow.hooks.retrying import policy

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Connection

T = TypeVar("T")

#: Failures that are certain to come before the first byte of the request leaves.
_NEVER_SENT = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.ClientHttpProxyError)


class SiliconFlowAsyncHook(BaseHook):
    """
    Call the SiliconFlow API from an event loop; an asynchronous context manager that holds one HTTP session.

    :param siliconflow_conn_id: Airflow connection of type ``siliconflow``.
    """

    conn_name_attr = "siliconflow_conn_id"

    def __init__(self, siliconflow_conn_id: str = DEFAULT_CONN_NAME, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.siliconflow_conn_id = siliconflow_conn_id

    async def __aenter__(self) -> SiliconFlowAsyncHook:
        self.settings = await self._read_settings()
        self._ssl = await asyncio.to_thread(ssl_of, self.settings)
        self._proxy = await asyncio.to_thread(proxy_of, self.settings)
        timeout = aiohttp.ClientTimeout(total=self.settings.timeout, sock_connect=self.settings.timeout / 2)
        self._sessions = {
            Route.FREE: aiohttp.ClientSession(timeout=timeout),
            # No connection is used twice, for the reason given in hooks/siliconflow.py.
            Route.SUBMIT: aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(force_close=True)),
        }
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for session in self._sessions.values():
            await session.close()

    async def submit_video(self, video: VideoRequest, attempts: int | None = None) -> SubmittedVideo:
        """Do as :meth:`.SiliconFlowHook.submit_video`."""
        return await self._call(endpoints.submit(video), attempts)

    async def get_video_status(self, request_id: str, attempts: int | None = None) -> VideoStatus:
        """
        Do as :meth:`.SiliconFlowHook.get_video_status`.

        :param attempts: Tries, instead of the connection's; 1 for those who look again anyway.
        """
        return await self._call(endpoints.status(request_id), attempts)

    async def _read_settings(self) -> Settings:
        conn = await self._find_connection()
        return Settings.from_connection(conn, await get_async_extra_dejson(conn))

    async def _find_connection(self) -> Connection:
        try:
            return await get_async_connection(self.siliconflow_conn_id)
        except Exception:
            # Under `dag.test()` the asynchronous look-up does not see the database.
            return await asyncio.to_thread(self.get_connection, self.siliconflow_conn_id)

    async def _call(self, call: Endpoint[T], attempts: int | None = None) -> T:
        try:
            if attempts == 1:
                # For those who wait for thousands: what would make a retry costs as much as the call.
                return await self._send(call)
            retrying = tenacity.AsyncRetrying(**policy(call.route, self.settings, attempts))
            result: T = await retrying(self._send, call)
            return result
        except SiliconFlowError as error:
            last = call.final_error(error)
            raise last from (None if last is error else error)

    async def _send(self, call: Endpoint[T]) -> T:
        settings = self.settings
        try:
            async with self._sessions[call.route].request(
                call.method,
                settings.base_url + call.path,
                json=call.body,
                headers={"Authorization": f"Bearer {settings.api_key}"},
                proxy=self._proxy,
                ssl=self._ssl,
                allow_redirects=False,
            ) as response:
                body = await response.read()
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as error:
            failure = connection_error(settings, error, sent=not isinstance(error, _NEVER_SENT))
        else:
            return call.read(answer(settings, response.status, response.headers, body))
        # As in hooks/siliconflow.py.
        raise failure
