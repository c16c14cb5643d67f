"""The routes of the gallery. Each asks for a login and for the right to read a DAG and its XComs."""

import asyncio
from datetime import date
from typing import Annotated, Any, Literal

from fastapi import Depends, FastAPI, HTTPException, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from airflow_provider_siliconflow._airflow.api_server import (
    DagAccessEntity,
    XComModel,
    create_session,
    get_auth_manager,
    get_user,
    requires_access_dag,
)
from airflow_provider_siliconflow.client.video_record import KEY, VideoRecord, item_key
from airflow_provider_siliconflow.gallery.files import FileUnavailableError, find_video, in_thread, read_poster
from airflow_provider_siliconflow.gallery.page import page_file
from airflow_provider_siliconflow.gallery.query import VideoFilter, run_states, select_one, select_page
from airflow_provider_siliconflow.gallery.ranges import UnsatisfiableRangeError, read_range
from airflow_provider_siliconflow.gallery.sums import select_sums

# Without ``from __future__ import annotations``: FastAPI would take a dependency for a query parameter.

User = Annotated[Any, Depends(get_user)]
#: No database holds a NUL in a text.
Text = Annotated[str, Field(max_length=250, pattern=r"^[^\x00]*$")]
#: With ``{dag_id}`` in the path it asks for that DAG; without, for the right as such.
MAY_READ = Depends(requires_access_dag("GET", DagAccessEntity.XCOM))

_PRIVATE = {"Cache-Control": "private, max-age=0, must-revalidate", "X-Content-Type-Options": "nosniff"}
_SANDBOX = "default-src 'none'; media-src 'self'; style-src 'unsafe-inline'; sandbox"
_MAX_INT = 2**31 - 1

app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, dependencies=[Depends(get_user)])


class _Asked(BaseModel, extra="ignore"):
    """The filters of a request."""

    dag: Text = ""
    run: Text = ""
    task: Text = ""
    map_index: Annotated[int | None, Field(ge=-1, le=_MAX_INT)] = None
    model: Text = ""
    state: Literal["", "waiting", "archived", "failed"] = ""
    day: date | None = None
    text: Text = ""


def _wanted(asked: Annotated[_Asked, Query()]) -> VideoFilter:
    if asked.task and not (asked.dag and asked.run):
        raise HTTPException(422, "task needs dag and run")
    return VideoFilter(**asked.model_dump())


Wanted = Annotated[VideoFilter, Depends(_wanted)]


def _readable(user: Any) -> set[str]:
    dag_ids: set[str] = get_auth_manager().get_authorized_dag_ids(user=user, method="GET")
    return dag_ids


@app.get("/videos", dependencies=[MAY_READ])
def list_videos(
    user: User,
    wanted: Wanted,
    cursor: Annotated[str | None, Query(max_length=2000)] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
) -> dict[str, Any]:
    """
    Return a page of videos, the newest first.

    :param user: Who asks.
    :param wanted: Which videos.
    :param cursor: Where the page before ended.
    :param limit: Videos at most.
    :return: ``videos`` and the cursor ``next``.
    :raises HTTPException: 422 for a cursor that cannot be read.
    """
    dag_ids = _readable(user)
    with create_session(scoped=False) as session:
        try:
            rows, following = select_page(session, wanted, dag_ids, cursor, limit)
        except ValueError as error:
            raise HTTPException(422, str(error)) from None
        states = run_states(session, rows)
        return {"videos": [_video(row, states.get(row.dag_run_id)) for row in rows], "next": following}


@app.get("/sums", dependencies=[MAY_READ])
def sum_videos(user: User, wanted: Wanted) -> dict[str, Any]:
    """
    Return how many videos there are, what they cost and how long they took, by DAG, day, model and state.

    :param user: Who asks.
    :param wanted: Which videos.
    :return: ``sums``.
    """
    dag_ids = _readable(user)
    with create_session(scoped=False) as session:
        return {"sums": select_sums(session, wanted, dag_ids)}


def _video(row: XComModel, run_state: str | None) -> dict[str, Any]:
    told = VideoRecord.from_json(row.value)
    item = row.key.removeprefix(KEY).removeprefix(".")
    return {
        "dag_id": row.dag_id,
        "run_id": row.run_id,
        "task_id": row.task_id,
        "map_index": row.map_index,
        "item": int(item) if item.isdecimal() else None,
        "at": row.timestamp.isoformat(),
        "run_state": run_state,
        "record": told.to_json() if told else None,
    }


