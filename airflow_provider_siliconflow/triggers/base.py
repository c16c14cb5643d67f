"""What all triggers share: arguments of another release, steady time, and the poller of their event loop."""

from __future__ import annotations

import asyncio
import inspect
import logging
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_siliconflow.polling.poller import Poller

log = logging.getLogger(__name__)

#: Seconds from the deferral to the first poll. An event that comes sooner can overtake the executor's own report of
#: the deferral, and Airflow then fails the task (seen on 3.3.2 with LocalExecutor).
MIN_DEFERRAL_SECONDS = 10.0
#: Seconds between two lines in the log.
LOG_INTERVAL = 60.0

_poller_of: Callable[[str], Poller] | None = None
_told: set[str] = set()


class StoredTrigger(BaseTrigger):
    """
    A trigger whose arguments Airflow has stored, maybe by another release: they are kept under their own names.

    :param unknown: Arguments that this release does not know; logged once, and ignored.
    """

    def __init__(self, unknown: dict[str, Any]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        names = f"{type(self).__name__}: {', '.join(sorted(unknown))}"
        if unknown and names not in _told:
            _told.add(names)
            log.warning("Arguments of another release are ignored (%s): were all parts of Airflow restarted?", names)

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """
        Return what it takes to make the trigger anew.

        :return: The class path, and the arguments: plain JSON without secrets.
        """
        names = [name for name in inspect.signature(type(self)).parameters if name != "unknown"]
        return f"{type(self).__module__}.{type(self).__qualname__}", {name: getattr(self, name) for name in names}


async def load_poller() -> Callable[[str], Poller]:
    """
    Import the poller when it is wanted, so that a DAG file which imports the sensor loads no HTTP library.

    On a thread, since the first import reads many files and the event loop is shared.

    :return: What finds the poller of a connection: :func:`.poller_of`.
    """
    global _poller_of
    if _poller_of is None:
        _poller_of = await asyncio.to_thread(_import_poller)
    return _poller_of


def _import_poller() -> Callable[[str], Poller]:
    from airflow_provider_siliconflow.polling.poller import poller_of

    return poller_of


def steady_clock(epoch: float) -> Callable[[], float]:
    """
    Make a clock that stays right when the system's clock is set; called on an event loop.

    :param epoch: The epoch seconds now.
    :return: What tells the epoch seconds, by the event loop's time.
    """
    loop_time = asyncio.get_running_loop().time
    started = loop_time()
    return lambda: epoch + loop_time() - started
