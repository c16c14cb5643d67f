"""Run the sandbox: on the loop at hand, or on a thread of its own for tests."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Self, TypeVar

from aiohttp import web

from airflow_provider_siliconflow.sandbox.app import SITES, build
from airflow_provider_siliconflow.sandbox.clock import Clock
from airflow_provider_siliconflow.sandbox.faults import Fault, FaultBook
from airflow_provider_siliconflow.sandbox.service import Service
from airflow_provider_siliconflow.sandbox.settings import Settings
from airflow_provider_siliconflow.sandbox.videos import Videos

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from airflow_provider_siliconflow.sandbox.ledger import Ledger

LOOPBACK = "127.0.0.1"
#: Seconds that calls under way get when the sandbox ends.
_SHUTDOWN_SECONDS = 0.1
_BACKLOG = 4096
#: Seconds after which a step of the sandbox's own thread counts as hung.
_STEP_TIMEOUT = 30
_T = TypeVar("_T")


class Server:
    """
    A sandbox that listens on the running event loop.

    :param settings: The switches.
    :param clock: The time.
    """

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self.service = Service(settings, clock)
        self.book = FaultBook(settings.seed, settings.faults)
        self.videos = Videos(settings)
        app = build(self.service, self.videos, self.book)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=_SHUTDOWN_SECONDS)

    async def start(self, host: str, port: int) -> int:
        """
        Start to listen.

        :param host: Address to listen on.
        :param port: 0 picks a free one.
        :return: The port.
        :raises OSError: If it is taken.
        """
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port, backlog=_BACKLOG)
        await site.start()
        return int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        """Stop listening, end calls under way and close all files."""
        await self._runner.cleanup()


class Sandbox:
    """
    A sandbox beside the caller: ``with Sandbox(Settings(tiny=True)) as sandbox: sandbox.base_url``.

    :param settings: The switches.
    :param start: Frozen at this time (epoch seconds) until :meth:`advance`; ``None`` follows the machine's clock.
    :param port: 0 picks a free one.
    """

    def __init__(self, settings: Settings | None = None, start: float | None = None, port: int = 0) -> None:
        self.settings = settings or Settings()
        self.clock = Clock(start)
        self.port = port
        self.key, self.key_other, self.key_com = self.settings.key, self.settings.key_other, self.settings.key_com
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="sandbox", daemon=True)

    @property
    def root(self) -> str:
        """Return scheme, host and port."""
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def base_url(self) -> str:
        """Return the .cn site's base URL."""
        return self.root + next(prefix for prefix, site in SITES.items() if site == "cn")

    @property
    def base_url_com(self) -> str:
        """Return the .com site's base URL."""
        return self.root + next(prefix for prefix, site in SITES.items() if site == "com")

    def __enter__(self) -> Self:
        """
        Start, and return when it listens.

        :return: This sandbox.
        :raises OSError: If the port is taken.
        """
        self._server = Server(self.settings, self.clock)
        self._thread.start()
        starting = asyncio.run_coroutine_threadsafe(self._server.start(LOOPBACK, self.port), self._loop)
        try:
            self.port = starting.result(timeout=_STEP_TIMEOUT)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """
        Stop, and leave nothing running.

        :param kind: Left out.
        :param error: Left out.
        :param trace: Left out.
        """
        self._end()

    def _end(self) -> None:
        asyncio.run_coroutine_threadsafe(self._server.stop(), self._loop).result(timeout=_STEP_TIMEOUT)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=_STEP_TIMEOUT)
        self._loop.close()

    def ledger(self) -> Ledger:
        """
        Return a snapshot of the ledger.

        :return: A copy that does not change.
        """
        return self._run(self._server.service.ledger)

    def script(self, *faults: Fault) -> None:
        """Add faults."""
        self._run(lambda: self._server.book.add(*faults))

    def clear_faults(self) -> None:
        """Forget all faults."""
        self._run(self._server.book.clear)

    def advance(self, seconds: float) -> None:
        """
        Move the sandbox's clock forward.

        :param seconds: How far.
        """
        self.clock.advance(seconds)

    def change_key(self, account: str, key: str) -> None:
        """
        Give an account another key; ``self.key`` stays what it was.

        :param account: ``cn``, ``other`` or ``com``.
        :param key: The key.
        """
        self._run(lambda: setattr(self._server.service.accounts[account], "key", key))

    def reset(self) -> None:
        """Forget jobs, ledger, faults and limits."""
        self._run(self._server.book.clear)
        self._run(self._server.service.reset)

    def _run(self, work: Callable[[], _T]) -> _T:
        """Do something on the sandbox's own thread, where nothing changes meanwhile."""

        async def step() -> _T:
            return work()

        return asyncio.run_coroutine_threadsafe(step(), self._loop).result(timeout=_STEP_TIMEOUT)
