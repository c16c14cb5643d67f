"""A plain client of the sandbox, without any of our provider in it."""

from __future__ import annotations

import base64
import http.client
from typing import Any

import requests

from airflow_provider_siliconflow.sandbox.server import Sandbox

T2V, I2V = "Wan-AI/Wan2.2-T2V-A14B", "Wan-AI/Wan2.2-I2V-A14B"
PNG = "data:image/png;base64," + base64.b64encode(b"\x89PNG and more").decode()
NOON = 1_700_000_000.0
FAR = 100_000.0


class Caller:
    """Call a sandbox as one account of one site."""

    def __init__(self, sandbox: Sandbox, key: str | None = None, base_url: str | None = None) -> None:
        self.sandbox = sandbox
        self.base_url = base_url or sandbox.base_url
        self.session = requests.Session()
        self.session.trust_env = False
        self.headers = {"Authorization": f"Bearer {key or sandbox.key}"}

    def submit(self, **fields: Any) -> requests.Response:
        wanted = {"model": T2V, "prompt": "a cat", "image_size": "1280x720"} | fields
        kept = {name: value for name, value in wanted.items() if value is not ...}
        return self.post("/video/submit", kept)

    def request_id(self, **fields: Any) -> str:
        answer = self.submit(**fields)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["requestId"])

    def status(self, request_id: str) -> requests.Response:
        return self.post("/video/status", {"requestId": request_id})

    def post(self, route: str, body: Any) -> requests.Response:
        return self.session.post(self.base_url + route, json=body, headers=self.headers, timeout=30)

    def get(self, route: str) -> requests.Response:
        return self.session.get(self.base_url + route, headers=self.headers, timeout=30)

    def ready(self, **fields: Any) -> tuple[str, str]:
        """Submit a video, move the clock past its end, and return its id and URL."""
        request_id = self.request_id(**fields)
        self.sandbox.advance(600)
        return request_id, self.signed_url(request_id)

    def signed_url(self, request_id: str) -> str:
        said = self.status(request_id).json()
        assert said["status"] == "Succeed", said
        return str(said["results"]["videos"][0]["url"])

    def download(self, url: str, **headers: str) -> requests.Response:
        return self.session.get(url, headers=headers, timeout=30, allow_redirects=False)

    def exact(self, url: str, method: str = "GET") -> tuple[int, bytes]:
        """Call exactly this target, byte for byte."""
        _, _, rest = url.partition("://")
        host, slash, target = rest.partition("/")
        connection = http.client.HTTPConnection(host, timeout=30)
        connection.request(method, slash + target)
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        return answer.status, body

    def close(self) -> None:
        self.session.close()
