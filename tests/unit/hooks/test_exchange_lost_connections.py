"""Failures without an answer: before anything was sent a submit goes out again; after that, never."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_siliconflow.exceptions import (
    SiliconFlowConfigError,
    SiliconFlowConnectionError,
    SubmitOutcomeUnknownError,
)
from tests.proxies import self_signed
from tests.unit.hooks.fixtures import ATTEMPTS, Caller, Connect, submit
from tests.unit.hooks.scripted_server import KEY, Request, Script, ScriptedServer, Step, reply

ID = "gs6fhi8yrhxt"


@pytest.fixture
def refusing() -> int:
    """Return a port where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


@pytest.fixture
def full() -> Iterator[int]:
    """Return a port whose queue is full: a connection to it is never made."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        waiting = [socket.socket() for _ in range(3)]
        for client in waiting:
            client.setblocking(False)
            client.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]
        for client in waiting:
            client.close()


def never_sent() -> None:
    with pytest.raises(SiliconFlowConnectionError) as caught:
        submit()
    assert not caught.value.sent
    assert str(caught.value).endswith("Nothing was submitted, nothing is billed.")
    assert KEY not in str(caught.value)


def lost() -> None:
    with pytest.raises(SubmitOutcomeUnknownError) as caught:
        submit()
    assert isinstance(caught.value.__cause__, SiliconFlowConnectionError)
    assert caught.value.__cause__.sent
    assert KEY not in str(caught.value)


def test_a_refused_port(connect: Connect, refusing: int, sleeps: list[float]) -> None:
    connect(f"http://127.0.0.1:{refusing}/v1")
    never_sent()
    assert len(sleeps) == ATTEMPTS - 1


def test_a_connection_that_is_never_made(connect: Connect, full: int, sleeps: list[float]) -> None:
    connect(f"http://127.0.0.1:{full}/v1", timeout=0.2)
    never_sent()
    assert len(sleeps) == ATTEMPTS - 1


def test_a_host_without_an_address(connect: Connect, sleeps: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    def no_address(*args: Any, **kwargs: Any) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    connect("http://api.invalid/v1")
    with monkeypatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", no_address)
        never_sent()
    assert len(sleeps) == ATTEMPTS - 1


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_refuses(connect: Connect, refusing: int, sleeps: list[float], scheme: str) -> None:
    connect(f"{scheme}://api.invalid/v1", proxy=f"http://user:s3cr3t@127.0.0.1:{refusing}")
    never_sent()
    assert len(sleeps) == ATTEMPTS - 1


@pytest.mark.parametrize("status", [403, 407, 502, 503])
def test_a_proxy_that_opens_no_tunnel(
    connect: Connect, server: ScriptedServer, sleeps: list[float], status: int
) -> None:
    server.script = [reply(status, b"no")]
    connect("https://api.invalid/v1", proxy=f"http://127.0.0.1:{server.port}")
    never_sent()
    assert [request.method for request in server.requests] == ["CONNECT"] * ATTEMPTS
    assert all(KEY not in str(request) for request in server.requests)


#: The request arrived, and no whole answer came back.
LOST: dict[str, Script] = {
    "reset": Step.RESET,
    "reset unread": Step.RESET_UNREAD,
    "closed": Step.CLOSE,
    "read time-out": Step.HANG,
    "no http": b"what?\r\n\r\n",
    "body cut short": b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{",
    "broken chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "too many headers": b"HTTP/1.1 200 OK\r\n" + b"X: 1\r\n" * 200 + b"Content-Length: 2\r\n\r\n{}",
    "endless header": b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\nContent-Length: 2\r\n\r\n{}",
}


@pytest.mark.parametrize("step", LOST.values(), ids=LOST)
def test_an_answer_that_is_lost_is_never_asked_for_again(
    connect: Connect, server: ScriptedServer, sleeps: list[float], step: Script
) -> None:
    connect(server.url, timeout=0.3 if step == Step.HANG else 10)
    server.script = [step]
    lost()
    assert (len(server.requests), sleeps) == (1, [])


@pytest.mark.parametrize("step", LOST.values(), ids=LOST)
def test_a_poll_whose_answer_is_lost_is_repeated(
    call: Caller, connect: Connect, server: ScriptedServer, sleeps: list[float], step: Script
) -> None:
    connect(server.url, timeout=0.3 if step == Step.HANG else 10)
    server.script = [step, reply(200, {"status": "InQueue"})]
    if step == Step.RESET_UNREAD:
        server.script = [step]
        with pytest.raises(SiliconFlowConnectionError):
            call("get_video_status", ID)
        assert len(server.requests) == ATTEMPTS
    else:
        assert call("get_video_status", ID).status_text == "InQueue"
        assert server.posts("/video/status") == 2


def test_a_redirect_is_not_followed_and_the_key_goes_nowhere(
    connect: Connect, server: ScriptedServer, sleeps: list[float]
) -> None:
    with ScriptedServer() as other:
        for status in (301, 302, 303, 307, 308):
            connect(server.url)
            server.script = [reply(status, b"", {"Location": f"{other.url}/video/submit"})]
            with pytest.raises(Exception, match=f"HTTP {status}"):
                submit()
        assert (other.requests, len(server.requests)) == ([], 5)


def test_the_netrc_does_not_replace_the_key(
    connected: ScriptedServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login thief password stolen\ndefault login a password b\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    connected.script = [reply(200, {"requestId": ID})]
    assert submit().request_id == ID
    assert connected.requests[0].headers["authorization"] == f"Bearer {KEY}"


def through(request: Request) -> bytes:
    return reply(200, {"requestId": ID}) if request.target == "http://api.invalid/v1/video/submit" else reply(500)


@pytest.mark.parametrize("where", ["connection", "environment", "environment without scheme"])
def test_a_proxy_is_gone_through(
    connect: Connect, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    server.script = [through]
    proxy = f"127.0.0.1:{server.port}"
    if where == "connection":
        connect("http://api.invalid/v1", proxy=f"http://{proxy}")
    else:
        connect("http://api.invalid/v1")
        monkeypatch.setenv("http_proxy", proxy if where.endswith("scheme") else f"http://{proxy}")
    assert submit().request_id == ID


def test_no_proxy_is_heeded(connected: ScriptedServer, refusing: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{refusing}")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    connected.script = [reply(200, {"requestId": ID})]
    assert submit().request_id == ID


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return self_signed(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def tls(certificate: tuple[Path, Path]) -> Iterator[ScriptedServer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    with ScriptedServer([reply(200, {"requestId": ID})], tls=context) as running:
        yield running


def test_a_certificate_that_nobody_vouches_for(connect: Connect, tls: ScriptedServer, sleeps: list[float]) -> None:
    connect(tls.url)
    never_sent()
    assert tls.requests == []


def test_a_certificate_that_the_connection_vouches_for(
    connect: Connect, tls: ScriptedServer, certificate: tuple[Path, Path]
) -> None:
    for verify in (str(certificate[0]), False, "false"):
        connect(tls.url, verify=verify)
        assert submit().request_id == ID
    assert len(tls.requests) == 3


def test_a_ca_bundle_that_cannot_be_read_is_found_before_anything_is_sent(
    connect: Connect, tls: ScriptedServer, tmp_path: Path
) -> None:
    (tmp_path / "no.pem").write_text("not a certificate")
    for path in (tmp_path / "no.pem", tmp_path / "absent.pem"):
        connect(tls.url, verify=str(path))
        with pytest.raises(SiliconFlowConfigError, match="CA bundle"):
            submit()
    assert tls.requests == []


def test_a_handshake_that_is_cut_off_sent_nothing(
    connect: Connect, server: ScriptedServer, sleeps: list[float]
) -> None:
    server.script = [Step.CLOSE]
    connect(f"https://127.0.0.1:{server.port}/v1", timeout=0.3)
    never_sent()
