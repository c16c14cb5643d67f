"""The URL in use: when it expires, and how to get a fresh one."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from airflow_provider_siliconflow.client import signed_urls
from airflow_provider_siliconflow.exceptions import SiliconFlowError, VideoExpiredError

log = logging.getLogger(__name__)

FreshUrl = Callable[[], Awaitable[str | None]]


def utc_now() -> datetime:
    """
    Return the time.

    :return: Aware, in UTC.
    """
    return datetime.now(UTC)


class RefreshableUrl:
    """
    The URL of one download; a fresh one is asked for at most once without a byte received in between.

    :param url: The URL at hand, if any.
    :param fresh_url: Asks the service for a URL now; None where nobody can be asked.
    :param clock: Tells the time, aware.
    :param margin: Seconds before its expiry from which on a URL is not used.
    """

    def __init__(
        self, url: str | None, fresh_url: FreshUrl | None, clock: Callable[[], datetime], margin: float
    ) -> None:
        self._url = url
        self._fresh_url = fresh_url
        self._clock = clock
        self._margin = timedelta(seconds=margin)
        self._asked_at: int | None = None
        #: What the service gave when it was asked for a fresh URL.
        self._outcome = "No fresh URL could be asked for."

    async def current(self, received: int) -> str:
        """
        Return the URL to use now.

        :param received: Bytes received so far.
        :return: A URL; one that is expired by our clock where there is no other, for the storage's clock decides.
        :raises VideoExpiredError: if there is none.
        """
        if self._url is None or self._expires_soon():
            try:
                await self._ask(received)
            except SiliconFlowError as error:
                if self._url is None:
                    raise
                self._outcome = f"Asking for a fresh one failed: {error}"
        if self._url is None:
            raise VideoExpiredError(f"There is no URL of the video. {self._outcome}")
        return self._url

    async def rejected(self, received: int, said: str) -> None:
        """
        Replace the URL by a fresh one, since the storage rejected it.

        :param received: Bytes received so far.
        :param said: What the storage said.
        :raises VideoExpiredError: if there is no other.
        """
        if not await self._ask(received):
            raise VideoExpiredError(self._describe_expired(said), made_at=signed_urls.made_at(self._url or ""))

    def expires_at(self) -> datetime | None:
        """
        Return when the URL in use expires.

        :return: None if it does not tell.
        """
        return signed_urls.expires_at(self._url) if self._url else None

    def _expires_soon(self) -> bool:
        expires = self.expires_at()
        return expires is not None and expires - self._margin <= self._clock()

    async def _ask(self, received: int) -> bool:
        """Return whether the service gave another URL."""
        if self._fresh_url is None or self._asked_at == received:
            return False
        self._asked_at = received
        fresh = await self._fresh_url()
        if not fresh or fresh == self._url:
            self._outcome = "The service was asked again and gave " + ("the same URL." if fresh else "none.")
            return False
        log.info("Using a fresh URL: %s", signed_urls.mask(fresh))
        self._url = fresh
        self._outcome = "The service had been asked again: this is its fresh URL."
        return True

    def _describe_expired(self, said: str) -> str:
        made, expires, now = signed_urls.made_at(self._url or ""), self.expires_at(), self._clock()
        when_made = f"It was made {made.isoformat(timespec='seconds')}. " if made else ""
        when = "It does not tell when it expires"
        if expires is not None:
            tense = "expired" if expires <= now else "should be valid until"
            when = f"It {tense} {expires.isoformat(timespec='seconds')}, now it is {now.isoformat(timespec='seconds')}"
        facts = f"The URL {signed_urls.mask(self._url or '')} is expired: the storage answered {said.rstrip('.')}."
        return f"{facts} {when_made}{when}. {self._outcome}"
