"""The records of videos in Airflow's database: pages by keyset, filters, and sums; rights are the caller's business."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import String, and_, cast, func, literal, or_, select, tuple_
from sqlalchemy.orm import aliased, load_only, raiseload

from airflow_provider_siliconflow._airflow.api_server import DagRun, XComModel
from airflow_provider_siliconflow.client.video_record import KEY, PENDING_STATES, RecordState, VideoRecord

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from sqlalchemy.orm import Session

#: States by what a person asks for.
STATES = {
    "waiting": tuple(PENDING_STATES),
    "archived": (RecordState.ARCHIVED,),
    "failed": tuple(state for state in RecordState if state not in (*PENDING_STATES, RecordState.ARCHIVED)),
}
#: Sorts after every key of a record.
_KEY_END = f"{KEY}/"
IDS = (XComModel.dag_run_id, XComModel.task_id, XComModel.map_index, XComModel.key)
_ORDER = (XComModel.timestamp, *IDS)
#: Records that are read for each that is asked for: tasks of one video tell of it up to three times.
_WINDOW = 4


@dataclass(frozen=True)
class VideoFilter:
    """
    Which videos are asked for; None and empty for all.

    :param dag: The DAG's id.
    :param run: The run's id.
    :param task: The task's id: videos that it or a later task of theirs tells of.
    :param map_index: The index of a mapped task.
    :param model: The model.
    :param state: One of :data:`STATES`.
    :param day: The day, UTC.
    :param text: What the prompt has in it, or what the request id or the seed is.
    """

    dag: str = ""
    run: str = ""
    task: str = ""
    map_index: int | None = None
    model: str = ""
    state: str = ""
    day: date | None = None
    text: str = ""


def select_page(
    session: Session, wanted: VideoFilter, dag_ids: Collection[str], cursor: str | None, limit: int
) -> tuple[Sequence[XComModel], str | None]:
    """
    Return a page of records, the newest first.

    :param session: Of Airflow's database.
    :param wanted: Which videos.
    :param dag_ids: The DAGs that the user may read.
    :param cursor: Where the page before ended; None for the first.
    :param limit: Rows at most.
    :return: The rows, and the cursor of the next page, None if there is none.
    :raises ValueError: if the cursor cannot be read.
    """
    columns = (*_ORDER, XComModel.dag_id, XComModel.run_id, XComModel.value)
    query = select(XComModel).options(load_only(*columns), raiseload(XComModel.dag_run))
    query = query.where(*conditions(wanted, dag_ids))
    if cursor:
        query = query.where(tuple_(*_ORDER) < tuple_(*_decoded(cursor)))
    # Not by an anti-join: it would read all videos for each page.
    window = limit * _WINDOW
    rows = session.scalars(query.order_by(*(column.desc() for column in _ORDER)).limit(window)).all()
    found = _without_superseded(session, rows)
    if len(found) > limit:
        return found[:limit], _encoded(found[limit - 1])
    return found, _encoded(rows[-1]) if len(rows) == window else None


def _without_superseded(session: Session, rows: Sequence[XComModel]) -> list[XComModel]:
    """Leave out the records of a submit or a wait from which a later task of the same video continued."""
    pending = {(row.dag_run_id, request_id) for row in rows if (request_id := _pending_id(row))}
    if not pending:
        return list(rows)
    request_id = XComModel.value["request_id"].as_string()
    same = [XComModel.dag_run_id.in_({run for run, _ in pending}), request_id.in_({each for _, each in pending})]
    query = select(XComModel.dag_run_id, request_id, func.max(XComModel.timestamp)).where(XComModel.key == KEY, *same)
    told = session.execute(query.group_by(XComModel.dag_run_id, request_id)).all()
    last = {(run, each): at for run, each, at in told}
    return [row for row in rows if last.get((row.dag_run_id, _pending_id(row)), row.timestamp) <= row.timestamp]


def _pending_id(row: XComModel) -> str | None:
    """Return the request id of a record that a later task of the same video may replace."""
    record = VideoRecord.from_json(row.value) if row.key == KEY else None
    return record.request_id if record and record.state in PENDING_STATES else None


def select_one(session: Session, ids: Mapping[str, Any]) -> XComModel | None:
    """
    Return the record of one task.

    :param session: Of Airflow's database.
    :param ids: ``dag_id``, ``run_id``, ``task_id``, ``map_index`` (-1 for a task that is not mapped) and ``key``.
    :return: None if there is none.
    """
    found: XComModel | None = session.scalar(select(XComModel).options(raiseload(XComModel.dag_run)).filter_by(**ids))
    return found


def run_states(session: Session, rows: Sequence[XComModel]) -> dict[int, str]:
    """
    Return the states of the runs that made some videos.

    :param session: Of Airflow's database.
    :param rows: Their records.
    :return: By the run's internal id.
    """
    ids = {row.dag_run_id for row in rows}
    found = session.execute(select(DagRun.id, DagRun.state).where(DagRun.id.in_(ids))).all() if ids else []
    return {run_id: str(getattr(state, "value", state)) for run_id, state in found}


def conditions(wanted: VideoFilter, dag_ids: Collection[str]) -> list[Any]:
    """
    Return what a row must meet to tell of a video that is asked for.

    :param wanted: Which videos.
    :param dag_ids: The DAGs that the user may read.
    :return: Conditions that all hold.
    """
    value = XComModel.value
    found = _is_video(wanted, dag_ids)
    if wanted.task:
        found.append(_is_of_task(wanted))
    if wanted.model:
        found.append(value["model"].as_string() == wanted.model)
    if wanted.state == "waiting":
        found.append(XComModel.dag_run_id.in_(select(DagRun.id).where(DagRun.state.in_(["queued", "running"]))))
    if wanted.state:
        found.append(value["state"].as_string().in_([str(state) for state in STATES.get(wanted.state, ("",))]))
    if wanted.day:
        start = datetime.combine(wanted.day, time(), tzinfo=UTC)
        found += [XComModel.timestamp >= start, XComModel.timestamp < start + timedelta(days=1)]
    if wanted.text:
        found.append(_has_text(wanted.text))
    return found


def _is_video(wanted: VideoFilter, dag_ids: Collection[str]) -> list[Any]:
    row = XComModel
    allowed = [dag_id for dag_id in dag_ids if not wanted.dag or dag_id == wanted.dag]
    # A range first, which an index serves in every collation.
    found = [row.key >= KEY, row.key < _KEY_END, or_(row.key == KEY, row.key.like(f"{KEY}.%"))]
    return [*found, row.dag_id.in_(allowed), *([row.run_id == wanted.run] if wanted.run else [])]


def last_words(wanted: VideoFilter, dag_ids: Collection[str]) -> Any:
    """
    Select the records from which no later task of the same video continued.

    By one sort of all of them: an anti-join is planned for as many rows as other filters seem to leave, which a
    database cannot tell of JSON, and then takes seconds.

    :param wanted: Which videos.
    :param dag_ids: The DAGs that the user may read.
    :return: A query for the rows' keys.
    """
    request_id = XComModel.value["request_id"].as_string()
    of_video = (XComModel.dag_run_id, XComModel.key, func.coalesce(request_id, XComModel.task_id))
    rank = func.row_number().over(partition_by=of_video, order_by=XComModel.timestamp.desc())
    ranked = select(*IDS, request_id.label("request_id"), rank.label("rank")).where(*_is_video(wanted, dag_ids))
    last = ranked.subquery()
    columns = [last.c[column.key] for column in IDS]
    return select(*columns).where(or_(last.c.rank == 1, last.c.request_id.is_(None)))


def _is_of_task(wanted: VideoFilter) -> Any:
    own = aliased(XComModel)
    of_task = [own.dag_id == wanted.dag, own.run_id == wanted.run, own.task_id == wanted.task]
    is_own = [XComModel.task_id == wanted.task]
    if wanted.map_index is not None:
        of_task.append(own.map_index == wanted.map_index)
        is_own.append(XComModel.map_index == wanted.map_index)
    of_task += [own.key >= KEY, own.key < _KEY_END]
    request_ids = select(own.value["request_id"].as_string()).where(*of_task)
    return or_(and_(*is_own), XComModel.value["request_id"].as_string().in_(request_ids))


def _has_text(text: str) -> Any:
    value = XComModel.value
    escaped = text.replace("/", "//").replace("%", "/%").replace("_", "/_")
    found = [value["prompt"].as_string().ilike(f"%{escaped}%", escape="/"), value["request_id"].as_string() == text]
    if text.lstrip("-").isdecimal():
        # As text, since a record that somebody edited may hold anything. Before SQLAlchemy 2.1, as_string() of a number
        # is a number in SQLite.
        found.append(cast(value["seed"].as_string(), String) == text)
    return or_(*found)


def _encoded(row: XComModel) -> str:
    at = row.timestamp.astimezone(UTC).isoformat()
    return base64.urlsafe_b64encode(
        json.dumps([at, row.dag_run_id, row.task_id, row.map_index, row.key]).encode()
    ).decode()


def _decoded(cursor: str) -> list[Any]:
    try:
        at, run, task, index, key = json.loads(base64.urlsafe_b64decode(cursor.encode("ascii", "strict")))
        values = [datetime.fromisoformat(at).astimezone(UTC), int(run), str(task), int(index), str(key)]
    except (ValueError, TypeError, RecursionError) as error:
        raise ValueError("the cursor cannot be read") from error
    return [literal(value, column.type) for value, column in zip(values, _ORDER, strict=True)]
