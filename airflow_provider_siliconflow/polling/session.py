"""One open HTTP session for a connection, looked up again when its key is refused."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol, TypeAlias

from airflow.providers.common.compat.sdk import AirflowNotFoundException

from airflow_provider_siliconflow.client.models import VideoStatus
from airflow_provider_siliconflow.exceptions import SiliconFlowAuthenticationError, SiliconFlowError
from airflow_provider_siliconflow.hooks.connection import Settings

log = logging.getLogger(__name__)

PollResult: TypeAlias = VideoStatus | SiliconFlowError

#: Seconds for which a connection that was looked up again and found unchanged counts as looked up.
RENEWAL = 10.0
#: Seconds to the next try of a look-up that failed; doubled each time, up to the second figure.
_REOPEN, _REOPEN_AT_MOST = 2.0, 60.0


class Hook(Protocol):
    """Be what is needed of :class:`.SiliconFlowAsyncHook`."""

    settings: Settings

    async def get_video_status(self, request_id: str, attempts: int | None = None) -> VideoStatus:
        """Look at a video."""
        ...


OpenHook: TypeAlias = Callable[[str], AbstractAsyncContextManager[Hook]]


class Session:
    """
    Keep a hook open.

    :param conn_id: The Airflow connection.
    :param open_hook: Makes a hook that reads the connection when entered.
    """

    def __init__(self, conn_id: str, open_hook: OpenHook) -> None:
        self._conn_id = conn_id
        self._open_hook = open_hook
        self._hook: Hook | None = None
        self._held: AbstractAsyncContextManager[Hook] | None = None
        self._renewing = asyncio.Lock()
        self._renewed_at = float("-inf")

    @property
    def settings(self) -> Settings | None:
        """Return what the connection says, or None before it was looked up."""
        return self._hook.settings if self._hook else None

    async def open(self) -> None:
        """
        Look the connection up, again and again if that fails for a reason that may pass.

        :raises SiliconFlowConfigError: if it cannot be used.
        :raises AirflowNotFoundException: if there is none.
        """
        pause = _REOPEN
        while True:
            try:
                return await self._enter()
            except (SiliconFlowError, AirflowNotFoundException):
                raise
            except Exception as error:
                log.warning("Looking up Airflow connection %r failed, trying again: %s", self._conn_id, error)
            await asyncio.sleep(pause)
            pause = min(2 * pause, _REOPEN_AT_MOST)

    async def poll(self, request_id: str) -> PollResult:
        """
        Look at a video; a refused key is looked up again once before it counts as refused.

        :param request_id: The video.
        :return: What was seen, or how looking failed.
        """
        hook = self._hook
        assert hook, "opened before"
        try:
            return await hook.get_video_status(request_id, attempts=1)
        except SiliconFlowAuthenticationError as error:
            fresh = await self._renewed(hook)
            if fresh is hook:
                return error
        except SiliconFlowError as error:
            return error
        try:
            return await fresh.get_video_status(request_id, attempts=1)
        except SiliconFlowError as error:
            return error

    async def close(self) -> None:
        """Close the session."""
        if self._held:
            await self._held.__aexit__(None, None, None)

    async def _enter(self) -> None:
        held = self._open_hook(self._conn_id)
        hook = await held.__aenter__()
        if self._hook and hook.settings == self._hook.settings:
            await held.__aexit__(None, None, None)
            return
        before, self._held, self._hook = self._held, held, hook
        if before:
            await before.__aexit__(None, None, None)

    async def _renewed(self, on_throttled: Hook) -> Hook:
        """Look the connection up again, once for all who were refused; return the hook to use, maybe the same."""
        async with self._renewing:
            now = asyncio.get_running_loop().time()
            if self._hook is on_throttled and now > self._renewed_at + RENEWAL:
                try:
                    await self._enter()
                except Exception as error:
                    log.warning("Looking up Airflow connection %r again failed: %s", self._conn_id, error)
                self._renewed_at = now
            assert self._hook
            return self._hook
