"""An ASGI app that is imported at its first request: workers and triggerers load plugins, too, and serve nothing."""

from __future__ import annotations

import asyncio
import logging
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    Message = MutableMapping[str, Any]
    App = Callable[[Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]]

log = logging.getLogger(__name__)


class LazyApp:
    """
    An ASGI app of another module. Where that cannot be imported, each request is answered with 503.

    :param module: Name of the module.
    :param name: Name of the app in it.
    """

    def __init__(self, module: str, name: str) -> None:
        self._module = module
        self._name = name
        self._app: App | None = None

    async def __call__(
        self,
        scope: Message,
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        """
        Serve a request.

        :param scope: As ASGI says, so the others.
        :param receive: Returns the next message of the client.
        :param send: Sends a message to the client.
        """
        if self._app is None:
            # In a thread: an import takes long, and all of Airflow's API waits for the event loop.
            self._app = await asyncio.to_thread(self._load)
        await self._app(scope, receive, send)

    def _load(self) -> App:
        try:
            app: App = getattr(import_module(self._module), self._name)
        except Exception:
            log.exception("The gallery of videos cannot be shown on this Airflow.")
            return _unavailable
        return app


async def _unavailable(
    scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
) -> None:
    if scope["type"] != "http":
        return
    body = b'{"detail": "The gallery cannot be shown on this Airflow: the log of the API server says why."}'
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 503, "headers": headers})
    await send({"type": "http.response.body", "body": body})
