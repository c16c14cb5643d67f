"""What a task reports of its video: the one place of the suites that reads the product's sentences about the bill."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from airflow_provider_siliconflow.billing import Billing, sentence

#: What a user knows of a video in the end. ``pending``: it is paid for and has this id, but was not archived.
ReportKind = Literal["archived", "rejected", "unknown", "failed", "pending", "silent"]

_BY_BILLING: dict[Billing, ReportKind] = {
    Billing.NOT_SUBMITTED: "rejected",
    Billing.REJECTED: "rejected",
    Billing.UNKNOWN: "unknown",
    Billing.RUNNING: "pending",
    Billing.FAILED: "failed",
    Billing.ARCHIVED: "archived",
}
_BY_STATE: dict[str, ReportKind] = {
    **{"archived": "archived", "rejected": "rejected", "not_submitted": "rejected", "unknown": "unknown"},
    **{"failed": "failed", "timed_out": "pending", "not_archived": "pending"},
}
#: What a warning names where the user's policy makes a task submit again.
_RESUBMIT = "on_unknown_submit='resubmit'"


#: How an error begins that is raised by the try which sent the submit; a later try says something else.
_SENT = re.compile(r"^A submit of \S+ was sent")


@dataclass(frozen=True)
class Report:
    """
    What a task reports of a video in the end.

    :param kind: In one word.
    :param request_id: The video's id, where it is reported.
    :param text: The text of an error.
    """

    kind: ReportKind
    request_id: str | None = None
    text: str = ""


def reports_unknown(text: str) -> bool:
    """Return whether a log or an error says that a video may be running whose id is lost."""
    return sentence(Billing.UNKNOWN) in text


def is_of_the_try_that_sent_it(text: str) -> bool:
    """Return whether an error of unknown outcome is of the very try that sent the submit, which has lived on."""
    return bool(_SENT.match(text))


def read_error(text: str, request_ids: Collection[str]) -> Report:
    """
    Return what an error says about the bill: its last sentence about it, for an error may quote its cause.

    :param text: The error.
    :param request_ids: The ids that the ledger has for the video.
    """
    found = [(at, kind, request_id) for at, kind, request_id in _sentences(text, request_ids) if at >= 0]
    if found:
        _, kind, request_id = max(found)
        return Report(kind, request_id, text)
    named = next((request_id for request_id in request_ids if request_id in text), None)
    return Report("pending" if named else "silent", named, text)


def _sentences(text: str, request_ids: Collection[str]) -> Iterator[tuple[int, ReportKind, str | None]]:
    """Yield where each possible sentence about the bill is in a text; -1 where it is not."""
    for billing, kind in _BY_BILLING.items():
        if not billing.may_be_billed or billing is Billing.UNKNOWN:
            yield text.rfind(sentence(billing)), kind, None
            continue
        for request_id in request_ids:
            yield text.rfind(sentence(billing, request_ids=(request_id,))), kind, request_id


def read_item(item: Mapping[str, Any]) -> Report:
    """Return what an item of a batch's manifest says."""
    kind = _BY_BILLING[Billing(item["billing"])] if item.get("billing") else _BY_STATE[item["state"]]
    return Report(kind, item["request_id"], item["reason"])


def count_resubmits(events: Collection[Any]) -> int:
    """
    Return how often the user's policy made a task submit again.

    :param events: The events of its logs.
    """
    return sum(
        isinstance(event, dict) and event.get("level") == "warning" and _RESUBMIT in str(event.get("event"))
        for event in events
    )
