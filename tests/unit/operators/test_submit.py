"""Money and bad input, audited by the sandbox's ledger: what is lost is paid once, what is wrong is not paid at all."""

from __future__ import annotations

import base64
import socket
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_siliconflow.client.models import IMAGE_TO_VIDEO_MODELS, TEXT_TO_VIDEO_MODELS
from airflow_provider_siliconflow.exceptions import (
    InvalidVideoRequestError,
    SiliconFlowAuthenticationError,
    SiliconFlowConfigError,
    SubmitOutcomeUnknownError,
)
from airflow_provider_siliconflow.operators.video import SubmitVideoOperator
from airflow_provider_siliconflow.sandbox.faults import Fault
from airflow_provider_siliconflow.sandbox.server import Sandbox
from tests.unit.hooks.fixtures import Connect
from tests.unit.hooks.fixtures import submit as submit_video
from tests.unit.hooks.scripted_server import KEY
from tests.unit.worker import TaskRun, in_dag

(T2V,) = TEXT_TO_VIDEO_MODELS
(I2V,) = IMAGE_TO_VIDEO_MODELS
GIF = base64.b64decode("R0lGODlhAQABAAAAACwAAAAAAQABAAACAkQBADs=")


def submitting(**changes: Any) -> TaskRun:
    request = {"prompt": "a cat", "model": T2V, "image_size": "1280x720", "retries": 0}
    return TaskRun(in_dag(SubmitVideoOperator, **request | changes))


@pytest.fixture
def connected(sandbox: Sandbox, connect: Connect) -> Sandbox:
    connect(sandbox.base_url, password=sandbox.key)
    return sandbox


#: What hides the answer to a submit that the service has accepted and billed.
HIDING = (
    *("reset", "gateway_timeout", "server_error", "unknown_error", "unknown_error_200", "bad_gateway"),
    *("not_json", "list", "empty", "no_id"),
)


@pytest.mark.parametrize("kind", HIDING)
def test_an_answer_lost_after_the_service_billed_it(connected: Sandbox, kind: str) -> None:
    connected.script(Fault("submit", kind, after=True))
    with pytest.raises(SubmitOutcomeUnknownError) as caught:
        submit_video()
    ledger = connected.ledger()
    assert (ledger.submit_calls, ledger.accepted, ledger.billed) == (1, 1, 1)
    for fact in (T2V, connected.base_url, "may be running and billed", "The bill on", "clear the task"):
        assert fact in str(caught.value)
    assert connected.key not in str(caught.value)


def test_a_slow_answer_that_is_not_waited_for(connected: Sandbox, connect: Connect) -> None:
    connect(connected.base_url, password=connected.key, timeout=0.3)
    connected.script(Fault("submit", "slow", after=True, seconds=1.5))
    with pytest.raises(SubmitOutcomeUnknownError):
        submit_video()
    ledger = connected.ledger()
    assert (ledger.submit_calls, ledger.billed) == (1, 1)


@pytest.mark.parametrize("kind", ["rate_limited", "overloaded", "busy"])
def test_a_rejected_submit_is_submitted_again_and_paid_once(connected: Sandbox, sleeps: list[float], kind: str) -> None:
    connected.script(Fault("submit", kind, times=2))
    assert submit_video().request_id
    ledger = connected.ledger()
    assert (ledger.submit_calls, ledger.accepted, ledger.billed, len(sleeps)) == (3, 1, 1, 2)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"image_size": "1920x1080"}, "image_size '1920x1080' is not one of 1280x720, 720x1280, 960x960"),
        ({"prompt": " "}, "prompt is empty"),
        ({"model": ""}, "model is empty"),
        ({"model": I2V}, "image is missing"),
        ({"image": "https://host/cat.png"}, "image must not be given"),
        ({"model": I2V, "image": "{folder}/absent.png"}, "cannot be read"),
        ({"model": I2V, "image": "{folder}/text.png"}, "of an unknown type, not png, jpeg, webp or gif"),
        ({"model": I2V, "image": "nowhere://bucket/cat.png"}, "cannot be read"),
        ({"model": I2V, "image": "data:text/plain;base64,aGk="}, "neither an http(s) URL nor"),
        ({"seed": "lucky"}, "seed is 'lucky' (str): it must be an integer"),
    ],
)
def test_bad_input_is_refused_before_money_is_spent(
    connected: Sandbox, tmp_path: Path, changes: dict[str, str], said: str
) -> None:
    (tmp_path / "text.png").write_text("not an image")
    report = submitting(**{name: value.format(folder=tmp_path) for name, value in changes.items()}).finish()
    assert report.state == "failed"
    assert isinstance(report.error, InvalidVideoRequestError)
    assert said in str(report.error)
    assert "Nothing was submitted, nothing is billed." in str(report.error)
    assert connected.ledger().submit_calls == 0


@pytest.mark.parametrize(
    ("host", "password", "kind", "said"),
    [
        ("cn", None, SiliconFlowConfigError, "has no API key"),
        ("cn", "com", SiliconFlowAuthenticationError, "are not interchangeable"),
        ("com", "cn", SiliconFlowAuthenticationError, "/com/v1 answered HTTP 401"),
        ("cn", KEY, SiliconFlowAuthenticationError, "The submit was rejected, nothing is billed."),
        ("no host", "cn", SiliconFlowConfigError, "is not a URL"),
    ],
)
def test_a_connection_that_is_wrong_is_told_and_costs_nothing(
    sandbox: Sandbox, connect: Connect, host: str, password: str | None, kind: type[Exception], said: str
) -> None:
    hosts = {"cn": sandbox.base_url, "com": sandbox.base_url_com}
    keys = {"cn": sandbox.key, "com": sandbox.key_com}
    connect(hosts.get(host, host), password=keys.get(password, password) if password else None)
    report = submitting().finish()
    assert report.state == "failed"
    assert isinstance(report.error, kind)
    assert said in str(report.error)
    ledger = sandbox.ledger()
    assert (ledger.accepted, ledger.billed) == (0, 0)


def test_a_host_where_nobody_listens_costs_nothing(sandbox: Sandbox, connect: Connect, sleeps: list[float]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    connect(f"http://127.0.0.1:{port}/v1")
    task = submitting(submit_timeout=0)
    report = task.finish()
    assert report.state == "failed"
    assert "Nothing was submitted, nothing is billed." in str(report.error)


@pytest.mark.parametrize("path", ["{folder}/cat", "file://{folder}/cat"])
def test_an_image_reaches_the_service(connected: Sandbox, tmp_path: Path, path: str) -> None:
    (tmp_path / "cat").write_bytes(GIF)
    report = submitting(model=I2V, image=path.format(folder=tmp_path)).finish()
    assert (report.state, report.error) == ("success", None)
    ledger = connected.ledger()
    assert (ledger.accepted, ledger.jobs[0]["model"]) == (1, I2V)
