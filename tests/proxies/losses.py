"""What can be lost of an exchange, and what chooses it."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum


class Loss(StrEnum):
    """Name the ways in which an answer is lost; all but the last two lose it after the whole request was read."""

    NONE = "none"
    FIN = "connection closed without an answer; in a tunnel without TLS's own farewell"
    RST = "connection reset without an answer"
    HANG = "no answer at all"
    TLS_CLOSE = "connection closed without an answer, after TLS's own farewell where there is TLS"
    HALF_HEADER = "closed in the midst of a header"
    HALF_BODY = "closed in the midst of the body"
    RST_BODY = "reset in the midst of the body"
    BAD_GATEWAY = "a 502 instead of the answer"
    CUT_UPLOAD_FIN = "closed while the request's body comes in"
    CUT_UPLOAD_RST = "reset while the request's body comes in"


#: What can be lost of a request that has been read whole.
LOST_ANSWERS = tuple(loss for loss in Loss if loss is not Loss.NONE and not loss.name.startswith("CUT"))


@dataclass
class Exchange:
    """
    Hold what became of one request.

    :param route: ``direct``, ``forward`` or ``tunnel``.
    :param loss: Name of what was lost.
    :param whole: Whether the request was read to its end.
    :param status: HTTP status of the service's answer, lost or not.
    :param answer: The first 200 characters of its body.
    :param seconds: How long the service took.
    """

    route: str
    method: str
    path: str
    loss: str = Loss.NONE.name
    whole: bool = False
    status: int | None = None
    answer: str = field(default="", compare=False)
    seconds: float = field(default=0.0, compare=False)


#: Chooses what is lost, from an exchange whose headers have been read.
Lose = Callable[[Exchange], Loss]


def lose_nothing(exchange: Exchange) -> Loss:
    """Lose nothing at all."""
    return Loss.NONE


def always(loss: Loss, path: str = "") -> Lose:
    """Lose the same for each POST whose path ends with ``path``."""
    return lambda exchange: loss if exchange.method == "POST" and exchange.path.endswith(path) else Loss.NONE


def by_chance(chance: float, seed: int, path: str = "", losses: Sequence[Loss] = LOST_ANSWERS) -> Lose:
    """Lose a share of the POSTs whose path ends with ``path``; which and how depends on the seed and their order."""
    rng, lock = random.Random(seed), threading.Lock()

    def lose(exchange: Exchange) -> Loss:
        if exchange.method != "POST" or not exchange.path.endswith(path):
            return Loss.NONE
        with lock:
            return rng.choice(losses) if rng.random() < chance else Loss.NONE

    return lose
