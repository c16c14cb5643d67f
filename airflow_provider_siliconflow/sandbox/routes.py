"""The routes that need no job: what an account has left, and which models there are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_siliconflow.sandbox import responses
from airflow_provider_siliconflow.sandbox.checks import makes_from_image

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from airflow_provider_siliconflow.sandbox.accounts import Account
    from airflow_provider_siliconflow.sandbox.responses import Response


def balance(caller: Account) -> Response:
    """
    Return what an account has left, on the site that still has this route.

    :param caller: The account.
    :return: The response.
    """
    if caller.site == "cn":
        return responses.GONE
    left = f"{caller.balance / 100:.2f}"
    data = {"id": caller.name, "balance": "0.00", "chargeBalance": left, "totalBalance": left}
    return responses.as_json({"code": 20000, "message": "OK", "status": True, "data": data})


def models(on_offer: Iterable[str], query: Mapping[str, str]) -> Response:
    """
    Return the models on offer.

    :param on_offer: Model ids.
    :param query: The URL's query: ``type`` and ``sub_type``.
    :return: The response.
    """
    kind, sub = query.get("type", "video"), query.get("sub_type")
    names = tuple(on_offer) if kind == "video" else ()
    if sub is not None:
        names = tuple(name for name in names if sub == "text-to-video" and not makes_from_image(name))
    data = [{"id": name, "object": "model", "created": 0, "owned_by": ""} for name in names]
    return responses.as_json({"object": "list", "data": data})
