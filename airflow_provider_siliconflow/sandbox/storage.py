"""The object storage that the URLs of results point to, with its faults."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from aiohttp import web

from airflow_provider_siliconflow.sandbox import signed_urls
from airflow_provider_siliconflow.sandbox.delivery import deliver
from airflow_provider_siliconflow.sandbox.http_responses import reset, respond
from airflow_provider_siliconflow.sandbox.responses import CANNED, Response, storage_error
from airflow_provider_siliconflow.sandbox.videos import Video, Videos

if TYPE_CHECKING:
    from airflow_provider_siliconflow.sandbox.faults import Fault, FaultBook
    from airflow_provider_siliconflow.sandbox.jobs import Job
    from airflow_provider_siliconflow.sandbox.service import Service


class Storage:
    """
    The storage, which serves videos by signed URL.

    :param service: The service that knows the jobs.
    :param videos: The bytes of the videos.
    :param book: The faults to come.
    """

    def __init__(self, service: Service, videos: Videos, book: FaultBook) -> None:
        self._service, self._videos, self._book = service, videos, book

    async def download(self, request: web.Request) -> web.StreamResponse:
        """
        Respond to a call of the storage.

        :param request: The HTTP request.
        :return: The video, or what a fault or the storage says instead.
        """
        self._service.counts.download_calls += 1
        leaked = self._leak(request)
        fault = self._book.draw("download") or self._book.draw("download", request.raw_path)
        if fault is not None and (spoiled := await self._instead(request, fault)) is not None:
            return spoiled
        found = leaked or self._find(request)
        if isinstance(found, Response):
            return respond(request, found)
        kind = fault.kind if fault is not None else ""
        if fault is not None and kind == "redirect":
            target = fault.url or f"http://localhost:{request.url.port}{request.raw_path}"
            if request.host != target.split("/")[2]:
                return web.Response(status=302, headers={"Location": target})
        true = await self._video(found)
        video = true
        if fault is not None and kind == "garbage":
            video = Video(b"", fault.size, b"")
        elif kind == "changed":
            video = await self._videos.of(found, " changed")
        response, whole = await deliver(request, video, self._service.settings.ranges, fault)
        if whole and video is true:
            self._service.note("fetched", found.request_id)
        return response

    async def _video(self, job: Job) -> Video:
        video = await self._videos.of(job)
        if job.sha256 is None:
            self._service.rendered(job, await self._videos.digest(video))
        return video

    async def _instead(self, request: web.Request, fault: Fault) -> web.Response | None:
        """Do what a fault does before the storage reads the URL; ``None`` if the storage responds."""
        if fault.kind != "stall":
            await asyncio.sleep(fault.seconds)
        if fault.kind == "reset" and fault.at_byte is None:
            return reset(request)
        response = fault.response()
        return None if response is None else respond(request, response)

    def _leak(self, request: web.Request) -> Response | None:
        """Reject and count a call that carries an API key."""
        seen = " ".join([request.raw_path, *request.headers.values()])
        keys = [account.key for account in self._service.accounts.values()]
        if "Authorization" not in request.headers and not any(key in seen for key in keys):
            return None
        self._service.note("leaked")
        return storage_error(400, "InvalidArgument", "Only one auth mechanism allowed.")

    def _find(self, request: web.Request) -> Job | Response:
        """Return the job of a URL, which is signed for GET and for exactly these bytes, or the rejection."""
        now = self._service.settle()
        name = signed_urls.verify(request.raw_path if request.method == "GET" else "", now)
        if isinstance(name, Response):
            return name
        job = self._service.jobs.get(name)
        if (
            job is None
            or job.reason is not None
            or now < job.ready_at
            or job.is_gone(now, self._service.settings.keep_seconds)
        ):
            return CANNED["missing"]
        return job
