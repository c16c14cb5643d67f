"""The SiliconFlow API from an event loop, with aiohttp: I/O and nothing else. Apart, as no worker needs to load it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

import aiohttp
import tenacity

from airflow_provider_siliconflow._airflow.connections import BaseHook, get_async_connection
from airflow_provider_siliconflow.client import endpoints
from airflow_provider_siliconflow.client.response import MAX_BODY, Response
from airflow_provider_siliconflow.exceptions import SiliconFlowError
from airflow_provider_siliconflow.hooks.connection import DEFAULT_CONN_NAME, Settings
from airflow_provider_siliconflow.hooks.http import (
    USER_AGENT,
    connection_error,
    log_oddity,
    proxy_for,
    response,
    tls_context,
)
from airflow_provider_siliconflow.hooks.retrying import policy

if TYPE_CHECKING:
    from ssl import SSLContext
    from types import TracebackType

    from airflow.sdk import Connection

    from airflow_provider_siliconflow.client.endpoints import Endpoint
    from airflow_provider_siliconflow.client.models import VideoStatus

T = TypeVar("T")

#: Bytes of a body that are parsed on the event loop, in 2 ms at worst; 1 MiB of JSON can take 100. A real body has less
#: than 2 kB.
_READ_ON_LOOP = 1 << 13


class SiliconFlowAsyncHook(BaseHook):
    """
    Polls from an event loop; an asynchronous context manager that holds one HTTP session.

    It submits nothing: a submit must not share a connection with other calls, and belongs to a worker.

    :param siliconflow_conn_id: Airflow connection of type ``siliconflow``.
    """

    conn_name_attr = "siliconflow_conn_id"

    def __init__(self, siliconflow_conn_id: str = DEFAULT_CONN_NAME, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.siliconflow_conn_id = siliconflow_conn_id

    async def __aenter__(self) -> SiliconFlowAsyncHook:
        self.settings = Settings.from_connection(await self._find_connection())
        self._proxy = proxy_for(self.settings.base_url, self.settings)
        timeout = aiohttp.ClientTimeout(total=self.settings.timeout, sock_connect=self.settings.timeout / 2)
        # No Content-Encoding is asked for, and none is undone while the body comes in: a small body may be a huge one.
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=await self._tls()),
            timeout=timeout,
            headers={"Accept-Encoding": "identity", "Accept": "application/json", "User-Agent": USER_AGENT},
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def get_video_status(self, request_id: str, attempts: int | None = None) -> VideoStatus:
        """
        Poll a video as :meth:`.SiliconFlowHook.get_video_status` does.

        :param request_id: The video's request id.
        :param attempts: Tries, instead of the connection's ``max_attempts``; 1 for callers that poll again anyway.
        :return: The video's status.
        :raises SiliconFlowError: for any failure.
        """
        return await self._call(endpoints.status(request_id), attempts)

    async def _tls(self) -> SSLContext | bool:
        urls = (self.settings.base_url, self._proxy or "")
        if not any(url.startswith("https:") for url in urls):
            return True
        return await asyncio.to_thread(tls_context, self.settings.verify)

    async def _find_connection(self) -> Connection:
        try:
            return await get_async_connection(self.siliconflow_conn_id)
        except Exception:
            # Under `dag.test()` the asynchronous look-up does not see the database.
            return await asyncio.to_thread(self.get_connection, self.siliconflow_conn_id)

    async def _call(self, call: Endpoint[T], attempts: int | None = None) -> T:
        try:
            if attempts == 1:
                # For callers that poll thousands of videos: tenacity costs as much CPU as the call.
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
            async with self._session.request(
                call.method,
                settings.base_url + call.path,
                json=call.body,
                headers={"Authorization": f"Bearer {settings.api_key}"},
                proxy=self._proxy,
                allow_redirects=False,
            ) as came:
                body, cut = await _read_body(came.content)
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as error:
            failure = connection_error(settings, error, sent=True)
        else:
            result = await self._read(call, response(settings, came.status, came.headers, body, cut))
            log_oddity(result)
            return result
        # As in hooks/siliconflow.py.
        raise failure

    async def _read(self, call: Endpoint[T], came: Response) -> T:
        if len(came.body) > _READ_ON_LOOP or "content-encoding" in came.headers:
            return await asyncio.to_thread(call.read, came)
        return call.read(came)


async def _read_body(content: aiohttp.StreamReader) -> tuple[bytes, str]:
    """Return the body, or what came of it and why it is not whole."""
    body = bytearray()
    try:
        async for part in content.iter_any():
            body += part
            if len(body) > MAX_BODY:
                return bytes(body[:MAX_BODY]), f"the body has more than {MAX_BODY} bytes"
    except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as error:
        return bytes(body), f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return bytes(body), ""
