"""Who may call, and what they have left."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airflow_provider_siliconflow.sandbox.responses import INVALID_TOKEN, WRONG_HOST, Response
from airflow_provider_siliconflow.sandbox.settings import KEY_LENGTH, KEY_START, Settings

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass
class Account:
    """
    An account.

    :param price: Cost of a video, in hundredths of the site's money.
    :param balance: What it can still spend, in hundredths.
    :param in_flight: Unfinished videos by model.
    """

    name: str
    site: str
    key: str
    price: int
    balance: int
    spent: int = 0
    in_flight: Counter[str] = field(default_factory=Counter)

    def charge(self, videos: int) -> None:
        """
        Take the price of videos.

        :param videos: How many; negative gives their price back.
        """
        self.spent += videos * self.price
        self.balance -= videos * self.price


def open_accounts(settings: Settings) -> dict[str, Account]:
    """
    Return the sandbox's accounts.

    :param settings: The switches.
    :return: By name.
    """
    yuan, dollars = round(settings.price * 100), round(settings.price_com * 100)
    balance = round(settings.balance * 100)
    return {
        "cn": Account("cn", "cn", settings.key, yuan, balance),
        "other": Account("other", "cn", settings.key_other, yuan, balance),
        "com": Account("com", "com", settings.key_com, dollars, balance),
    }


def identify(accounts: Iterable[Account], site: str, authorization: str) -> Account | Response:
    """
    Return the account that is calling.

    :param accounts: All accounts.
    :param site: The site that is asked, ``cn`` or ``com``.
    :param authorization: The header's value; empty if it is missing.
    :return: The account, or the response that rejects the call.
    """
    scheme, _, key = authorization.partition(" ")
    if scheme != "Bearer":
        return INVALID_TOKEN
    owner = next((account for account in accounts if account.key == key), None)
    if owner is not None and owner.site == site:
        return owner
    # The service cannot tell a key of the other site from one that never was, as long as it looks like a key.
    is_well_formed = key.startswith(KEY_START) and len(key) == KEY_LENGTH
    return WRONG_HOST if owner is not None or is_well_formed else INVALID_TOKEN
