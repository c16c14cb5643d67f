"""Every way in which an answer is lost × every route to the service: one POST at most, and the truth about the bill."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from airflow_provider_siliconflow.client.models import VideoRequest
from airflow_provider_siliconflow.exceptions import (
    SiliconFlowConnectionError,
    SiliconFlowServerError,
    SubmitOutcomeUnknownError,
)
from tests.proxies import LOST_ANSWERS, Loss, LossyProxy, Request, always, reply, self_signed
from tests.unit.hooks.fixtures import ATTEMPTS, VIDEO, Caller, Connect, submit

ID = "gs6fhi8yrhxt"
SUBMIT, STATUS = "/v1/video/submit", "/v1/video/status"
ROUTES = ("direct", "direct TLS", "forward", "forward over TLS", "tunnel", "tunnel over TLS")
#: About 3 MB of base64: several times what the sockets' buffers hold.
IMAGE = "data:image/png;base64," + base64.b64encode(bytes(3 << 20)).decode()
BIG = VideoRequest("Wan-AI/Wan2.2-I2V-A14B", "it moves", "960x960", image=IMAGE)

Open = Callable[[str, Loss], LossyProxy]


def attempts(loss: Loss) -> int:
    # One time-out is as good as three, and takes a third of the time.
    return 1 if loss is Loss.HANG else ATTEMPTS


def service(request: Request) -> bytes:
    if request.path == SUBMIT:
        return reply(200, {"padding": "x" * 200, "requestId": ID})
    return reply(200, {"status": "InQueue", "reason": "", "padding": "x" * 100})


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return self_signed(tmp_path_factory.mktemp("tls"), "api.test")


@pytest.fixture
def opened(connect: Connect, certificate: tuple[Path, Path]) -> Iterator[Open]:
    """Start a service at the end of a route and point the default connection at it."""
    running = []

    def start(route: str, loss: Loss) -> LossyProxy:
        tls = route.endswith("TLS")
        proxy = LossyProxy(answer=service, lose=always(loss), certificate=certificate, tls=tls)
        running.append(proxy.__enter__())
        base = (
            f"{proxy.url}/v1" if route.startswith("direct") else f"http{'s' * route.startswith('tunnel')}://api.test/v1"
        )
        through = {} if route.startswith("direct") else {"proxy": proxy.url}
        connect(
            base,
            timeout=1.5 if loss is Loss.HANG else 20,
            max_attempts=attempts(loss),
            verify=str(certificate[0]),
            **through,
        )
        return proxy

    yield start
    for proxy in running:
        proxy.__exit__(None, None, None)


@pytest.mark.parametrize("route", ROUTES)
def test_what_is_not_lost_arrives(route: str, opened: Open, call: Caller) -> None:
    proxy = opened(route, Loss.NONE)
    assert submit(BIG).request_id == ID
    assert call("get_video_status", ID).status_text == "InQueue"
    assert (proxy.posts(SUBMIT), proxy.posts(STATUS)) == (1, 1)
    assert json.loads(proxy.requests[0].body)["image"] == IMAGE


@pytest.mark.parametrize("loss", LOST_ANSWERS, ids=[loss.name for loss in LOST_ANSWERS])
@pytest.mark.parametrize("route", ROUTES)
def test_a_submit_whose_answer_is_lost_is_sent_once_and_reported_as_unknown(
    route: str, loss: Loss, opened: Open, sleeps: list[float]
) -> None:
    proxy = opened(route, loss)
    with pytest.raises(SubmitOutcomeUnknownError) as caught:
        submit(VIDEO)
    assert "Nothing was submitted" not in str(caught.value)
    assert (proxy.posts(SUBMIT), len(proxy.exchanges), sleeps) == (1, 1, [])


@pytest.mark.parametrize("loss", [Loss.CUT_UPLOAD_FIN, Loss.CUT_UPLOAD_RST], ids=["FIN", "RST"])
@pytest.mark.parametrize("route", ROUTES)
def test_a_big_image_cut_half_way_is_sent_once_and_reported_as_unknown(
    route: str, loss: Loss, opened: Open, sleeps: list[float]
) -> None:
    proxy = opened(route, loss)
    with pytest.raises(SubmitOutcomeUnknownError):
        submit(BIG)
    assert (len(proxy.exchanges), sleeps) == (1, [])


@pytest.mark.parametrize("loss", LOST_ANSWERS, ids=[loss.name for loss in LOST_ANSWERS])
@pytest.mark.parametrize("route", ROUTES)
def test_a_poll_whose_answer_is_lost_is_repeated(
    route: str, loss: Loss, opened: Open, sleeps: list[float], call: Caller
) -> None:
    proxy = opened(route, loss)
    with pytest.raises((SiliconFlowConnectionError, SiliconFlowServerError)):
        call("get_video_status", ID)
    assert proxy.posts(STATUS) == attempts(loss)
