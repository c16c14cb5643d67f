"""A clock that no test waits for, and a service behind a hook."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Any, TypeAlias, TypeVar

from airflow_provider_siliconflow.client.models import VideoState, VideoStatus
from airflow_provider_siliconflow.exceptions import SiliconFlowAuthenticationError, SiliconFlowError
from airflow_provider_siliconflow.hooks.connection import Settings

T = TypeVar("T")
#: Says what the service answers: a status, an error, or something to await.
Response: TypeAlias = Callable[[str], "VideoStatus | SiliconFlowError | Coroutine[Any, Any, VideoStatus]"]


class _LeapingSelector(selectors.DefaultSelector):
    """Leap to the next due time instead of waiting for it."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        found = super().select(0)
        if not found and timeout is None:
            raise AssertionError("everybody waits, and nothing will ever happen")
        if not found and timeout:
            self.now += timeout
        return found


class FakeLoop(asyncio.SelectorEventLoop):
    """Run on a clock of its own that leaps over all idle time."""

    def __init__(self) -> None:
        self.leaping = _LeapingSelector()
        super().__init__(self.leaping)

    def time(self) -> float:
        return self.leaping.now

    def run_in_executor(  # type: ignore[override]  # a clock that leaps must not overtake a thread
        self, executor: Any, func: Callable[..., T], *args: Any
    ) -> asyncio.Future[T]:
        done: asyncio.Future[T] = self.create_future()
        done.set_result(func(*args))
        return done


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run on a fake clock."""
    with asyncio.Runner(loop_factory=FakeLoop) as runner:
        return runner.run(main)


def now() -> float:
    """Return the fake time."""
    return asyncio.get_running_loop().time()


class EpochClock:
    """Tell the fake time as epoch seconds, in the place of the module ``time``."""

    @staticmethod
    def time() -> float:
        """Return the epoch seconds."""
        return 1_000_000.0 + now()


def status(request_id: str, word: VideoState = VideoState.IN_PROGRESS) -> VideoStatus:
    """Make a status."""
    return VideoStatus(request_id, word, str(word))


@dataclass
class Service:
    """
    Stand in for connection and service; every call takes 0.1 s.

    :param answer: Says what a poll brings.
    :param settings: What the connection says; replace it to rotate the key.
    :param accepted: The key that is accepted, or None for any.
    """

    answer: Response = status
    settings: Settings = field(default_factory=lambda: Settings("https://sf.test/v1", "sk-old"))
    accepted: str | None = None
    lookup_errors: list[Exception] = field(default_factory=list)
    #: What the connections of other names than the first say.
    others: dict[str, Settings] = field(default_factory=dict)
    opened: int = 0
    closed: int = 0
    calls: list[tuple[float, str]] = field(default_factory=list)
    under_way: int = 0
    most_under_way: int = 0

    def open(self, conn_id: str) -> FakeHook:
        """Make a hook."""
        return FakeHook(self, conn_id)

    def rotate(self, key: str, *, connection: bool = True) -> None:
        """Change the key at the service and, if told so, in the connection."""
        self.accepted = key
        if connection:
            self.settings = replace(self.settings, api_key=key)

    def times(self, request_id: str) -> list[float]:
        """Return when a video was asked for."""
        return [when for when, asked in self.calls if asked == request_id]


class FakeHook:
    """Stand in for the asynchronous hook."""

    settings: Settings

    def __init__(self, service: Service, conn_id: str) -> None:
        self.service = service
        self.conn_id = conn_id

    async def __aenter__(self) -> FakeHook:
        await asyncio.sleep(0)
        if self.service.lookup_errors:
            raise self.service.lookup_errors.pop(0)
        self.settings = self.service.others.get(self.conn_id, self.service.settings)
        self.service.opened += 1
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.sleep(0)
        self.service.closed += 1

    async def get_video_status(self, request_id: str, attempts: int | None = None) -> VideoStatus:
        assert attempts == 1
        service = self.service
        service.calls.append((now(), request_id))
        service.under_way += 1
        service.most_under_way = max(service.most_under_way, service.under_way)
        try:
            await asyncio.sleep(0.1)
            if service.accepted not in (None, self.settings.api_key):
                raise SiliconFlowAuthenticationError("Api key is invalid", status_code=401)
            answer = service.answer(request_id)
            if asyncio.iscoroutine(answer):
                answer = await answer
            if isinstance(answer, SiliconFlowError):
                raise answer
            assert isinstance(answer, VideoStatus)
            return answer
        finally:
            service.under_way -= 1
