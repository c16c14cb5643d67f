"""The list of a batch: read once for each try, kept for its resumes, and compared with the lists of earlier tries."""

from __future__ import annotations

import hashlib
import json
import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from airflow_provider_siliconflow.exceptions import InvalidVideoRequestError, SubmitRecordError
from airflow_provider_siliconflow.jobs.arguments import is_absent, shown
from airflow_provider_siliconflow.jobs.record import KEY, SubmitStore
from airflow_provider_siliconflow.jobs.request import FIELDS, may_be_kept, read_fields
from airflow_provider_siliconflow.jobs.store import FindStores, StoreEntry

if TYPE_CHECKING:
    from airflow_provider_siliconflow.jobs.reattach import ResubmitPolicy

log = logging.getLogger(__name__)

#: Name of the list in the stores; the record of each request stands beside it.
LIST_KEY = "siliconflow.batch"


_GONE = "The list renders differently than at the start of this try: this request is not in it any more."


class ListedRequest(BaseModel):
    """
    One request of a list.

    :param key: Hash of its content, so that it is found again wherever it stands in a later list.
    :param fields: The request as the user gave it.
    :param problem: Why it cannot become a video; empty if it can.
    :param is_shortened: Whether its image is left out here, for its length or for a signature that it may have.
    :param is_withdrawn: Whether an earlier try has submitted it and the list asks for it no more.
    :param is_new: Whether no earlier try had it in its list, though earlier tries have paid for others that are
        withdrawn.
    """

    model_config = ConfigDict(extra="allow")

    key: str
    fields: dict[str, Any] = {}
    problem: str = ""
    is_shortened: bool = False
    is_withdrawn: bool = False
    is_new: bool = False


class BatchList(BaseModel):
    """
    The list that a try began with.

    :param version: Version of this form.
    :param max_tries: The task instance's at the time: Airflow raises it on a clear and leaves it on a retry.
    :param requests: The list, and behind it what earlier tries have paid for that is asked for no more.
    """

    model_config = ConfigDict(extra="allow")

    version: int = 1
    max_tries: int | None = None
    requests: list[ListedRequest] = []


def read_requests(requests: Any, defaults: Mapping[str, Any]) -> list[ListedRequest]:
    """
    Read the list that a user gave; one request that cannot be read is told with it, and costs no other.

    :param requests: A list of prompts, or of mappings with :data:`.request.FIELDS`.
    :param defaults: Fields for those that do not say.
    :return: The requests, in their order.
    :raises InvalidVideoRequestError: if it is no such list. A single text is rejected: as a list, each of its letters
        would be a paid video.
    """
    if isinstance(requests, (str, bytes, Mapping)) or not isinstance(requests, Sequence) or not requests:
        empty = "an empty " if isinstance(requests, Sequence) and not requests else ""
        raise InvalidVideoRequestError(
            f"requests must be a list with at least one prompt or mapping; got {empty}{type(requests).__name__}. A"
            " template renders to a text: give another task's output as it is, or set render_template_as_native_obj"
            " on the DAG."
        )
    listed = [_read_request(item, defaults) for item in requests]
    seen: Counter[str] = Counter()
    for request in listed:
        # Requests that are alike are told apart by their order.
        seen[request.key] += 1
        request.key += f".{seen[request.key] - 1}"
    return listed


def _read_request(item: Any, defaults: Mapping[str, Any]) -> ListedRequest:
    try:
        if is_absent(item):
            raise InvalidVideoRequestError("The request is empty.")
        if not isinstance(item, (str, Mapping)):
            raise InvalidVideoRequestError(f"The request is {shown(item)}: give a prompt or a mapping.")
        given = {"prompt": item} if isinstance(item, str) else dict(item)
        if unknown := set(given) - set(FIELDS):
            names = shown(", ".join(sorted(map(str, unknown))))
            raise InvalidVideoRequestError(f"The request has fields that no request has: {names}.")
        given = {name: value for name, value in given.items() if not is_absent(value)}
        return ListedRequest(key=_key(fields := read_fields({**defaults, **given})), fields=fields)
    except InvalidVideoRequestError as error:
        return ListedRequest(key=_key({"invalid": repr(item)}), problem=error.message)


def _key(content: Mapping[str, Any]) -> str:
    text = json.dumps(content, sort_keys=True, default=str)
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16]


