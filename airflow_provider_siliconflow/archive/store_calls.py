"""Calls to a store from an event loop, each for a limited time; where the time is over, its thread holds nothing."""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_provider_siliconflow.archive import claim as claims
from airflow_provider_siliconflow.archive.claim_file import Claim, ForeignClaimError
from airflow_provider_siliconflow.archive.errors import no_answer
from airflow_provider_siliconflow.exceptions import DestinationError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from airflow_provider_siliconflow.archive.destination import Destination

log = logging.getLogger(__name__)

_T = TypeVar("_T")


class StoreCalls:
    """
    Calls to the store of one destination.

    :param timeout: Seconds for each.
    """

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout

    async def run(self, shown: Any, call: Callable[..., _T], *args: Any) -> _T:
        """
        Run a blocking call.

        :param shown: What it is about, for the message.
        :param call: What to call, with all further arguments.
        :return: What it returns.
        :raises DestinationError: if it takes longer.
        """
        try:
            # Not by wait_for, which on Python 3.11 drops a cancellation that comes together with the result.
            async with asyncio.timeout(self._timeout):
                return await asyncio.to_thread(call, *args)
        except TimeoutError:
            raise no_answer(shown, self._timeout) from None

    async def release(self, destination: Destination, owner: str, token: str | None = None) -> None:
        """
        Release a claim; a store that hangs is no reason to fail.

        :param destination: Where the video goes.
        :param owner: Whose claim is released.
        :param token: The claim's; None for whichever the owner has.
        """
        try:
            await self.run(destination.path, claims.release_quietly, destination.path, owner, token)
        except DestinationError as error:
            log.warning("The claim was not released: %s", error)

    @asynccontextmanager
    async def claimed(self, destination: Destination, owner: str | None) -> AsyncIterator[Claim | None]:
        """
        Hold the claim; on failure, one that was there before stays, for it keeps the name for a retry.

        :param destination: Where the video goes.
        :param owner: Who publishes; None for a writer without a name.
        :yield: The claim; None where nothing is claimed.
        :raises DestinationError: if another owner holds it.
        """
        taking = asyncio.ensure_future(self.run(destination.path, _take_claim, destination, owner))
        claim: Claim | None = None
        try:
            try:
                claim = await asyncio.shield(taking)
            except asyncio.CancelledError:
                # The thread takes the claim all the same, and then it is to be released.
                with suppress(Exception):
                    claim = await taking
                raise
            yield claim
        except BaseException:
            if claim and not claim.is_renewed:
                # By its token: the next try of this task may have the claim by now.
                await self.release(destination, claim.owner, claim.token)
            raise


async def within(publishing: Awaitable[dict[str, Any]], seconds: float, destination: Destination) -> dict[str, Any]:
    """
    Wait for a store no longer than the same download would be waited for; its thread holds nothing.

    :param publishing: What publishes.
    :param seconds: The limit.
    :param destination: Where the video goes.
    :return: The manifest.
    :raises DestinationError: if it takes longer.
    """
    try:
        async with asyncio.timeout(seconds):
            return await publishing
    except TimeoutError:
        raise DestinationError(
            f"Cannot archive: {destination.path}: the store did not take the video within {seconds:.0f} s. A retry"
            " finds it there if it was taken all the same."
        ) from None


def _take_claim(destination: Destination, owner: str | None) -> Claim | None:
    """Take the claim, for a video that is paid: a claim of others is something that a retry may find gone."""
    if destination.is_folder:
        return None
    try:
        if owner:
            return claims.take(destination.path, owner)
        claims.check_unclaimed(destination.path)
    except ForeignClaimError as held:
        raise DestinationError(f"Cannot archive: {held}") from None
    return None
