"""Routes of the sandbox itself: read the ledger, add faults, move time. They take no key: a tool for one machine."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

from aiohttp import web

from airflow_provider_siliconflow.sandbox.faults import Fault, FaultBook

if TYPE_CHECKING:
    from airflow_provider_siliconflow.sandbox.service import Service


class Control:
    """
    The routes below ``/sandbox/``.

    :param service: The service that is inspected.
    :param book: The faults to come.
    """

    def __init__(self, service: Service, book: FaultBook) -> None:
        self._service, self._book = service, book

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """
        Add all routes.

        :param router: Where to.
        """
        router.add_get("/sandbox/ledger", self.ledger)
        router.add_get("/sandbox/jobs", self.jobs)
        router.add_get("/sandbox/faults", self.faults)
        router.add_post("/sandbox/faults", self.add_faults)
        router.add_delete("/sandbox/faults", self.clear_faults)
        router.add_post("/sandbox/reset", self.reset)
        router.add_post("/sandbox/advance", self.advance)
        router.add_post("/sandbox/keys", self.change_key)

    async def ledger(self, request: web.Request) -> web.Response:
        """
        Return the ledger.

        :param request: ``?jobs=no`` leaves the list of jobs out.
        :return: JSON.
        """
        snapshot = self._service.ledger(jobs=request.query.get("jobs") != "no")
        return web.json_response(dataclasses.asdict(snapshot))

    async def jobs(self, request: web.Request) -> web.Response:
        """
        Return the jobs, for progress displays.

        :param request: The HTTP request.
        :return: JSON: of each its status, queue position and seconds left.
        """
        now = self._service.settle()
        return web.json_response(
            [
                {
                    "request_id": job.request_id,
                    "model": job.model,
                    "prompt": job.prompt,
                    "status": str(job.word(now)),
                    "position": self._service.position(job),
                    "seconds_left": max(0.0, job.ready_at - now),
                    "downloads": job.downloads,
                }
                for job in self._service.jobs.values()
            ]
        )

    async def faults(self, request: web.Request) -> web.Response:
        """
        Return the faults still to come.

        :param request: The HTTP request.
        :return: JSON: a list.
        """
        return web.json_response(self._book.list())

    async def add_faults(self, request: web.Request) -> web.Response:
        """
        Add a fault, or a list of them.

        :param request: With a fault in JSON, or a list of them.
        :return: The faults still to come; 400 if one makes no sense.
        """
        try:
            ordered = json.loads(await request.read())
            faults = [Fault.read(one) for one in (ordered if isinstance(ordered, list) else [ordered])]
        except (ValueError, TypeError) as wrong:
            return _wrong(wrong)
        self._book.add(*faults)
        return web.json_response(self._book.list())

    async def clear_faults(self, request: web.Request) -> web.Response:
        """
        Forget all faults.

        :param request: The HTTP request.
        :return: An empty list.
        """
        self._book.clear()
        return web.json_response([])

    async def reset(self, request: web.Request) -> web.Response:
        """
        Forget jobs, ledger, faults and limits.

        :param request: The HTTP request.
        :return: An empty object.
        """
        self._book.clear()
        self._service.reset()
        return web.json_response({})

    async def advance(self, request: web.Request) -> web.Response:
        """
        Move the clock forward.

        :param request: With ``{"seconds": …}``.
        :return: ``{"now": …}`` in epoch seconds; 400 if that makes no sense.
        """
        try:
            self._service.clock.advance(float((await _object(request))["seconds"]))
        except (ValueError, TypeError, KeyError) as wrong:
            return _wrong(wrong)
        return web.json_response({"now": self._service.clock.now()})

    async def change_key(self, request: web.Request) -> web.Response:
        """
        Give an account another key.

        :param request: With ``{"account": "cn", "key": "sk-…"}``.
        :return: An empty object; 400 if that makes no sense.
        """
        try:
            wanted = await _object(request)
            self._service.accounts[wanted["account"]].key = str(wanted["key"])
        except (ValueError, TypeError, KeyError) as wrong:
            return _wrong(wrong)
        return web.json_response({})


async def _object(request: web.Request) -> dict[str, Any]:
    value = json.loads(await request.read())
    if not isinstance(value, dict):
        raise TypeError("the body must be an object")
    return value


def _wrong(why: Exception) -> web.Response:
    return web.json_response(
        {"error": str(why) if not isinstance(why, KeyError) else f"unknown or missing: {why}"}, status=400
    )
