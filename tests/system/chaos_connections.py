"""The Airflow connections of a chaos scenario: direct, through a proxy and through a tunnel that lose answers."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import requests

from airflow_provider_siliconflow.sandbox.settings import Settings
from tests.system.chaos_plan import CONNECTIONS, Route
from tests.system.processes import free_port
from tests.system.stack import Stack

#: Share of the submits whose answers the proxy loses.
_CHANCE = 0.2
_EXTRA = {"max_backoff": 2}


class LossyProxy:
    """
    Run the proxy of :mod:`tests.proxies` as a part of the stack.

    :param seed: Of the losses.
    """

    def __init__(self, stack: Stack, seed: int) -> None:
        self._folder = stack.home / "proxies"
        self._folder.mkdir()
        self._port = free_port()
        self._journal = self._folder / "exchanges.jsonl"
        self._part = stack.add_part(
            "proxy",
            *("tests.proxies", "--listen", str(self._port), "--folder", str(self._folder)),
            *("--chance", str(_CHANCE), "--seed", str(seed), "--journal", str(self._journal)),
        )
        self._part.start()
        stack.wait_until("the proxy", self._listens, seconds=30)

    @property
    def url(self) -> str:
        """Return its address."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def ca_file(self) -> Path:
        """Return the certificate that a client behind the tunnel must trust."""
        return self._folder / "cert.pem"

    def lost_ids(self, timeout: float) -> set[str]:
        """
        Return the request ids that the service answered and the proxy lost, or got when its client had gone.

        :param timeout: Seconds for one call of a client; one of them is left for the way to the proxy.
        """
        return {
            json.loads(exchange["answer"])["requestId"]
            for exchange in self._exchanges()
            if exchange["loss"] != "NONE" or exchange["seconds"] > timeout - 1
            if exchange["status"] == 200 and "requestId" in exchange["answer"]
        }

    def losses(self) -> dict[str, int]:
        """Return how many answers were lost, by route."""
        lost = [exchange["route"] for exchange in self._exchanges() if exchange["loss"] != "NONE"]
        return {route: lost.count(route) for route in sorted(set(lost))}

    def _exchanges(self) -> list[dict[str, Any]]:
        if not self._journal.exists():
            return []
        return [json.loads(line) for line in self._journal.read_text().splitlines()]

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self._port)) == 0


class Connections:
    """
    Keep the scenario's connections in Airflow's database.

    :param timeout: Seconds for one call.
    """

    def __init__(self, stack: Stack, proxy: LossyProxy, timeout: float) -> None:
        self._api, self._proxy, self._timeout = stack.api, proxy, timeout
        self._sandbox = stack.sandbox_url
        self.key = Settings().key
        for conn_id in CONNECTIONS:
            self.create(conn_id)

    def create(self, conn_id: str) -> None:
        """Create a connection."""
        self._api.call("POST", "connections", **self._body(conn_id))

    def delete(self, conn_id: str) -> None:
        """Delete a connection."""
        self._api.call("DELETE", f"connections/{conn_id}")

    def use_key(self, key: str) -> None:
        """Give all connections that exist another API key."""
        self.key = key
        for conn_id in CONNECTIONS:
            try:
                self._api.call("PATCH", f"connections/{conn_id}", **self._body(conn_id))
            except requests.HTTPError as error:
                if error.response.status_code != 404:
                    raise

    def _body(self, conn_id: str) -> dict[str, Any]:
        host, extra = self._route(CONNECTIONS[conn_id])
        return {
            "connection_id": conn_id,
            "conn_type": "siliconflow",
            "host": f"{host}/v1",
            "password": self.key,
            "extra": json.dumps({**_EXTRA, "timeout": self._timeout, **extra}),
        }

    def _route(self, route: Route) -> tuple[str, dict[str, str]]:
        if route == "direct":
            return self._sandbox, {}
        if route == "proxy":
            return self._sandbox, {"proxy": self._proxy.url}
        # The proxy plays the TLS service behind the tunnel, and asks the sandbox over plain HTTP.
        host = self._sandbox.replace("http://", "https://")
        return host, {"proxy": self._proxy.url, "verify": str(self._proxy.ca_file)}
