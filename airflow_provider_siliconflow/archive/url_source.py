"""The link in use: when it dies, and how to come by a fresh one."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from airflow_provider_siliconflow.client import signed_urls
from airflow_provider_siliconflow.exceptions import SiliconFlowError, VideoExpiredError

log = logging.getLogger(__name__)

FreshUrl = Callable[[], Awaitable[str | None]]


class RefreshableUrl:
    """
    Keep the link of one download; ask for a fresh one at most once without a byte gained in between.

    :param url: The link at hand, if any.
    :param fresh_url: Asks the service for a link now; None where nobody can be asked.
    :param clock: Tells the time, aware.
    :param margin: Seconds of life below which a link is not started with.
    """

    def __init__(
        self, url: str | None, fresh_url: FreshUrl | None, clock: Callable[[], datetime], margin: float
    ) -> None:
        self._url = url
        self._fresh_link = fresh_url
        self._clock = clock
        self._margin = timedelta(seconds=margin)
        self._asked_at: int | None = None
        #: What came of asking for a fresh link.
        self._outcome = "No fresh link could be asked for."

    async def current(self, received: int) -> str:
        """
        Return the link to use now.

        :param received: Bytes gained so far.
        :raises VideoExpiredError: if there is none. One that looks dead by our clock is returned when there is no
            other: the storage's clock decides.
        """
        if self._url is None or self._is_dying():
            try:
                await self._ask(received)
            except SiliconFlowError as error:
                if self._url is None:
                    raise
                self._outcome = f"Asking for a fresh one failed: {error}"
        if self._url is None:
            raise VideoExpiredError(f"There is no link to the video. {self._outcome}")
        return self._url

    async def refused(self, received: int, said: str) -> None:
        """
        Take note that the storage refused the link, and change it for a fresh one.

        :param received: Bytes gained so far.
        :param said: What the storage said.
        :raises VideoExpiredError: if there is no other.
        """
        if not await self._ask(received):
            raise VideoExpiredError(self._obituary(said), made_at=signed_urls.made_at(self._url or ""))

    def expires_at(self) -> datetime | None:
        """Return when the link in use dies, if it tells."""
        return signed_urls.expires_at(self._url) if self._url else None

    def _is_dying(self) -> bool:
        dies = self.expires_at()
        return dies is not None and dies - self._margin <= self._clock()

    async def _ask(self, received: int) -> bool:
        """Return whether another link was to be had."""
        if self._fresh_link is None or self._asked_at == received:
            return False
        self._asked_at = received
        fresh = await self._fresh_link()
        if not fresh or fresh == self._url:
            self._outcome = "The service was asked again and gave " + ("the same link." if fresh else "none.")
            return False
        log.info("Took a fresh link: %s", signed_urls.mask(fresh))
        self._url = fresh
        self._outcome = "The service had been asked again: this is its fresh link."
        return True

    def _obituary(self, said: str) -> str:
        made, dies, now = signed_urls.made_at(self._url or ""), self.expires_at(), self._clock()
        born = f"It was made {made.isoformat(timespec='seconds')}. " if made else ""
        when = "It does not tell when it dies"
        if dies is not None:
            tense = "died" if dies <= now else "should live until"
            when = f"It {tense} {dies.isoformat(timespec='seconds')}, now it is {now.isoformat(timespec='seconds')}"
        facts = f"The link {signed_urls.mask(self._url or '')} is dead: the storage answered {said.rstrip('.')}."
        return f"{facts} {born}{when}. {self._outcome}"
