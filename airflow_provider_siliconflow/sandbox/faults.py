"""Faults on demand: the next calls of a route, or calls of a route by seeded chance."""

from __future__ import annotations

import dataclasses
import json
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_siliconflow.sandbox.responses import CANNED, Response

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

ROUTES = ("submit", "status", "models", "balance", "download")

#: Faults that are no fixed response.
CALL_FAULTS = ("reset", "slow", "answer")
BODY_FAULTS = ("cut", "stall", "drip", "no_length", "garbage", "redirect", "changed")
KINDS = CALL_FAULTS + BODY_FAULTS + tuple(CANNED)


@dataclass(frozen=True)
class Fault:
    """
    A fault that calls meet. Kinds, beside the names of
    :data:`~airflow_provider_siliconflow.sandbox.responses.CANNED`:

    - ``reset`` (TCP reset), ``slow`` (late, but true), ``answer`` (a response with ``status`` and ``body`` as given);
    - for downloads ``cut`` (closed at ``at_byte``), ``reset`` with ``at_byte``, ``stall`` (pauses ``seconds`` at
      ``at_byte``), ``drip`` (``rate`` bytes a second), ``no_length``, ``garbage`` (``size`` bytes that are no video),
      ``redirect`` (to ``url``, else to the same file on ``localhost``), ``changed`` (another file than before).

    :param route: One of :data:`ROUTES`.
    :param kind: What goes wrong.
    :param times: How many calls it meets; 0 is all, until faults are cleared. Not used with ``chance``.
    :param chance: Meet calls by this chance instead of the next ones.
    :param after: The call is carried out first (a submit is accepted and billed), then this hides its true response.
    :param match: Only calls whose body (or URL) contains this text.
    :param seconds: Wait this long first.
    :param retry_after: Sent as ``Retry-After`` with the fault's response, whatever it is.
    :raises ValueError: If it makes no sense.
    """

    route: str
    kind: str
    times: int = 1
    chance: float | None = None
    after: bool = False
    match: str = ""
    seconds: float = 0.0
    retry_after: float | str | None = None
    status: int = 500
    body: str = ""
    content_type: str = "application/json"
    at_byte: int | None = None
    rate: int = 1024
    size: int = 1024
    url: str = ""

    def __post_init__(self) -> None:
        """
        Reject what could never happen.

        :raises ValueError: If it could never happen.
        """
        kinds = KINDS if self.route == "download" else CALL_FAULTS + tuple(CANNED)
        if self.route not in ROUTES:
            raise ValueError(f"route is {self.route!r}, not one of {', '.join(ROUTES)}")
        if self.kind not in kinds:
            raise ValueError(f"kind is {self.kind!r}, not one of {', '.join(kinds)}")
        if self.chance is not None and not 0 <= self.chance <= 1:
            raise ValueError("chance must be between 0 and 1")
        if self.times < 0 or self.seconds < 0 or self.rate < 1:
            raise ValueError("times and seconds must not be negative, rate must be positive")

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> Fault:
        """
        Make a fault from JSON.

        :param values: The fields by name.
        :return: The fault.
        :raises ValueError: If a name is unknown, a needed one is missing, or a value makes no sense.
        """
        try:
            return cls(**values)
        except TypeError as wrong:
            raise ValueError(str(wrong).replace("Fault.__init__()", "fault")) from None

    @classmethod
    def parse(cls, text: str) -> Fault:
        """
        Make a fault from the command line's ``route=submit,kind=reset,after=true,chance=0.05``.

        :param text: Names and values, separated by commas.
        :return: The fault.
        :raises ValueError: As :meth:`read`.
        """
        values: dict[str, Any] = {}
        for part in text.split(","):
            name, _, value = part.partition("=")
            try:
                values[name.strip()] = json.loads(value)
            except ValueError:
                values[name.strip()] = value.strip()
        return cls.read(values)

    def response(self) -> Response | None:
        """
        Return the response that hides the true one.

        :return: ``None`` if the true response is sent.
        """
        if self.kind == "answer":
            response = Response(self.status, self.body.encode(), self.content_type)
        elif self.kind in CANNED:
            response = CANNED[self.kind]
        else:
            return None
        if self.retry_after is not None:
            seconds = self.retry_after if isinstance(self.retry_after, str) else f"{self.retry_after:g}"
            response = dataclasses.replace(response, headers={"Retry-After": seconds})
        return response


class FaultBook:
    """
    The faults still to come, and which calls they meet.

    :param seed: Seed of the chances.
    :param faults: Faults from the start.
    """

    def __init__(self, seed: int, faults: Iterable[Fault] = ()) -> None:
        self._random = random.Random(f"faults {seed}")
        self._faults: list[tuple[Fault, list[int]]] = []
        self.add(*faults)

    def add(self, *faults: Fault) -> None:
        """Put faults at the end of the list."""
        self._faults += [(fault, [fault.times]) for fault in faults]

    def clear(self) -> None:
        """Forget all faults."""
        self._faults.clear()

    def list(self) -> list[dict[str, Any]]:
        """
        Return the faults still to come.

        :return: As JSON.
        """
        return [dataclasses.asdict(fault) | {"times": left[0]} for fault, left in self._faults]

    def draw(self, route: str, text: str | None = None) -> Fault | None:
        """
        Take the fault that meets this call, if any.

        :param route: The call's route.
        :param text: The text that ``match`` is searched in. ``None`` while the call is not read yet: then only faults
            without ``match`` meet it, and afterwards only those with.
        :return: ``None`` if there is none.
        """
        for index, (fault, left) in enumerate(self._faults):
            if fault.route != route or (text is None) == bool(fault.match) or fault.match not in (text or ""):
                continue
            if fault.chance is not None:
                if self._random.random() < fault.chance:
                    return fault
                continue
            if fault.times:
                left[0] -= 1
                if not left[0]:
                    del self._faults[index]
            return fault
        return None
