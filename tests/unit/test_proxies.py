"""The lossy proxy itself: what it loses was read whole before, on each route, and as a process too."""

from __future__ import annotations

import http.client
import json
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.proxies import LOST_ANSWERS, Exchange, Loss, LossyProxy, Request, always, by_chance, reply, self_signed

SUBMIT = "/v1/video/submit"
ANSWER = reply(200, {"requestId": "a" * 100})


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return self_signed(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def service() -> Iterator[LossyProxy]:
    with LossyProxy(answer=lambda request: ANSWER) as running:
        yield running


def post(port: int, service_port: int, route: str, certificate: Path, body: bytes = b"{}") -> bytes:
    host = f"127.0.0.1:{service_port}"
    target = f"http://{host}{SUBMIT}" if route == "forward" else SUBMIT
    if route == "tunnel":
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(
            "127.0.0.1", port, timeout=5, context=ssl.create_default_context(cafile=str(certificate))
        )
        connection.set_tunnel("127.0.0.1", service_port)
    else:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("POST", target, body, {"Host": host})
        answer: bytes = connection.getresponse().read()
        return answer
    finally:
        connection.close()


@pytest.mark.parametrize("route", ["direct", "forward", "tunnel"])
def test_what_is_not_lost_is_passed_on_byte_for_byte(
    route: str, service: LossyProxy, certificate: tuple[Path, Path]
) -> None:
    with LossyProxy(certificate=certificate) as proxy:
        answer = post(proxy.port, service.port, route, certificate[0], b"\x00\xff" * 100_000)
    assert json.loads(answer) == {"requestId": "a" * 100}
    assert proxy.exchanges == [Exchange(route, "POST", SUBMIT, "NONE", True, 200)]
    assert json.loads(proxy.exchanges[0].answer) == json.loads(answer)
    assert service.requests[0].body == b"\x00\xff" * 100_000


@pytest.mark.parametrize(("route", "scheme"), [("direct", "http"), ("forward", "http"), ("tunnel", "https")])
def test_the_service_names_itself_by_the_scheme_it_is_asked_by(
    route: str, scheme: str, certificate: tuple[Path, Path]
) -> None:
    def answer(request: Request) -> bytes:
        return reply(200, {"url": f"http://{request.headers['host']}/a.mp4"}, {"Content-Type": "application/json"})

    with LossyProxy(answer=answer) as service, LossyProxy(certificate=certificate) as proxy:
        url = json.loads(post(proxy.port, service.port, route, certificate[0]))["url"]
    assert url == f"{scheme}://127.0.0.1:{service.port}/a.mp4"


@pytest.mark.parametrize("loss", [*LOST_ANSWERS, Loss.CUT_UPLOAD_FIN, Loss.CUT_UPLOAD_RST])
@pytest.mark.parametrize("route", ["direct", "forward", "tunnel"])
def test_the_service_has_read_what_is_lost(
    route: str, loss: Loss, service: LossyProxy, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.proxies.server.PATIENCE", 0.3 if loss is Loss.HANG else 20.0)
    with LossyProxy(lose=always(loss, SUBMIT), certificate=certificate) as proxy:
        try:
            answer = post(proxy.port, service.port, route, certificate[0], b"x" * 8_000_000)
        except (OSError, http.client.HTTPException):
            answer = b""
    assert b"requestId" not in answer
    cut = loss.name.startswith("CUT")
    assert service.posts(SUBMIT) == proxy.posts(SUBMIT) == (0 if cut else 1)
    assert proxy.exchanges[0].status == (None if cut else 200)


def test_chance_is_the_same_for_the_same_seed() -> None:
    def drawn(seed: int) -> list[Loss]:
        lose = by_chance(0.3, seed, SUBMIT)
        return [lose(Exchange("direct", "POST", SUBMIT)) for _ in range(1000)]

    assert drawn(1) == drawn(1) != drawn(2)
    assert 200 < sum(loss is not Loss.NONE for loss in drawn(1)) < 400
    assert set(drawn(1)) == {Loss.NONE, *LOST_ANSWERS}
    assert by_chance(1.0, 1, SUBMIT)(Exchange("direct", "POST", "/v1/video/status")) is Loss.NONE


def test_as_a_process(service: LossyProxy, tmp_path: Path) -> None:
    journal = tmp_path / "journal.jsonl"
    command = [sys.executable, "-m", "tests.proxies", "--chance", "1", "--losses", "FIN", "--journal", str(journal)]
    with subprocess.Popen([*command, "--folder", str(tmp_path)], stdout=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout
        started = json.loads(process.stdout.readline())
        with pytest.raises((OSError, http.client.HTTPException)):
            post(started["port"], service.port, "tunnel", Path(started["certificate"]))
        process.terminate()
        assert process.wait(20) == 0
    assert [json.loads(line)["loss"] for line in journal.read_text().splitlines()] == ["FIN"]
    assert service.posts(SUBMIT) == 1
