"""How many videos, what they cost and how long they took: by DAG, day, model and state."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from sqlalchemy import Date, Numeric, and_, case, cast, func, select, tuple_

from airflow_provider_siliconflow._airflow.api_server import XComModel
from airflow_provider_siliconflow.gallery.query import IDS, VideoFilter, conditions, last_words

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy.orm import Session

#: Groups at most: a year of ten DAGs.
_GROUPS = 5000


def select_sums(session: Session, wanted: VideoFilter, dag_ids: Collection[str]) -> list[dict[str, Any]]:
    """
    Return sums of the videos that are asked for, the newest day first.

    :param session: Of Airflow's database.
    :param wanted: Which videos.
    :param dag_ids: The DAGs that the user may read.
    :return: ``dag``, ``day``, ``model``, ``state``, ``count``, ``estimated_cost``, ``currency``, and the sum and
        count of the seconds waited.
    """
    value = XComModel.value
    day = _day(session)
    # The estimated cost of a video is one of few numbers, so it groups, and no text in its stead can break a sum.
    names = ("model", "state", "estimated_cost", "currency")
    groups = [XComModel.dag_id, day, *(value[name].as_string() for name in names)]
    waited = _number(session, "waited_seconds")
    found = [*conditions(wanted, dag_ids), tuple_(*IDS).in_(last_words(wanted, dag_ids))]
    query = select(*groups, func.count(), func.sum(waited), func.count(waited)).where(*found)
    rows = session.execute(query.group_by(*groups).order_by(day.desc()).limit(_GROUPS)).all()
    return [_sum(row) for row in rows]


def _sum(row: Any) -> dict[str, Any]:
    dag, day, model, state, cost, currency, count, waited, waits = row
    each = _finite(cost)
    return {
        "dag": dag,
        "day": str(day),
        "model": model,
        "state": state,
        "count": count,
        "estimated_cost": None if each is None else round(each * count, 6),
        "currency": currency,
        "waited": _finite(waited),
        "waits": waits,
    }


def _day(session: Session) -> Any:
    at = XComModel.timestamp
    if session.get_bind().dialect.name == "postgresql":
        return cast(func.timezone("UTC", at), Date)
    return func.date(at)


def _number(session: Session, name: str) -> Any:
    """Return a field as a number, where it is one: PostgreSQL fails on text."""
    text = XComModel.value[name].as_string()
    if session.get_bind().dialect.name == "postgresql":
        is_number = func.jsonb_typeof(XComModel.value[name]) == "number"
        return case((and_(is_number), cast(text, Numeric)))
    return cast(text, Numeric)


def _finite(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
