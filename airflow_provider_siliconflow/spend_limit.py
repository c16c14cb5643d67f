"""A limit on how many videos are submitted: what a user says, and the periods that are counted."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, field_validator

from airflow_provider_siliconflow.exceptions import InvalidArgumentError
from airflow_provider_siliconflow.model_argument import read_model

#: Videos of a limit at most: each submit lists the slots that are taken.
MAX_VIDEOS = 100_000


class SpendLimit(BaseModel):
    """
    A limit by count: no answer of the service tells a price.

    On a connection it counts the videos of all tasks that use the connection; on an operator, those of its DAG.

    :param folder: Where the count is kept, one small file for each video: a folder that all workers reach, local (NFS)
        or in an object storage that creates objects exclusively (S3, Google, Azure); as text.
    :param max_videos_per_run: Videos of one DAG run at most; None for any number.
    :param max_videos_per_day: Videos of one day at most; None for any number.
    :param time_zone: In which a day begins and ends, as IANA names it.
    :param on_limit: What a task does that finds the limit reached: ``fail``, or ``defer`` until the day ends. A limit
        for a run never resets, so that ``defer`` fails there.
    :param dry_run: Count what would be submitted, submit nothing, and skip the task with the estimated cost.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    folder: str = Field(min_length=1)
    max_videos_per_run: int | None = Field(default=None, ge=0, le=MAX_VIDEOS)
    max_videos_per_day: int | None = Field(default=None, ge=0, le=MAX_VIDEOS)
    time_zone: str = "UTC"
    on_limit: Literal["fail", "defer"] = "fail"
    dry_run: bool = False

    @field_validator("folder")
    @classmethod
    def _is_the_same_everywhere(cls, folder: str) -> str:
        # A relative one would be another folder, and another count, on each worker.
        if "://" not in folder and not os.path.isabs(folder.strip()):
            raise ValueError("it must be an absolute path or the URI of a folder, such as s3://conn_id@bucket/limits")
        return folder.strip()

    @field_validator("max_videos_per_run", "max_videos_per_day", mode="before")
    @classmethod
    def _is_no_flag(cls, value: Any) -> Any:
        if isinstance(value, bool):
            raise ValueError("it must be a number")
        return value

    @field_validator("time_zone")
    @classmethod
    def _is_known(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(f"{name!r} is no time zone that is known here") from None
        return name

    def periods(self, run_id: str, now: datetime) -> list[Period]:
        """
        Return what is counted for a submit.

        :param run_id: Of the task's DAG run.
        :param now: The time, aware.
        :return: The run and the day, each with its limit, where there is one.
        """
        zone = ZoneInfo(self.time_zone)
        today = now.astimezone(zone).date()
        ends = datetime.combine(today + timedelta(days=1), time(), zone)
        found = []
        if self.max_videos_per_run is not None:
            found.append(Period(f"run {run_id}", self.max_videos_per_run, None))
        if self.max_videos_per_day is not None:
            found.append(Period(f"day {today.isoformat()} ({self.time_zone})", self.max_videos_per_day, ends))
        return found


@dataclass(frozen=True)
class Period:
    """
    What is counted.

    :param name: Of the run or the day, for people.
    :param limit: Videos at most.
    :param ends: When it is over, aware; None for a run.
    """

    name: str
    limit: int
    ends: datetime | None


def read_spend_limit(name: str, value: Any) -> SpendLimit | None:
    """
    Read a limit as a task or a connection gives it.

    :param name: The argument's name, for the error.
    :param value: A :class:`SpendLimit`, a mapping of its fields or the JSON of one; None for no limit.
    :return: The limit.
    :raises InvalidArgumentError: for the first thing that is wrong.
    """
    limit = read_model(name, value, SpendLimit)
    if limit is None:
        return None
    if limit.max_videos_per_run is None and limit.max_videos_per_day is None:
        raise InvalidArgumentError(f"{name} needs max_videos_per_run or max_videos_per_day.")
    return limit
