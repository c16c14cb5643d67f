"""A call ends in time and within its bytes, whatever the other side sends; a task's time-out gets through at once."""

from __future__ import annotations

import gzip
import json
import signal
import socket
import ssl
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_siliconflow.client.models import VideoRequest
from airflow_provider_siliconflow.client.response import MAX_BODY
from airflow_provider_siliconflow.exceptions import (
    SiliconFlowBadRequestError,
    SiliconFlowConnectionError,
    SiliconFlowError,
    SubmitOutcomeUnknownError,
)
from airflow_provider_siliconflow.hooks.siliconflow import SiliconFlowHook
from tests.proxies import self_signed
from tests.unit.hooks.fixtures import CALLS, Caller, Connect, submit
from tests.unit.hooks.scripted_server import Drip, ScriptedServer, Step, reply

ID = "gs6fhi8yrhxt"
GOOD = reply(200, {"padding": "x" * 100, "requestId": ID, "status": "InQueue"})
HEAD = GOOD.index(b"\r\n\r\n") + 4
#: Slow answers: seconds until header or body are whole are many times the time limit of the call.
SLOW = {"header": Drip(GOOD), "body": Drip(GOOD, HEAD), "interim": Drip(b"HTTP/1.1 103 Early\r\n\r\n" + GOOD, 22)}
BIG = VideoRequest("Wan-AI/Wan2.2-I2V-A14B", "it moves", "960x960", image="data:image/png;base64," + "A" * (12 << 20))


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return self_signed(tmp_path_factory.mktemp("tls"))


