"""How a video's bytes are sent: whole, in part, or spoiled on the way."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

from aiohttp import web

from airflow_provider_siliconflow.sandbox.http_responses import connected, reset

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_provider_siliconflow.sandbox.faults import Fault
    from airflow_provider_siliconflow.sandbox.videos import Video

_RANGE = re.compile(r"bytes=(\d+)-(\d*)\Z")


async def deliver(
    request: web.Request, video: Video, ranges: bool, fault: Fault | None
) -> tuple[web.StreamResponse, bool]:
    """
    Stream a video, or the part asked for.

    :param request: The HTTP request.
    :param video: Its bytes.
    :param ranges: Honour ``Range``.
    :param fault: Spoil the body: ``cut``, ``reset``, ``stall``, ``drip`` or ``no_length``.
    :return: The response, and whether the video's last byte went out.
    """
    start, end = _part(request, video) if ranges else (0, video.length)
    if start >= end:
        return web.Response(status=416, headers={"Content-Range": f"bytes */{video.length}"}), False
    response = web.StreamResponse(headers={"ETag": video.etag})
    response.content_type = "video/mp4"
    if fault is None or fault.kind != "no_length":
        response.content_length = end - start
    if ranges:
        response.headers["Accept-Ranges"] = "bytes"
    if ranges and end - start < video.length:
        response.set_status(206)
        response.headers["Content-Range"] = f"bytes {start}-{end - 1}/{video.length}"
    await response.prepare(request)
    try:
        sent = await _write(request, response, video, start, end, fault)
    except ConnectionError:
        sent = False
    return response, sent and end == video.length


def _part(request: web.Request, video: Video) -> tuple[int, int]:
    """Return the first byte asked for and the one after the last; equal if there is no such part."""
    asked = _RANGE.match(request.headers.get("Range", ""))
    if asked is None or request.headers.get("If-Range", video.etag) != video.etag:
        return 0, video.length
    start, last = int(asked[1]), int(asked[2] or video.length)
    if last < start:
        return 0, video.length
    return min(start, video.length), min(last + 1, video.length)


async def _write(
    request: web.Request, response: web.StreamResponse, video: Video, start: int, end: int, fault: Fault | None
) -> bool:
    kind = fault.kind if fault is not None else ""
    stop = end if fault is None else max(start, min(end, fault.at_byte or start))
    if fault is not None and kind == "drip":
        for offset in range(start, end, fault.rate):
            await asyncio.sleep(1 if offset > start else 0)
            await _stream(response, video.chunks(offset, min(end, offset + fault.rate)))
    elif fault is not None and kind in ("cut", "reset", "stall"):
        await _stream(response, video.chunks(start, stop))
        if kind == "reset":
            reset(request)
            return False
        if kind == "cut":
            # Closing flushes what was written, then ends the body too early.
            if request.transport is not None:
                request.transport.close()
            return False
        await asyncio.sleep(fault.seconds)
        await _stream(response, video.chunks(stop, end))
    else:
        await _stream(response, video.chunks(start, end))
    await response.write_eof()
    return connected(request)


async def _stream(response: web.StreamResponse, pieces: Iterable[bytes]) -> None:
    for piece in pieces:
        await response.write(piece)
