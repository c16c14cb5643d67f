"""One open HTTP session for a connection, looked up again when its key is rejected."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Protocol, TypeAlias

from airflow_provider_siliconflow._airflow.names import AirflowNotFoundException
from airflow_provider_siliconflow.client.masking import describe_error, excerpt
from airflow_provider_siliconflow.client.models import VideoStatus
from airflow_provider_siliconflow.exceptions import (
    SiliconFlowAuthenticationError,
    SiliconFlowConfigError,
    SiliconFlowConnectionError,
    SiliconFlowError,
)
from airflow_provider_siliconflow.hooks.connection import Settings
from airflow_provider_siliconflow.polling.decision import PollResult

log = logging.getLogger(__name__)

#: Seconds for which a connection that was looked up again counts as looked up.
RENEWAL = 10.0
#: Seconds by which the event loop may wake somebody too early.
_EARLY = 0.1


class Hook(Protocol):
    """What is needed of :class:`.SiliconFlowAsyncHook`."""

    settings: Settings

    async def get_video_status(self, request_id: str, attempts: int | None = None) -> VideoStatus:
        """Poll a video."""
        ...


OpenHook: TypeAlias = Callable[[str], AbstractAsyncContextManager[Hook]]


class Session:
    """
    A hook that is kept open.

    :param conn_id: The Airflow connection.
    :param open_hook: Makes a hook that reads the connection when entered.
    """

    def __init__(self, conn_id: str, open_hook: OpenHook) -> None:
        self._conn_id = conn_id
        self._open_hook = open_hook
        self._hook: Hook | None = None
        self._stack = AsyncExitStack()
        # A hook is closed on a task of its own, which nobody who waits for it can cancel half way.
        self._closing: set[asyncio.Task[None]] = set()
        self._renewing = asyncio.Lock()
        self._renewed_at = float("-inf")

    @property
    def settings(self) -> Settings | None:
        """Return what the connection says, or None before it was looked up."""
        return self._hook.settings if self._hook else None

    async def open(self) -> SiliconFlowError | None:
        """
        Look the connection up, and open a new hook if it has changed.

        :return: None, or why that failed, as a poll would tell it: all of these may pass.
        """
        try:
            await self._replace_hook()
        except SiliconFlowError as error:
            failure = error
        except AirflowNotFoundException as error:
            said = excerpt(str(error))
            failure = SiliconFlowConfigError(f"The Airflow connection {self._conn_id!r} is not found: {said}")
        except Exception as error:
            what = f"the look-up of the Airflow connection {self._conn_id!r} failed ({describe_error(error)})"
            failure = SiliconFlowConnectionError(what, host="Airflow")
        else:
            return None
        log.warning("Looking up Airflow connection %r failed, trying again: %s", self._conn_id, failure)
        return failure

    async def poll(self, request_id: str) -> PollResult:
        """
        Poll a video; a key that is rejected is looked up again, and used if it is another.

        :param request_id: The video's request id.
        :return: Its status, or why there is none.
        """
        hook = self._hook
        assert hook, "opened before"
        result = await _poll(hook, request_id)
        if isinstance(result, SiliconFlowAuthenticationError):
            await self.renew(hook)
            if self._hook is not hook and self._hook:
                return await _poll(self._hook, request_id)
        return result

    async def renew(self, rejected: Hook | None = None) -> None:
        """
        Look the connection up again, once for all whose key was rejected.

        :param rejected: The hook that was used, if a poll was rejected.
        """
        async with self._renewing:
            now = asyncio.get_running_loop().time()
            if rejected in (None, self._hook) and now > self._renewed_at + RENEWAL - _EARLY:
                self._renewed_at = now
                await self.open()

    async def close(self) -> None:
        """Close the session."""
        try:
            await self._stack.aclose()
        finally:
            await asyncio.gather(*self._closing, return_exceptions=True)

    async def _replace_hook(self) -> None:
        stack = AsyncExitStack()
        hook = await stack.enter_async_context(self._open_hook(self._conn_id))
        # From here to the end there is nothing to await: no cancellation can come between a hook and its owner.
        if self._hook and hook.settings == self._hook.settings:
            self._close_later(stack)
        else:
            self._close_later(self._stack)
            self._stack, self._hook = stack, hook

    def _close_later(self, stack: AsyncExitStack) -> None:
        task = asyncio.get_running_loop().create_task(stack.aclose())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)


async def _poll(hook: Hook, request_id: str) -> PollResult:
    try:
        return await hook.get_video_status(request_id, attempts=1)
    except SiliconFlowError as error:
        return error
    except Exception as error:
        # Whatever it is (a hook that was closed for a new key, a mistake in reading an odd response): it passes, or it
        # is told when the wait ends. It must not end the wait for a paid video.
        log.exception("Polling video %s failed", request_id)
        return SiliconFlowConnectionError(describe_error(error, hook.settings.secrets))
