"""What the function of a decorated task returned: kept, so that no retry and no resume calls it for another request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from airflow_provider_siliconflow.billing import NextStep
from airflow_provider_siliconflow.exceptions import SubmitRecordError
from airflow_provider_siliconflow.jobs.request import may_be_kept
from airflow_provider_siliconflow.jobs.store import FindStores, StoreEntry

if TYPE_CHECKING:
    from airflow_provider_siliconflow.jobs.reattach import ResubmitPolicy

#: Name in the stores, beside the records of the submits.
RETURNED_KEY = "siliconflow.returned"


class Returned(BaseModel):
    """
    What a function returned.

    :param version: Version of this form.
    :param max_tries: The task instance's at the time: Airflow raises it on a clear and leaves it on a retry.
    :param value: A prompt, a request, or a list of them, as plain JSON.
    """

    model_config = ConfigDict(extra="allow")

    version: int = 1
    max_tries: int
    value: Any


class ReturnedStore:
    """
    What the function of a task instance returned, in the stores of its records.

    :param find: Finds the stores.
    :param max_tries: The task instance's.
    """

    def __init__(self, find: FindStores, max_tries: int) -> None:
        self._entry = StoreEntry(find, RETURNED_KEY)
        self._max_tries = max_tries

    def read(self, policy: ResubmitPolicy) -> Any:
        """
        Return what the function returned in an earlier process of this task.

        :param policy: What the user said about paying again.
        :return: None if the function is to be called: nothing is kept, or the task was cleared to submit anew.
        :raises SubmitRecordError: if that cannot be told.
        """
        try:
            found = self._entry.read(Returned)
        except SubmitRecordError as error:
            error.with_billing(error.billing, next_step=NextStep.READ_AGAIN)
            raise
        kept = found[0] if found else None
        if kept is None or policy.pays_again(kept.max_tries, self._max_tries):
            return None
        return kept.value

    def keep(self, value: Any) -> bool:
        """
        Keep what the function returned, before anything is paid for it.

        :param value: What it returned.
        :return: Whether it may be kept: an image that is long or may be a secret is not.
        :raises SubmitRecordError: if it cannot be written.
        """
        plain = _plain(value)
        if plain is None:
            return False
        self._entry.write(Returned(max_tries=self._max_tries, value=plain))
        return True

    def sweep(self) -> None:
        """Delete what is kept of a task that has succeeded, where nothing else deletes it."""
        self._entry.sweep()


def _plain(value: Any) -> Any:
    """Return a prompt, a request or a list of them as plain JSON; None if it is none of these or may not be kept."""
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        if not may_be_kept(value.get("image")):
            return None
        return {str(name): each if isinstance(each, (str, int)) else str(each) for name, each in _given(value)}
    if not isinstance(value, Sequence) or isinstance(value, bytes) or not value:
        return None
    plain = [_plain(each) if isinstance(each, (str, Mapping)) else None for each in value]
    return None if None in plain else plain


def _given(request: Mapping[Any, Any]) -> list[tuple[Any, Any]]:
    return [(name, each) for name, each in request.items() if each is not None]