def _record(dag_id: str, run_id: str, task_id: str, map_index: int, item: int | None = None) -> VideoRecord:
    """Return the record at an address; for one that is none, as for one that is not there, 404."""
    key = KEY if item is None else item_key(item)
    ids = {"dag_id": dag_id, "run_id": run_id, "task_id": task_id, "map_index": map_index, "key": key}
    if not -1 <= map_index <= _MAX_INT or "\0" in f"{dag_id}{run_id}{task_id}":
        raise HTTPException(404, "There is no such video.")
    # Closed before the first byte is sent: a download takes long.
    with create_session(scoped=False) as session:
        row = select_one(session, ids)
        told = VideoRecord.from_json(row.value) if row else None
    if told is None:
        raise HTTPException(404, "There is no such video.")
    return told


_VIDEO = "/{dag_id}/{run_id}/{task_id}/{map_index}"


@app.api_route(f"/file{_VIDEO}", methods=["GET", "HEAD"], dependencies=[MAY_READ])
@app.api_route(f"/file{_VIDEO}/{{item}}", methods=["GET", "HEAD"], dependencies=[MAY_READ])
async def send_video(
    request: Request, dag_id: str, run_id: str, task_id: str, map_index: int, item: int | None = None
) -> Response:
    """
    Return the bytes of a video, or a range of them.

    :param request: With ``Range`` and the conditions.
    :param dag_id: The DAG's id; so the others.
    :param run_id: The run's.
    :param task_id: The task's.
    :param map_index: -1 for a task that is not mapped.
    :param item: The index in a batch.
    :return: The bytes.
    :raises HTTPException: 404 if there is none, 503 if its store cannot be read.
    """
    record = await asyncio.to_thread(_record, dag_id, run_id, task_id, map_index, item)
    try:
        found = await in_thread(lambda: find_video(record, dag_id))
    except FileUnavailableError as error:
        raise HTTPException(error.status, error.detail) from None
    headers = {**_PRIVATE, "ETag": found.etag, "Accept-Ranges": "bytes", "Content-Security-Policy": _SANDBOX}
    if request.headers.get("If-None-Match") == found.etag:
        return Response(status_code=304, headers=headers)
    try:
        wanted = read_range(
            request.headers.get("Range"),
            found.size,
            is_same=request.headers.get("If-Range", found.etag) == found.etag,
        )
    except UnsatisfiableRangeError:
        return Response(status_code=416, headers={**headers, "Content-Range": f"bytes */{found.size}"})
    first, last = wanted or (0, found.size - 1)
    headers["Content-Length"] = str(last - first + 1)
    if wanted:
        headers["Content-Range"] = f"bytes {first}-{last}/{found.size}"
    status = 206 if wanted else 200
    if request.method == "HEAD":
        return Response(status_code=status, headers=headers, media_type=found.content_type)
    return StreamingResponse(found.read(first, last), status, headers, found.content_type)


@app.api_route(f"/poster{_VIDEO}", methods=["GET", "HEAD"], dependencies=[MAY_READ])
@app.api_route(f"/poster{_VIDEO}/{{item}}", methods=["GET", "HEAD"], dependencies=[MAY_READ])
async def send_poster(
    request: Request, dag_id: str, run_id: str, task_id: str, map_index: int, item: int | None = None
) -> Response:
    """
    Return the poster of a video.

    :param request: With ``Range`` and the conditions.
    :param dag_id: The DAG's id; so the others.
    :param run_id: The run's.
    :param task_id: The task's.
    :param map_index: -1 for a task that is not mapped.
    :param item: The index in a batch.
    :return: A JPEG.
    :raises HTTPException: 404 if there is none, 503 if its store cannot be read.
    """
    record = await asyncio.to_thread(_record, dag_id, run_id, task_id, map_index, item)
    try:
        data, etag = await in_thread(lambda: read_poster(record, dag_id))
    except FileUnavailableError as error:
        raise HTTPException(error.status, error.detail) from None
    headers = {**_PRIVATE, "ETag": etag}
    if request.headers.get("If-None-Match") == etag:
        return Response(status_code=304, headers=headers)
    return Response(data, headers=headers, media_type="image/jpeg")


@app.get("/gallery")
def show_page() -> Response:
    """
    Return the page for an Airflow that shows no React apps; its data asks for the rights.

    :return: HTML.
    """
    return page_file("index.html", {})
