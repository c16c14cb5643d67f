"""One HTTP session of a connection, for all of an event loop that poll."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import TYPE_CHECKING, Protocol, TypeAlias

if TYPE_CHECKING:
    from airflow_provider_siliconflow.client.models import VideoStatus
    from airflow_provider_siliconflow.hooks.connection import Settings


class Hook(Protocol):
    """What is needed of :class:`.SiliconFlowAsyncHook`."""

    settings: Settings

    async def get_video_status(self, request_id: str, attempts: int | None = None) -> VideoStatus:
        """
        Poll a video.

        :param request_id: The video's request id.
        :param attempts: Tries, instead of the connection's ``max_attempts``.
        :return: The video's status.
        """
        ...


OpenHook: TypeAlias = Callable[[str], AbstractAsyncContextManager[Hook]]


class SharedSession:
    """
    A hook that is kept open until its connection says something else.

    :param conn_id: The Airflow connection.
    :param open_hook: Makes a hook that reads the connection when entered.
    """

    def __init__(self, conn_id: str, open_hook: OpenHook) -> None:
        self._conn_id = conn_id
        self._open_hook = open_hook
        self._stack = AsyncExitStack()
        self._closing: set[asyncio.Task[None]] = set()
        #: None until the connection was looked up.
        self.hook: Hook | None = None

    async def look_up(self) -> None:
        """
        Look the connection up, and go over to a new session if it has changed.

        :raises Exception: why that failed; the session in use stays open.
        """
        stack = AsyncExitStack()
        hook = await stack.enter_async_context(self._open_hook(self._conn_id))
        # From here to the end there is nothing to await: no cancellation can come between a hook and its owner.
        if self.hook is None or hook.settings != self.hook.settings:
            stack, self._stack, self.hook = self._stack, stack, hook
        # On a task of its own, which nobody who waits for it can cancel half way.
        closing = asyncio.get_running_loop().create_task(stack.aclose())
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)

    async def close(self) -> None:
        """Close all sessions."""
        try:
            await self._stack.aclose()
        finally:
            await asyncio.gather(*self._closing, return_exceptions=True)
