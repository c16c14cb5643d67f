"""Wait in the triggerer for many videos at once."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_siliconflow.client.models import VideoStatus
from airflow_provider_siliconflow.polling.decision import evaluate
from airflow_provider_siliconflow.triggers.video import MIN_DEFERRAL_SECONDS, load_poller

if TYPE_CHECKING:
    from airflow_provider_siliconflow.exceptions import SiliconFlowError

#: Seconds for which a video can have been ready when the event comes: those that get ready meanwhile share a worker's
#: start, which is most of what a batch costs, and the worker has the rest of a minute to make their bytes safe.
MAX_READY_AGE = 45.0
#: Seconds from the look that finds a video ready to the event, at least. Where two looks are more than 30 s apart
#: (early in a wait, in a crowd, after failures, by poke_interval), each video would come alone otherwise.
COALESCE_SECONDS = 15.0
#: Seconds between two lines in the log.
LOG_INTERVAL = 60.0


class VideoBatchTrigger(BaseTrigger):
    """
    Look at many videos, and fire once some are no longer to be waited for, or at a given time.

    :param siliconflow_conn_id: Airflow connection of type ``siliconflow``.
    :param videos: Epoch seconds of the submit, and of when it was last known not to be ready, by request id; may be
        empty.
    :param deadline: Epoch seconds after which no video is waited for.
    :param wake_at: Epoch seconds at which to fire in any case.
    :param state: What the task must remember; handed back as it is. Plain JSON without secrets.
    :param poke_interval: Seconds between two looks at a video; None to learn from what videos take.
    :param model: The model of all videos, if it is one.
    """

    def __init__(
        self,
        siliconflow_conn_id: str,
        videos: Mapping[str, Sequence[float]],
        deadline: float,
        wake_at: float,
        state: dict[str, Any],
        poke_interval: float | None = None,
        model: str | None = None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.siliconflow_conn_id = siliconflow_conn_id
        self.videos = videos
        self.deadline = deadline
        self.wake_at = wake_at
        self.state = state
        self.poke_interval = poke_interval
        self.model = model
        self._seen: dict[str, str] = {}
        self._last_polled: dict[str, float] = {}
        self._said_at = float("-inf")

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class path and the arguments to make the trigger anew; plain JSON without secrets."""
        names = ("siliconflow_conn_id", "videos", "deadline", "wake_at", "state", "poke_interval", "model")
        return f"{type(self).__module__}.{type(self).__qualname__}", {name: getattr(self, name) for name in names}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """
        Fire ``{"ended": [request ids], "last_polled": {request id: epoch seconds}, "state": …}`` once.

        There is a ``message`` in it if waiting broke off.
        """
        event: dict[str, Any] = {"ended": [], "last_polled": self._last_polled, "state": self.state}
        try:
            event["ended"] = await self._ended()
        except Exception as error:
            self.log.exception("Waiting for %s videos broke off", len(self.videos))
            event["message"] = f"{type(error).__name__}: {error}"
        yield TriggerEvent(event)

    async def on_kill(self) -> None:
        """Tell the truth: nothing can cancel a video; see :meth:`.VideoReadyTrigger.on_kill`."""
        if self.videos:
            self.log.warning(
                "No longer waiting here for %s videos. They keep running at SiliconFlow and are billed: nothing can"
                " cancel them. A retry takes them up: %s",
                len(self.videos),
                ", ".join(self.videos),
            )

    async def _ended(self) -> list[str]:
        # An event that comes sooner can overtake the executor's own report of the deferral; looks may.
        soonest = time.time() + MIN_DEFERRAL_SECONDS
        if not self.videos:
            await asyncio.sleep(max(self.wake_at, soonest) - time.time())
            return []
        # Once, and before anybody watches: of many who import it at the same time, some would find half a module.
        poller = await load_poller()
        watchers = {asyncio.create_task(self._watch(poller, request_id)): request_id for request_id in self.videos}
        try:
            await self._gather(watchers, soonest)
            await asyncio.sleep(max(0.0, soonest - time.time()))
            ended = [watcher for watcher in watchers if watcher.done()]
            for watcher in ended:
                watcher.result()
            return [watchers[watcher] for watcher in ended]
        finally:
            for watcher in watchers:
                watcher.cancel()
            await asyncio.gather(*watchers, return_exceptions=True)

    async def _gather(self, watchers: Mapping[asyncio.Task[bool], str], soonest: float) -> None:
        """Wait until all have ended, or it is time for those that have."""
        pending, until = set(watchers), self.wake_at
        while pending and (left := max(until, soonest) - time.time()) > 0:
            done, pending = await asyncio.wait(pending, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            for watcher in done:
                request_id, now = watchers[watcher], time.time()
                _, last_polled = self.videos[request_id]
                # The worker's clock may be ahead of this one.
                ready_since = min(now, self._last_polled.get(request_id, last_polled))
                until = min(until, max(now + COALESCE_SECONDS, ready_since + MAX_READY_AGE))

    async def _watch(self, poller: ModuleType, request_id: str) -> bool:
        def decide(look: VideoStatus | SiliconFlowError, _: object) -> bool | None:
            now = time.time()
            self._tell(request_id, look, now)
            if evaluate(request_id, look, now=now, deadline=self.deadline):
                return True
            if isinstance(look, VideoStatus):
                self._last_polled[request_id] = now
            return None

        now = time.time()
        submitted, last_polled = self.videos[request_id]
        ended: bool = await poller.poller_of(self.siliconflow_conn_id).watch(
            decide,
            request_id,
            model=self.model,
            waited=now - submitted,
            last_polled=now - last_polled,
            first=0.0,
            left=max(0.0, self.deadline - now),
            interval=self.poke_interval,
        )
        return ended

    def _tell(self, request_id: str, look: VideoStatus | SiliconFlowError, now: float) -> None:
        """Say how the videos are, once a minute at most."""
        self._seen[request_id] = look.status_text if isinstance(look, VideoStatus) else type(look).__name__
        if len(self._seen) == len(self.videos) and now - self._said_at >= LOG_INTERVAL:
            self._said_at = now
            counts = Counter(self._seen.values()).most_common()
            self.log.info("%s videos: %s", len(self.videos), ", ".join(f"{count} {word}" for word, count in counts))
