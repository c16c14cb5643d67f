"""When a failed call is sent again: tenacity, driven by the table in ``client/retry.py``."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import tenacity

from airflow_provider_siliconflow.client.retry import FailureKind, Route, classify_failure
from airflow_provider_siliconflow.exceptions import SiliconFlowError

if TYPE_CHECKING:
    from airflow_provider_siliconflow.hooks.connection import Settings

log = logging.getLogger(__name__)


def policy(route: Route, settings: Settings, attempts: int | None = None) -> dict[str, Any]:
    """
    Return the arguments for ``tenacity.Retrying`` and ``tenacity.AsyncRetrying``, the same for both.

    :param route: What is called.
    :param settings: Limits of the connection.
    :param attempts: Tries, instead of the connection's ``max_attempts``.
    :return: Keyword arguments.
    """
    backoff = tenacity.wait_random_exponential(multiplier=1, max=settings.max_backoff)

    def again(error: BaseException) -> bool:
        return isinstance(error, SiliconFlowError) and classify_failure(route, error) is FailureKind.RETRY

    def wait(state: tenacity.RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        asked = getattr(error, "retry_after", None)
        return min(asked, settings.max_backoff) if asked is not None else backoff(state)

    return {
        "retry": tenacity.retry_if_exception(again),
        "wait": wait,
        "stop": tenacity.stop_after_attempt(attempts or settings.max_attempts),
        "before_sleep": tenacity.before_sleep_log(log, logging.WARNING),
        "reraise": True,
    }
