"""The faults of the service in a chaos scenario, each at its own chance."""

from __future__ import annotations

from typing import Any

#: Answers after which nobody can know whether a submit was accepted …
_AMBIGUOUS = (
    *("gateway_timeout", "server_error", "unknown_error", "unknown_error_200", "bad_gateway"),
    *("not_json", "list", "empty", "no_id"),
)
#: … by which it was certainly not …
_REJECTED = (
    *("unauthorized", "forbidden", "empty_balance", "payment_required", "paid_balance_needed"),
    *("not_found", "legal", "too_large", "bad_parameter", "unknown_model"),
)
#: … and that are permanent for a poll.
_PERMANENT = ("unauthorized", "forbidden", "payment_required", "not_found", "bad_parameter")
_BUSY: tuple[dict[str, Any], ...] = (
    {"kind": "rate_limited"},
    {"kind": "rate_limited", "retry_after": 2},
    {"kind": "overloaded"},
    {"kind": "busy", "retry_after": 2},
)
#: Seconds by which the service is late: within the time-out of a call, and beyond it.
_SLOW, _TOO_SLOW = 1, 7
CALL_TIMEOUT = 5


def faults() -> list[dict[str, Any]]:
    """
    Return the faults of the service, each at its own chance, as the sandbox takes them.

    Left out is what no caller can detect: a rejection of what was accepted, and another video's whole bytes.
    """
    return [{"route": route, **fault} for route, some in _FAULTS.items() for fault in some]


def _each(chance: float, *kinds: str, **more: Any) -> list[dict[str, Any]]:
    return [{"kind": kind, "chance": chance, **more} for kind in kinds]


_FAULTS: dict[str, list[dict[str, Any]]] = {
    "submit": [
        *({**fault, "chance": 0.025} for fault in _BUSY),
        *_each(0.01, "answer", status=503, body="a proxy's own 503, which proves nothing"),
        *_each(0.01, "reset"),
        *_each(0.02, "reset", after=True),
        *_each(0.004, *_AMBIGUOUS),
        *_each(0.006, *_AMBIGUOUS, after=True),
        *_each(0.002, *_REJECTED),
        *_each(0.02, "slow", seconds=_SLOW),
        *_each(0.01, "slow", seconds=_TOO_SLOW),
    ],
    "status": [
        *({**fault, "chance": 0.01} for fault in _BUSY),
        *_each(0.01, *_AMBIGUOUS, "reset", "no_status", "unknown_word", "no_video", "empty_url"),
        *_each(0.002, *_PERMANENT),
        *_each(0.02, "slow", seconds=_SLOW),
        *_each(0.01, "slow", seconds=_TOO_SLOW),
    ],
    "download": [
        *_each(0.03, "reset", "storage_down", "expired"),
        *_each(0.03, "cut", "reset", at_byte=100_000),
        *_each(0.01, "missing", "server_error", "bad_gateway", "no_length", "garbage"),
        *_each(0.02, "slow", "stall", seconds=2, at_byte=100_000),
        *_each(0.01, "drip", rate=100_000),
        *_each(0.02, "redirect"),
    ],
}
