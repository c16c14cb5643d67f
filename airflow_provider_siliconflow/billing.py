"""What happened to the money: a field of every error and batch item, and the one place that puts it into sentences."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


class Billing(StrEnum):
    """What is known of the bill for one intended video."""

    #: No request for it reached the service.
    NOT_SUBMITTED = "not_submitted"
    #: The service rejected the request.
    REJECTED = "rejected"
    #: A request was sent and its answer is lost: a video may be running and billed.
    UNKNOWN = "unknown"
    #: The service accepted it under a known request id, and it is not archived.
    RUNNING = "running"
    #: The service could not make it, and may bill it all the same.
    FAILED = "failed"
    #: The service accepted it, and it is archived.
    ARCHIVED = "archived"

    @property
    def may_be_billed(self) -> bool:
        """Return whether the vendor may charge for it."""
        return self not in (Billing.NOT_SUBMITTED, Billing.REJECTED)


class NextStep(StrEnum):
    """What a retry of the task, or a clear, does about the video."""

    #: A retry re-attaches to the video on record.
    REATTACH = "reattach"
    #: The same, for a task that keeps its video through a clear (``reuse_on_clear=True``).
    REATTACH_ALWAYS = "reattach_always"
    #: A task that only polls: a retry and a clear alike poll the same video again.
    POLL = "poll"
    #: It cannot be read what was paid for: a retry reads again, and submits only if nothing was.
    READ_AGAIN = "read_again"
    #: Nothing is on record: a retry submits and pays.
    PAY_AGAIN = "pay_again"
    #: A retry submits; nothing was paid so far.
    SUBMIT = "submit"
    #: The same, as far as a spend limit allows it then.
    SUBMIT_WITHIN_LIMIT = "submit_within_limit"
    #: The user consented to pay for a lost submit again (``on_unknown_submit="resubmit"``).
    RESUBMIT = "resubmit"
    #: A person decides whether to pay again: by a clear.
    CLEAR = "clear"
    #: The same, for a task that keeps its record through a clear.
    CONSENT = "consent"


_NEXT_STEPS = {
    NextStep.REATTACH: "A retry of this task re-attaches to it, which costs nothing; clearing the task submits another"
    " video and pays for it, unless reuse_on_clear is set.",
    NextStep.REATTACH_ALWAYS: "A retry of this task and a clear re-attach to it, which costs nothing.",
    NextStep.POLL: "A retry of this task, or clearing it, polls the same video again, which costs nothing.",
    NextStep.PAY_AGAIN: "No record of it could be kept: a retry submits another video and pays for it.",
    NextStep.SUBMIT: "A retry submits it.",
    NextStep.SUBMIT_WITHIN_LIMIT: "A retry submits it if the limit allows it then.",
    NextStep.READ_AGAIN: "A retry reads the record again, and submits only if nothing was paid for.",
    NextStep.RESUBMIT: "A retry submits it anew and may pay twice, as on_unknown_submit='resubmit' says.",
    NextStep.CLEAR: "It is not submitted again by itself. To pay for another, clear the task.",
    NextStep.CONSENT: "It is not submitted again by itself, nor by a clear (reuse_on_clear is set). To pay for another,"
    " set on_unknown_submit='resubmit' for the next try.",
}


def sentence(
    billing: Billing | None,
    *,
    request_ids: Sequence[str] = (),
    next_step: NextStep | None = None,
    price: str = "",
) -> str:
    """
    Return the sentences that tell a person what happened to the money and what happens next.

    :param billing: What is known of the bill; None where no money is involved.
    :param request_ids: The request ids of the videos it is about, where they are known.
    :param next_step: What a retry or a clear does.
    :param price: What one video costs, in words; told where another submit would pay again.
    :return: The sentences; empty where there is nothing to say.
    """
    parts = [] if billing is None else [_facts(billing, request_ids)]
    if next_step is not None:
        parts.append(_NEXT_STEPS[next_step])
    if price and next_step in (NextStep.CLEAR, NextStep.CONSENT, NextStep.PAY_AGAIN, NextStep.RESUBMIT):
        parts.append(f"Another video costs {price}.")
    return " ".join(parts)


def _facts(billing: Billing, request_ids: Sequence[str]) -> str:
    many = len(request_ids) > 1
    ids = f" {', '.join(request_ids)}" if request_ids else ""
    videos = f"Videos{ids}" if many else f"Video{ids}" if ids else "The video"
    if billing is Billing.NOT_SUBMITTED:
        return "Nothing was submitted, nothing is billed."
    if billing is Billing.REJECTED:
        return "The submit was rejected, nothing is billed."
    if billing is Billing.UNKNOWN:
        return (
            "A video may be running and billed: the service offers no way to look it up or to cancel it. The bill on"
            " the SiliconFlow console tells (by the time and the model)."
        )
    if billing is Billing.FAILED:
        return f"{videos} failed at the service, which may bill {'them' if many else 'it'} all the same."
    if billing is Billing.ARCHIVED:
        return f"{videos} {'are' if many else 'is'} billed and archived."
    if many:
        return f"{videos} were submitted, keep running at the service and are billed: nothing can cancel them."
    return f"{videos} was submitted, keeps running at the service and is billed: nothing can cancel it."
