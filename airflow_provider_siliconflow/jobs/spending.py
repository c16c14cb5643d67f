"""What a spend limit means for the submits of one task."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from airflow_provider_siliconflow.client.prices import UNKNOWN_PRICE, Price
from airflow_provider_siliconflow.exceptions import SpendLimitError
from airflow_provider_siliconflow.jobs.slots import SlotFolder
from airflow_provider_siliconflow.jobs.task_name import TaskName
from airflow_provider_siliconflow.spend_limit import Period

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from airflow_provider_siliconflow.hooks.siliconflow import SiliconFlowHook
    from airflow_provider_siliconflow.spend_limit import SpendLimit

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ScopedLimit:
    """
    A limit and whose videos it counts.

    :param scope: For people: ``connection siliconflow_default`` or ``DAG my_dag``.
    :param limit: The limit.
    """

    scope: str
    limit: SpendLimit


@dataclass(frozen=True)
class SlotClaim:
    """
    The slots that one submit holds.

    :param key: Of the submit.
    :param folders: Where its slots are.
    """

    key: str = ""
    folders: Sequence[SlotFolder] = ()

    def release(self) -> None:
        """Give the slots back, since nothing came of the submit; never raises."""
        for folder in self.folders:
            folder.release(self.key)


def price_of(hook: SiliconFlowHook, model: str | None) -> Price:
    """
    Return what one video costs, an estimate.

    :param hook: The service.
    :param model: The model id.
    :return: The price; one without an amount where nobody says, or the connection cannot be read.
    """
    try:
        return hook.settings.price_of(model)
    except Exception:
        # An outage of what keeps the connection must not keep a paid video from being polled.
        return UNKNOWN_PRICE


def guard_of(hook: SiliconFlowHook, own: SpendLimit | None, origin: Mapping[str, Any], price: Price) -> SpendGuard:
    """
    Return what the limits of a task say.

    :param hook: The service; its connection may have a limit.
    :param own: The task's own limit, which counts the videos of its DAG.
    :param origin: ``conn_id``, ``dag_id``, ``run_id``, ``task_id`` and ``map_index`` of the task instance.
    :param price: What one video costs.
    :return: The guard; one without limits claims nothing.
    """
    settings = hook.settings
    limits = []
    if settings.spend_limit:
        limits.append(ScopedLimit(f"connection {origin.get('conn_id')}", settings.spend_limit))
    if own:
        limits.append(ScopedLimit(f"DAG {origin.get('dag_id')}", own))
    names: list[Any] = [origin.get(name) for name in TaskName._fields]
    owner = TaskName(*names).owner
    return SpendGuard(limits, f"{origin.get('dag_id')}/{origin.get('run_id')}", owner, price)


@dataclass(frozen=True)
class SpendGuard:
    """
    The limits of a task: of its connection, and its own.

    :param limits: In the order in which their slots are claimed.
    :param run_id: Of the DAG run.
    :param owner: ``dag_id/run_id/task_id/map_index``.
    :param price: What one video costs.
    :param clock: Tells the time.
    """

    limits: Sequence[ScopedLimit] = ()
    run_id: str = ""
    owner: str = ""
    price: Price = UNKNOWN_PRICE
    clock: type[datetime] = field(default=datetime, repr=False)

    @property
    def is_dry_run(self) -> bool:
        """Return whether nothing may be submitted, only counted."""
        return any(scoped.limit.dry_run for scoped in self.limits)

    def claim(self, submit: str) -> SlotClaim:
        """
        Claim the slots of one submit, before its intent is written.

        A retry that sends the same submit finds the slots that it has; a clear or a deliberate re-submit is another
        submit and needs others.

        :param submit: Names the submit among those of this task instance.
        :return: What was claimed.
        :raises SpendLimitError: if a limit is reached or cannot be read; no slot is held then.
        """
        key = f"{self.owner}/{submit}"
        held: list[SlotFolder] = []
        try:
            for limit, folder in self._folders():
                if not folder.claim(key):
                    raise self._reached(limit, folder)
                held.append(folder)
        except BaseException:
            SlotClaim(key, held).release()
            raise
        return SlotClaim(key, held)

    def count_dry_run(self, submits: Sequence[str]) -> str:
        """
        Count what this task would submit.

        :param submits: Names the submits of this task instance.
        :return: What it and the tasks before it in this DAG run would cost, for people.
        :raises SpendLimitError: if that cannot be counted.
        """
        told = [f"Dry run: this task would submit {self._videos(len(submits))}."]
        for scoped in self.limits:
            this_run = Period(f"run {self.run_id}", 0, None)
            counted = SlotFolder(scoped.limit.folder, f"dry run of {scoped.scope}", this_run)
            total = counted.note([f"{self.owner}/{submit}" for submit in submits])
            told.append(f"The tasks of this DAG run so far ({scoped.scope}): {self._videos(total)}.")
            most = scoped.limit.max_videos_per_run
            if most is not None and total > most:
                told.append(f"That is more than the {most} videos that max_videos_per_run allows.")
        return " ".join([*told, "Nothing was submitted, nothing is billed."])

    def _folders(self) -> list[tuple[SpendLimit, SlotFolder]]:
        now = self.clock.now(UTC)
        return [
            (scoped.limit, SlotFolder(scoped.limit.folder, scoped.scope, period))
            for scoped in self.limits
            for period in scoped.limit.periods(self.run_id, now)
        ]

    def _reached(self, limit: SpendLimit, folder: SlotFolder) -> SpendLimitError:
        period = folder.period
        resets = (
            f"It resets at {period.ends.isoformat()}." if period.ends else "It counts a DAG run, so it does not reset."
        )
        return SpendLimitError(
            f"The spend limit of {folder.name} is reached: it allows {self._videos(period.limit)}, used:"
            f" {folder.used()}. {resets}",
            resume_at=period.ends if limit.on_limit == "defer" else None,
        )

    def _videos(self, count: int) -> str:
        videos = f"{count} video{'' if count == 1 else 's'}"
        estimate = self.price.of(count)
        return f"{videos} ({estimate})" if estimate else videos
