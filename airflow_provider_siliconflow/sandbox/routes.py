"""The routes that need no job: what an account has left, and which models there are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from airflow_provider_siliconflow.sandbox import answers
from airflow_provider_siliconflow.sandbox.accounts import Account
from airflow_provider_siliconflow.sandbox.answers import Answer
from airflow_provider_siliconflow.sandbox.checks import makes_from_image


def balance(caller: Account) -> Answer:
    """Return what an account has left, on the site that still tells."""
    if caller.site == "cn":
        return answers.GONE
    left = f"{caller.balance / 100:.2f}"
    data = {"id": caller.name, "balance": "0.00", "chargeBalance": left, "totalBalance": left}
    return answers.say({"code": 20000, "message": "OK", "status": True, "data": data})


def models(on_offer: Iterable[str], query: Mapping[str, str]) -> Answer:
    """Return the models on offer."""
    kind, sub = query.get("type", "video"), query.get("sub_type")
    names = tuple(on_offer) if kind == "video" else ()
    if sub is not None:
        names = tuple(name for name in names if sub == "text-to-video" and not makes_from_image(name))
    data = [{"id": name, "object": "model", "created": 0, "owned_by": ""} for name in names]
    return answers.say({"object": "list", "data": data})
