"""
Who sees which video with FAB, the auth manager that has rights to single DAGs: a real API server and its users.

``make rights`` runs it in an environment of its own; where FAB is not installed, it is skipped.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from tests.system.fab_users import PASSWORD
from tests.system.processes import ROOT, Part, ReaperProcess, free_port, wait_until

pytest.importorskip("airflow.providers.fab")
pytestmark = pytest.mark.system

VIDEO = "run/make/-1"
FILES = (f"file/clips/{VIDEO}", f"poster/clips/{VIDEO}")


@dataclass(frozen=True)
class Server:
    """Hold the address of an API server."""

    url: str

    def session(self, user: str | None) -> requests.Session:
        """Log a user in, as a browser is: by a cookie."""
        http = requests.Session()
        http.trust_env = False
        if user:
            answer = http.post(f"{self.url}/auth/token", json={"username": user, "password": PASSWORD}, timeout=30)
            answer.raise_for_status()
            http.cookies.set("_token", answer.json()["access_token"])
        return http

    def get(self, http: requests.Session, route: str) -> requests.Response:
        """Ask the gallery, with an address as it is written."""
        request = http.prepare_request(requests.Request("GET", self.url))
        request.url = f"{self.url}/siliconflow/{route}"
        return http.send(request, timeout=30, allow_redirects=False)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """Run an API server with FAB over a database of its own."""
    home, url = Path(tempfile.mkdtemp(prefix="siliconflow-fab-")), f"http://127.0.0.1:{free_port()}"
    env = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW_")} | {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_hex(32),
        "AIRFLOW__API__BASE_URL": url,
        "AIRFLOW__API__SECRET_KEY": secrets.token_hex(32),
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__CORE__AUTH_MANAGER": "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}",
        "PYTHONPATH": str(ROOT),
    }
    with ReaperProcess(home) as reaper:
        for command in (["airflow", "db", "migrate"], ["tests.system.fab_users", str(home)]):
            done = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, env=env, capture_output=True, text=True)
            assert done.returncode == 0, done.stderr[-3000:]
        argv = (sys.executable, "-m", "airflow", "api-server", "--host", "127.0.0.1", "--port", url.rpartition(":")[2])
        part = Part("api-server", argv, env=env, log=home / "api-server.log", reaper=reaper, account={})
        part.start()

        def answers() -> bool:
            assert part.exit_code is None, part.tail()
            with suppress(requests.RequestException):
                return requests.get(f"{url}/api/v2/version", timeout=5).ok
            return False

        wait_until("the API server", answers, seconds=120)
        yield Server(url)


def ids(server: Server, http: requests.Session, query: str = "") -> list[str]:
    answer = server.get(http, f"videos?{query}")
    assert answer.status_code == 200, answer.text
    return [video["record"]["request_id"] for video in answer.json()["videos"]]


def test_one_who_may_read_all_sees_all(server: Server) -> None:
    admin = server.session("admin")
    assert sorted(ids(server, admin)) == ["id-clips", "id-secret"]
    assert server.get(admin, f"file/secret/{VIDEO}").content.startswith(b"bytes of secret")
    assert server.get(admin, f"poster/secret/{VIDEO}").status_code == 200


def test_one_without_the_right_to_a_dag_sees_none_of_it(server: Server) -> None:
    alice = server.session("alice")
    assert ids(server, alice) == ids(server, alice, "text=prompt") == ["id-clips"]
    for query in ("dag=secret", "dag=secret&run=run&task=make", "text=id-secret", "text=secret"):
        assert ids(server, alice, query) == []
    assert {each["dag"] for each in server.get(alice, "sums").json()["sums"]} == {"clips"}
    assert server.get(alice, "sums?dag=secret").json() == {"sums": []}
    assert server.get(alice, f"file/clips/{VIDEO}").content.startswith(b"bytes of clips")
    assert server.get(alice, f"poster/clips/{VIDEO}").status_code == 200


@pytest.mark.parametrize("kind", ["file", "poster"])
@pytest.mark.parametrize(
    ("address", "status"),
    [
        (f"secret/{VIDEO}", (403,)),
        (f"secret/{VIDEO}?dag_id=clips", (403,)),
        (f"secret/{VIDEO}/0", (403,)),
        (f"%73ecret/{VIDEO}", (403,)),
        (f"~/{VIDEO}", (403, 404)),
        (f"clips%2f..%2fsecret/{VIDEO}", (403, 404)),
        (f"clips/../secret/{VIDEO}", (403, 404)),
        (f"clips/{VIDEO}/../../../../secret/{VIDEO}", (403, 404)),
        (f"SECRET/{VIDEO}", (403, 404)),
        (f"secret%00/{VIDEO}", (403, 404)),
        (f"clips%2Csecret/{VIDEO}", (403, 404)),
        (f"*/{VIDEO}", (403, 404)),
        ("clips/other/make/-1", (404,)),
    ],
)
def test_no_address_leads_to_it(server: Server, kind: str, address: str, status: tuple[int, ...]) -> None:
    answer = server.get(server.session("alice"), f"{kind}/{address}")
    assert answer.status_code in status
    assert b"secret" not in answer.content.lower() or answer.status_code == 403
    assert b"bytes of" not in answer.content


@pytest.mark.parametrize("user", ["bob", "carol"])
@pytest.mark.parametrize("route", ["videos", "videos?dag=clips", "sums", *FILES])
def test_one_without_the_right_to_xcoms_sees_nothing(server: Server, user: str, route: str) -> None:
    assert server.get(server.session(user), route).status_code == 403


@pytest.mark.parametrize("token", [None, "forged"])
@pytest.mark.parametrize("route", ["videos", "sums", "gallery", *FILES, "docs"])
def test_without_a_login_there_is_nothing(server: Server, route: str, token: str | None) -> None:
    http = server.session(None)
    if token:
        http.cookies.set("_token", token)
    answer = server.get(http, route)
    # Airflow's own answers; no page of documentation is there, for anybody.
    assert answer.status_code == (404 if route == "docs" else 403 if token else 401)
