"""The routes of both sites."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from aiohttp import web

from airflow_provider_siliconflow.sandbox import routes
from airflow_provider_siliconflow.sandbox.accounts import Account, identify
from airflow_provider_siliconflow.sandbox.control import Control
from airflow_provider_siliconflow.sandbox.http_responses import reset, respond
from airflow_provider_siliconflow.sandbox.responses import NO_PAGE, Response
from airflow_provider_siliconflow.sandbox.signed_urls import STORAGE
from airflow_provider_siliconflow.sandbox.storage import Storage

if TYPE_CHECKING:
    from airflow_provider_siliconflow.sandbox.faults import Fault, FaultBook
    from airflow_provider_siliconflow.sandbox.service import Service
    from airflow_provider_siliconflow.sandbox.videos import Videos

#: Bytes; far above any image, so that the service's own rule rejects large ones.
MAX_BODY = 256 * 1024 * 1024
#: Where each site's API starts.
SITES = {"/v1": "cn", "/com/v1": "com"}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Work = Callable[[Account, bytes], Response]


class Api:
    """
    The API's routes; each call gets the true response, or that of a fault.

    :param service: The service behind.
    :param book: The faults to come.
    """

    def __init__(self, service: Service, book: FaultBook) -> None:
        self._service, self._book = service, book

    def handler(self, route: str, site: str) -> Handler:
        """
        Return the handler of one route of one site.

        :param route: One of :data:`~airflow_provider_siliconflow.sandbox.faults.ROUTES`.
        :param site: ``cn`` or ``com``.
        :return: Handles its requests.
        """

        async def handle(request: web.Request) -> web.StreamResponse:
            return await self._respond(request, route, site)

        return handle

    async def _respond(self, request: web.Request, route: str, site: str) -> web.Response:
        self._count(route)
        fault = self._book.draw(route)
        if fault is not None and fault.kind == "reset" and not fault.after and not fault.seconds:
            return self._reset(request, route)
        body = await request.read()
        fault = fault or self._book.draw(route, body.decode("utf-8", "replace"))
        if fault is None:
            response = self._work(request, route, site, body)
        else:
            found = await self._faulty(request, route, site, body, fault)
            if found is None:
                return self._reset(request, route, rejected=not fault.after)
            response = found
        return respond(request, response, self._traced(route))

    async def _faulty(self, request: web.Request, route: str, site: str, body: bytes, fault: Fault) -> Response | None:
        """Respond as a fault wants it; ``None`` is a reset."""
        truth = self._work(request, route, site, body) if fault.after else None
        await asyncio.sleep(fault.seconds)
        if fault.kind == "reset":
            return None
        response = fault.response()
        if response is None:
            return truth or self._work(request, route, site, body)
        if truth is None and route == "submit":
            self._service.note("rejected", str(response.status))
        return response

    def _work(self, request: web.Request, route: str, site: str, body: bytes) -> Response:
        """Carry out a call."""
        caller = identify(self._service.accounts.values(), site, request.headers.get("Authorization", ""))
        if isinstance(caller, Response):
            response = caller
        elif route == "submit":
            response = self._service.submit(caller, body)
        elif route == "status":
            response = self._service.status(caller, body, f"http://{request.host}")
        elif route == "models":
            response = routes.models(self._service.settings.models, request.query)
        else:
            response = routes.balance(caller)
        if route == "submit" and response.on_sent is None:
            self._service.note("rejected", str(response.status))
        return response

    def _count(self, route: str) -> None:
        if route == "submit":
            self._service.counts.submit_calls += 1
        elif route == "status":
            self._service.counts.status_calls += 1

    def _traced(self, route: str) -> bool:
        return self._service.settings.trace in ("everywhere", route)

    def _reset(self, request: web.Request, route: str, rejected: bool = True) -> web.Response:
        if rejected and route == "submit":
            self._service.note("rejected", "0")
        return reset(request)


async def _no_page(request: web.Request) -> web.StreamResponse:
    return respond(request, NO_PAGE)


def build(service: Service, videos: Videos, book: FaultBook) -> web.Application:
    """
    Return the application of all routes.

    :param service: The service behind; closed when the application ends.
    :param videos: The bytes of the videos; closed likewise.
    :param book: The faults to come.
    :return: The application.
    """
    app = web.Application(client_max_size=MAX_BODY)
    api, storage, control = Api(service, book), Storage(service, videos, book), Control(service, book)
    for prefix, site in SITES.items():
        app.router.add_post(f"{prefix}/video/submit", api.handler("submit", site))
        app.router.add_post(f"{prefix}/video/status", api.handler("status", site))
        app.router.add_get(f"{prefix}/models", api.handler("models", site))
        app.router.add_get(f"{prefix}/user/info", api.handler("balance", site))
    app.router.add_route("*", STORAGE + "{rest:.*}", storage.download)
    control.add_routes(app.router)
    app.router.add_route("*", "/{rest:.*}", _no_page)

    async def close(_: web.Application) -> None:
        service.close()
        videos.close()

    app.on_cleanup.append(close)
    return app
