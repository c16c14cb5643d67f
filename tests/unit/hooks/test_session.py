"""A session for users' own calls, which keeps the key at home."""

from __future__ import annotations

from pathlib import Path

import pytest
import requests

from airflow_provider_siliconflow.hooks.siliconflow import SiliconFlowHook
from tests.unit.hooks.fixtures import Connect
from tests.unit.hooks.scripted_server import KEY, ScriptedServer, Step, reply


def test_a_session_has_the_key_for_the_api_and_for_nothing_else(
    connected: ScriptedServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login a password b\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with ScriptedServer() as other, SiliconFlowHook().get_conn() as session:
        connected.script = [reply(200, {}), reply(302, b"", {"Location": f"{other.url}/stolen"})]
        session.get(f"{connected.url}/models")
        session.get(f"{connected.url}/moved")
        session.post(f"{other.url}/elsewhere", json={})
        assert [request.headers.get("authorization") for request in connected.requests] == [f"Bearer {KEY}"] * 2
        assert [request.headers.get("authorization") for request in other.requests] == [None, None]


def test_a_session_goes_through_the_connections_proxy(connect: Connect, server: ScriptedServer) -> None:
    connect("http://api.test/v1", proxy=f"http://127.0.0.1:{server.port}")
    with SiliconFlowHook().get_conn() as session:
        assert session.get("http://api.test/v1/models").status_code == 200
    assert server.requests[0].target == "http://api.test/v1/models"


def test_a_session_does_not_wait_for_ever(connect: Connect, server: ScriptedServer) -> None:
    connect(server.url, timeout=0.2)
    server.script = [Step.HANG]
    with SiliconFlowHook().get_conn() as session, pytest.raises(requests.ReadTimeout):
        session.get(f"{server.url}/models")