class ListStore:
    """
    The list of a batch in the stores of its task instance, and the record of each of its requests.

    :param find: Finds the stores.
    :param max_tries: The task instance's.
    """

    def __init__(self, find: FindStores, max_tries: int) -> None:
        self._find = find
        self._entry = StoreEntry(find, LIST_KEY)
        self.max_tries = max_tries

    def record_of(self, request: ListedRequest) -> SubmitStore:
        """
        Return where the record of a request is kept.

        :param request: The request.
        :return: The store of that one record.
        """
        return SubmitStore(self._find, f"{KEY}.{request.key}")

    def known(self) -> list[ListedRequest]:
        """
        Return the list that the last try began with, empty if there is none.

        :return: The requests, in order.
        :raises SubmitRecordError: if that cannot be told.
        """
        before = self._read()
        return before.requests if before else []

    def sweep(self) -> None:
        """Delete the list and the records of a task that has succeeded, where nothing else deletes them."""
        if not self._entry.is_swept:
            return
        for request in self.known():
            self.record_of(request).sweep()
        self._entry.sweep()

    def begin(self, listed: Sequence[ListedRequest], policy: ResubmitPolicy) -> list[ListedRequest]:
        """
        Keep the list that a try begins with, before it pays for anything.

        What earlier tries have paid for and the list asks for no more stays behind it. Unless the user consented to pay
        again, what is new then is not submitted: a list that renders anew would be paid for with each try.

        :param listed: The list as it renders now.
        :param policy: What the user said about paying again.
        :return: The list of this try.
        :raises SubmitRecordError: if it cannot be told what was paid for, or the list cannot be kept.
        """
        before = self._read()
        is_void = before is None or policy.pays_again(before.max_tries, self.max_tries)
        known = {} if before is None or is_void else _by_key(before.requests)
        asked_for = {request.key for request in listed}
        withdrawn = [self._withdrawn(request) for key, request in known.items() if key not in asked_for]
        behind = [request for request in withdrawn if request]
        if behind and not policy.resubmits:
            for request in listed:
                earlier = known.get(request.key)
                # One that an earlier try had in its list and did not submit for this very reason is as new as it was.
                request.is_new = earlier is None or earlier.is_new
        made = [*listed, *behind]
        kept = [_shortened(request) for request in made]
        self._entry.write(BatchList(max_tries=self.max_tries, requests=kept))
        return made

    def resume(self, render: Callable[[], list[ListedRequest]], keys: Sequence[str]) -> list[ListedRequest]:
        """
        Return the list that this try began with.

        :param render: Returns the list as it renders now. Only what could not be kept is taken from
            it, or where the list cannot be read, what it has of the list of this try.
        :param keys: What the list of this try had at each index, as far as the trigger's state tells.
        :return: The list of this try.
        :raises SubmitRecordError: if it cannot be read, and the keys are not known.
        """
        try:
            kept = self._read()
        except SubmitRecordError:
            if not keys:
                raise
            # The videos that are pending must not wait for the store.
            log.exception("The list that this try began with cannot be read; what it has of it now counts.")
            kept = None
        try:
            now = _by_key(render())
        except InvalidVideoRequestError as error:
            log.warning("The list cannot be rendered again, so the one that the try began with counts: %s", error)
            now = {}
        if kept is None:
            return [now.get(key, ListedRequest(key=key, problem=_GONE)) for key in keys] or list(now.values())
        for request in kept.requests:
            if request.is_shortened and request.key in now:
                request.fields = now[request.key].fields
            elif request.is_shortened:
                request.problem = _GONE
        return kept.requests

    def _read(self) -> BatchList | None:
        found = self._entry.read(BatchList)
        return found[0] if found else None

    def _withdrawn(self, request: ListedRequest) -> ListedRequest | None:
        """Return a request that earlier tries have paid for, or may have."""
        record = self.record_of(request).read()
        if record is None or record.closed:
            return None
        return request.model_copy(update={"is_withdrawn": True, "is_new": False})


def _by_key(requests: Sequence[ListedRequest]) -> dict[str, ListedRequest]:
    return {request.key: request for request in requests}


def _shortened(request: ListedRequest) -> ListedRequest:
    """Return a request as it is kept: plain JSON, without an image that is longer than a path or may be a secret."""
    fields = {name: value if isinstance(value, (str, int)) else str(value) for name, value in request.fields.items()}
    is_left_out = not may_be_kept(fields.get("image"))
    if is_left_out:
        del fields["image"]
    return request.model_copy(update={"fields": fields, "is_shortened": is_left_out})