@pytest.fixture(params=[False, True], ids=["plain", "TLS"])
def service(
    request: pytest.FixtureRequest, connect: Connect, certificate: tuple[Path, Path]
) -> Iterator[ScriptedServer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    with ScriptedServer(tls=context if request.param else None) as running:
        connect(running.url, timeout=1.2, max_attempts=1, verify=str(certificate[0]))
        yield running


@pytest.mark.parametrize("slow", SLOW.values(), ids=SLOW)
@CALLS
def test_the_time_limit_is_for_the_whole_call(route: str, ask: Caller, service: ScriptedServer, slow: Drip) -> None:
    service.script = [slow]
    with pytest.raises((SubmitOutcomeUnknownError, SiliconFlowConnectionError)):
        ask()
    assert len(service.requests) == 1


def test_the_time_limit_holds_in_a_thread(service: ScriptedServer) -> None:
    service.script = [SLOW["header"]]
    raised: list[BaseException] = []

    def run() -> None:
        try:
            submit()
        except SiliconFlowError as error:
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(20)
    assert isinstance(raised[0], SubmitOutcomeUnknownError)
    assert "no whole response within 1.2 s" in str(raised[0])


@CALLS
def test_a_whole_answer_that_is_not_ended_is_taken(route: str, ask: Caller, service: ScriptedServer) -> None:
    # Neither Content-Length nor the end of the connection says that it is whole.
    service.script = [Drip(GOOD.replace(b"Content-Length", b"X-Length") + b" " * 100, len(GOOD))]
    taken = ask()
    assert taken.request_id == ID


def test_a_proxy_that_dribbles_before_the_tunnel_stands(connect: Connect, server: ScriptedServer) -> None:
    server.script = [Drip(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100 + b"\r\n\r\n")]
    connect("https://api.test/v1", timeout=0.6, max_attempts=1, proxy=f"http://127.0.0.1:{server.port}")
    with pytest.raises(SiliconFlowConnectionError, match="Nothing was submitted") as caught:
        submit()
    assert not caught.value.sent


@contextmanager
def nobody_reads(connect: Connect, **fields: Any) -> Iterator[None]:
    """Point the connection at a service that accepts and does not read."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        connect(f"http://127.0.0.1:{listener.getsockname()[1]}/v1", max_attempts=1, **fields)
        yield


def test_an_upload_that_nobody_reads(connect: Connect) -> None:
    with nobody_reads(connect, timeout=0.6), pytest.raises(SubmitOutcomeUnknownError, match="within"):
        submit(BIG)


def test_a_name_that_is_not_resolved(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: over.wait(20))
    connect("http://api.test/v1", timeout=0.3, max_attempts=1)
    with pytest.raises(SiliconFlowConnectionError, match="was not resolved in time") as caught:
        submit()
    over.set()
    assert not caught.value.sent


class _TimedOut(BaseException):
    """What Airflow's execution_timeout is: no Exception, raised by a signal's handler."""


@contextmanager
def alarm(seconds: float) -> Iterator[None]:
    def ring(*_: object) -> None:
        raise _TimedOut

    before = signal.signal(signal.SIGALRM, ring)
    # Again after a while: Python drops what is raised in the callback of a weak reference, as threads have.
    signal.setitimer(signal.ITIMER_REAL, seconds, 5)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("step", [Step.HANG, *SLOW.values()], ids=["no answer", *SLOW])
def test_a_tasks_time_out_gets_through_while_an_answer_is_awaited(
    service: ScriptedServer, connect: Connect, step: Any
) -> None:
    service.script = [step]
    hook = SiliconFlowHook()
    object.__setattr__(hook.settings, "timeout", 60.0)
    with alarm(0.4), pytest.raises(_TimedOut):
        hook.get_video_status(ID)


def test_a_tasks_time_out_gets_through_an_upload_and_a_look_up(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    with nobody_reads(connect, timeout=60), alarm(0.4), pytest.raises(_TimedOut):
        submit(BIG)
    over = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: over.wait(20))
    connect("http://api.test/v1", timeout=60, max_attempts=1)
    with alarm(0.4), pytest.raises(_TimedOut):
        submit()
    over.set()


ENDLESS: dict[str, Callable[[Any], bytes]] = {
    "body": lambda request: reply(200, b'{"x": "' + b"x" * (4 * MAX_BODY) + b'"}'),
    "body without a length": lambda request: b"HTTP/1.1 200 OK\r\n\r\n" + b"[" * (4 * MAX_BODY),
    "chunks": lambda request: (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + (b"8000\r\n" + b"x" * 0x8000 + b"\r\n") * 100
    ),
    "headers": lambda request: b"HTTP/1.1 200 OK\r\n" + b"".join(b"X: %s\r\n" % (b"x" * 60_000) for _ in range(90)),
    "interim answers": lambda request: b"HTTP/1.1 103 Early\r\nX: %s\r\n\r\n" % (b"x" * 8000) * 250,
    "gzip": lambda request: reply(200, gzip.compress(b" " * (64 << 20)), {"Content-Encoding": "gzip"}),
    "gzip of gzip": lambda request: reply(
        200, gzip.compress(gzip.compress(b" " * (64 << 20))), {"Content-Encoding": "gzip, gzip"}
    ),
}


@pytest.mark.parametrize("answer", ENDLESS.values(), ids=ENDLESS)
@CALLS
def test_an_answer_has_a_limit_of_bytes(
    route: str, ask: Caller, connect: Connect, server: ScriptedServer, answer: Callable[[Any], bytes]
) -> None:
    connect(server.url, max_attempts=1)
    server.script = [answer]
    with pytest.raises(SiliconFlowError) as caught:
        ask()
    assert len(str(caught.value)) < 2000
    assert isinstance(caught.value, SubmitOutcomeUnknownError) == (route == "submit")


def test_an_id_at_the_beginning_of_an_endless_answer_is_taken(connect: Connect, server: ScriptedServer) -> None:
    connect(server.url)
    server.script = [reply(200, b'{"requestId": "gs6fhi8yrhxt", "x": "' + b"x" * (4 * MAX_BODY))]
    assert submit().request_id == ID


def deflated(body: bytes) -> bytes:
    return zlib.compress(body)


BODY = json.dumps({"requestId": ID, "status": "InQueue"}).encode()
ENCODED = {
    "none": reply(200, BODY),
    "empty": reply(200, BODY, {"Content-Encoding": ""}),
    "identity": reply(200, BODY, {"Content-Encoding": "Identity"}),
    "gzip that is none": reply(200, BODY, {"Content-Encoding": "gzip"}),
    "br that is none": reply(200, BODY, {"Content-Encoding": "br"}),
    "deflate that is none": reply(200, BODY, {"Content-Encoding": "deflate"}),
    "gzip": reply(200, gzip.compress(BODY), {"Content-Encoding": "gzip"}),
    "x-gzip": reply(200, gzip.compress(BODY), {"Content-Encoding": "X-GZIP"}),
    "gzip without a word": reply(200, gzip.compress(BODY)),
    "deflate": reply(200, zlib.compress(BODY), {"Content-Encoding": "Deflate"}),
    "gzip cut short": reply(200, gzip.compress(BODY)[:-6], {"Content-Encoding": "gzip"}),
}


@pytest.mark.parametrize("answer", ENCODED.values(), ids=ENCODED)
@CALLS
def test_bytes_are_believed_before_headers(route: str, ask: Caller, connected: ScriptedServer, answer: bytes) -> None:
    connected.script = [answer]
    assert ask().request_id == ID
    headers = connected.requests[0].headers
    assert headers["accept-encoding"] == "identity"
    assert headers["user-agent"].startswith("airflow-provider-siliconflow/")


@pytest.mark.parametrize("status", [100, 102, 103])
@CALLS
def test_interim_answers_are_passed_over(route: str, ask: Caller, connected: ScriptedServer, status: int) -> None:
    interim = f"HTTP/1.1 {status} Wait\r\nLink: </a>\r\n\r\n".encode()
    connected.script = [interim * 3 + GOOD]
    assert ask().request_id == ID


def test_a_rejection_that_comes_while_a_big_image_goes_out_is_one(connect: Connect) -> None:
    """nginx answers 413 and closes without reading on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def reject() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1 << 16)
                connection.sendall(reply(413, {"code": 20043, "message": "too large"}))
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(1 << 20):
                    pass

        thread = threading.Thread(target=reject, daemon=True)
        thread.start()
        connect(f"http://127.0.0.1:{listener.getsockname()[1]}/v1")
        with pytest.raises(SiliconFlowBadRequestError, match="too large"):
            submit(BIG)
        thread.join(20)


def test_an_answer_of_nothing_but_digits_does_not_block(connected: ScriptedServer) -> None:
    connected.script = [reply(200, b"[" + b"9" * (MAX_BODY - 2) + b"]")]
    with pytest.raises(SubmitOutcomeUnknownError):
        submit()
