"""
What one video costs: a table by host and model, with the date and the source of each price.

No answer of the service carries a price, so that every figure is an estimate and is told as one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_siliconflow.billing import Billing

_PRICE = re.compile(r"(?P<before>[^\d\s.,-]{0,8})\s*(?P<amount>\d{1,9}(?:\.\d{1,6})?)\s*(?P<after>[^\d\s.,-]{0,8})\Z")

#: The key of a price that is for all models.
ALL_MODELS = ""


@dataclass(frozen=True)
class Price:
    """
    What one video costs, as a table says; its text tells that it is an estimate.

    :param amount: In ``currency``; None where no table says.
    :param currency: Its code or sign.
    :param as_of: When that was seen, an ISO 8601 date or a part of one.
    :param source: Who says so.
    """

    amount: float | None = None
    currency: str | None = None
    as_of: str | None = None
    source: str | None = None

    def __str__(self) -> str:
        return "the price of a video" if self.amount is None else f"{self._of(1)} (estimated)"

    def of(self, videos: int) -> str:
        """
        Return what a number of videos cost, for people.

        :param videos: How many.
        :return: ``estimated 4.00 CNY``; empty where the price is not known.
        """
        return "" if self.amount is None else f"estimated {self._of(videos)}"

    @property
    def described(self) -> str:
        """Return the price with its source and date, for people."""
        if self.amount is None:
            return "its price is not known"
        by = ", ".join(part for part in (self.source, self.as_of) if part)
        return f"{self}, by {by}" if by else str(self)

    def estimate(self, billing: Billing | str | None) -> dict[str, Any]:
        """
        Return the estimate as fields of a record.

        :param billing: What is known of the bill; None for nothing billed.
        :return: ``estimated_cost`` (0 where nothing is billed, None where the price is not known) and ``currency``.
        """
        is_billed = billing is not None and Billing(billing).may_be_billed
        return {"estimated_cost": self.amount if is_billed else 0.0, "currency": self.currency}

    def facts(self, billing: Billing | str | None) -> dict[str, Any]:
        """
        Return the estimate as fields of a record, with what it is from.

        :param billing: What is known of the bill; None for nothing billed.
        :return: As :meth:`estimate`, and ``price_date`` and ``price_source``.
        """
        return {**self.estimate(billing), "price_date": self.as_of, "price_source": self.source}

    def _of(self, videos: int) -> str:
        total = round(videos * (self.amount or 0.0), 6)
        shown = f"{total:.2f}" if total == round(total, 2) else f"{total:g}"
        return f"{shown} {self.currency or ''}".rstrip()


#: The price of what no table knows.
UNKNOWN_PRICE = Price()

_MODELS = ("Wan-AI/Wan2.2-T2V-A14B", "Wan-AI/Wan2.2-I2V-A14B")
#: As observed on the vendor's pages: about 5 s, in 480P or 720P.
_ON_CN = Price(2.0, "CNY", "2026-07", "the vendor's model pages")
_ON_COM = Price(0.29, "USD", "2026", "third parties")
_HOSTS = {"api.siliconflow.cn": _ON_CN, "api.siliconflow.com": _ON_COM, "api.ap.siliconflow.com": _ON_COM}

#: By host and model.
PRICES: Mapping[tuple[str, str], Price] = {(host, model): price for host, price in _HOSTS.items() for model in _MODELS}


def price_of(host: str, model: str | None, own: Mapping[str, Price]) -> Price:
    """
    Return what one video costs.

    :param host: Of the API, without a port.
    :param model: The model id.
    :param own: The prices that the user gave, by model; that of :data:`ALL_MODELS` counts for all others.
    :return: The user's price, else that of the table; one without an amount where nobody says.
    """
    found = own.get(model or ALL_MODELS) or own.get(ALL_MODELS) or PRICES.get((host, model or ""))
    return found or UNKNOWN_PRICE


def read_prices(value: Any) -> dict[str, Price]:
    """
    Read prices as a user gives them.

    :param value: ``2.00 CNY`` for all models, or a mapping from model ids to such texts, or the JSON of one.
    :return: The price of each model.
    :raises ValueError: if that cannot be understood.
    """
    if isinstance(value, str) and value.strip().startswith("{"):
        value = json.loads(value)
    given = value if isinstance(value, Mapping) else {ALL_MODELS: value}
    return {str(model): _read(words) for model, words in given.items()}


def _read(words: Any) -> Price:
    is_price = isinstance(words, (str, int, float)) and not isinstance(words, bool)
    found = _PRICE.match(str(words).strip()) if is_price else None
    if not found:
        raise ValueError("it must be an amount with its currency, such as 2.00 CNY, or JSON with one for each model id")
    currency = found["after"] or found["before"] or None
    return Price(float(found["amount"]), currency, source="the connection's field price")
