"""The metrics of this package, by Airflow's own client of them; their meaning for people is in ``docs/metrics.md``."""

from __future__ import annotations

from airflow_provider_siliconflow._airflow import stats

#: Counters. Submits that the service accepted.
SUBMITTED = "siliconflow.submitted"
#: Submits that were rejected temporarily and are sent again.
SUBMIT_RETRIES = "siliconflow.submit_retries"
#: Polls, and those of them that failed or were rejected.
POLLS, POLL_ERRORS = "siliconflow.polls", "siliconflow.poll_errors"
#: Waits that ended with a video, with one that the service could not make, and without one in time.
READY, FAILED, TIMED_OUT = "siliconflow.ready", "siliconflow.failed", "siliconflow.timed_out"
#: Videos that were published, and their bytes.
ARCHIVED, ARCHIVED_BYTES = "siliconflow.archived", "siliconflow.archived_bytes"
#: Timers. From the submit until a task saw that the video is ready, and from the download's start to its publication.
WAITED, ARCHIVE_TIME = "siliconflow.waited", "siliconflow.archive_time"

_ENDS = {"ready": READY, "failed": FAILED, "timed_out": TIMED_OUT}


def submitted() -> None:
    """Count a submit that the service accepted."""
    stats.incr(SUBMITTED, 1)


def submit_retried() -> None:
    """Count a submit that was rejected temporarily and is sent again."""
    stats.incr(SUBMIT_RETRIES, 1)


def polled(polls: int, errors: int) -> None:
    """
    Count polls.

    :param polls: How many.
    :param errors: Those of them that failed or were rejected.
    """
    if polls:
        stats.incr(POLLS, polls)
    if errors:
        stats.incr(POLL_ERRORS, errors)


def wait_ended(status: str, waited: float | None) -> None:
    """
    Count the end of a wait.

    :param status: A value of :class:`.WaitStatus`.
    :param waited: Seconds from the submit until the video was ready, if that is known.
    """
    if name := _ENDS.get(status):
        stats.incr(name, 1)
    if waited is not None:
        stats.timing(WAITED, waited)


def archived(size: int, seconds: float) -> None:
    """
    Count a video that was published.

    :param size: Its bytes.
    :param seconds: From the start of its download.
    """
    stats.incr(ARCHIVED, 1)
    stats.incr(ARCHIVED_BYTES, size)
    stats.timing(ARCHIVE_TIME, seconds)
