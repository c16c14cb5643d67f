"""How a worker polls a paid video, on a clock that nobody waits for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise

import pytest

from airflow_provider_siliconflow._airflow.names import AirflowNotFoundException
from airflow_provider_siliconflow.client.models import VideoState, VideoStatus
from airflow_provider_siliconflow.exceptions import (
    SiliconFlowAuthenticationError,
    SiliconFlowConfigError,
    SiliconFlowConnectionError,
    SiliconFlowError,
    SiliconFlowNotFoundError,
)
from airflow_provider_siliconflow.polling import worker
from airflow_provider_siliconflow.polling.decision import (
    CONNECTION_GRACE,
    REJECTION_GRACE,
    PollResult,
    Wait,
    WaitResult,
    WaitStatus,
)
from airflow_provider_siliconflow.polling.worker import poll_once, poll_paid_video, wait_for_paid_video

RUNNING = VideoStatus("v", VideoState.IN_PROGRESS, "InProgress")
READY = VideoStatus("v", VideoState.SUCCEED, "Succeed", urls=("https://s3/c",))
NOT_FOUND = SiliconFlowNotFoundError("404 page not found", status_code=404)
UNAUTHORIZED = SiliconFlowAuthenticationError("no", status_code=401)
AWAY = AirflowNotFoundException("The conn_id `siliconflow_default` isn't defined")
SECRET = "zqA4b5cD6eF7g8H9i0J1"
Poll = Callable[[float], PollResult | Exception]


@dataclass
class Service:
    """A service behind a hook; every poll takes 0.1 s, and a sleep moves time forward."""

    answer: Poll
    now: float = 1000.0
    polls: list[float] = field(default_factory=list)
    settings: str = "as of the last look-up"

    def poll(self, request_id: str) -> PollResult:
        assert request_id == "v"
        self.polls.append(self.now)
        self.now += 0.1
        answer = self.answer(self.now)
        if isinstance(answer, VideoStatus | SiliconFlowError):
            return answer
        raise answer

    def time(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds >= 0
        self.now += max(seconds, 0.001)


Serve = Callable[[Poll], Service]


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Serve:
    """Make a service whose time is the worker's."""

    def make(answer: Poll) -> Service:
        service = Service(answer)
        monkeypatch.setattr(worker, "time", service)
        return service

    return make


@pytest.mark.parametrize("answer", [RUNNING, SiliconFlowConnectionError("reset"), UNAUTHORIZED, KeyError("a mistake")])
def test_what_is_not_over_is_polled_once(serve: Serve, answer: PollResult | Exception) -> None:
    service = serve(lambda now: answer)
    assert poll_paid_video(service, Wait("v", deadline=1e6)) is None
    assert len(service.polls) == 1


def test_a_rejection_that_passes_is_polled_again_in_place(serve: Serve) -> None:
    service = serve(lambda now: READY if now > 1060 else NOT_FOUND)
    result = poll_paid_video(service, Wait("v"))
    assert result
    assert result.video() is READY
    assert 1060 <= service.now <= 1080
    pauses = [after - before for before, after in pairwise(service.polls)]
    assert pauses[0] < 3
    assert 10 < max(pauses) < 16


@pytest.mark.parametrize(("answer", "grace"), [(NOT_FOUND, REJECTION_GRACE), (AWAY, CONNECTION_GRACE)])
def test_a_rejection_that_stays_ends_the_wait_after_the_grace_period(
    serve: Serve, answer: Exception, grace: float
) -> None:
    service = serve(lambda now: answer)
    result = poll_paid_video(service, Wait("v", deadline=1e6))
    assert result
    assert result.status is WaitStatus.REJECTED
    assert 1000 + grace <= service.now <= 1000 + grace + 1
    assert len(service.polls) > 8


def test_a_connection_that_is_not_found_for_a_while_is_asked_for_again(serve: Serve) -> None:
    service = serve(lambda now: RUNNING if now > 1200 else AWAY)
    assert poll_paid_video(service, Wait("v", deadline=1e6)) is None
    assert service.now > 1200


def test_a_grace_period_that_the_trigger_has_spent_needs_no_other(serve: Serve) -> None:
    service = serve(lambda now: NOT_FOUND)
    result = poll_paid_video(service, Wait("v", deadline=1e6, rejected_since=1000 - REJECTION_GRACE))
    assert result
    assert result.status is WaitStatus.REJECTED
    assert len(service.polls) == 1


def test_the_deadline_comes_before_the_end_of_the_grace_period(serve: Serve) -> None:
    service = serve(lambda now: NOT_FOUND)
    result = poll_paid_video(service, Wait("v", deadline=1050))
    assert result
    assert result.status is WaitStatus.TIMED_OUT
    assert 1050 <= service.now <= 1051


def test_after_a_rejected_key_the_connection_is_looked_up_again(serve: Serve) -> None:
    service = serve(lambda now: UNAUTHORIZED)
    poll_paid_video(service, Wait("v", deadline=1e6))
    assert not vars(service).get("settings")


def waited(service: Service, deadline: float = 3000.0, interval: float = 15.0) -> WaitResult:
    wait = Wait("v", deadline)
    return wait_for_paid_video(service, wait, poke_interval=interval)


def test_a_worker_waits_until_the_video_is_ready(serve: Serve) -> None:
    service = serve(lambda now: READY if now > 1300 else RUNNING)
    assert waited(service).video() is READY
    assert 1300 <= service.now <= 1316


@pytest.mark.parametrize("answer", [RUNNING, UNAUTHORIZED, SiliconFlowConnectionError("reset")])
def test_a_worker_waits_no_longer_than_until_the_deadline(serve: Serve, answer: PollResult) -> None:
    service = serve(lambda now: answer)
    result = waited(service)
    assert (result.status, result.last) == (WaitStatus.TIMED_OUT, answer)
    assert 3000 <= service.now <= 3001


def test_polls_that_fail_become_rarer_where_the_interval_is_short(serve: Serve) -> None:
    service = serve(lambda now: UNAUTHORIZED)
    waited(service, interval=0.01)
    assert len(service.polls) < 50


@pytest.mark.parametrize("outage", [NOT_FOUND, UNAUTHORIZED, AWAY, SiliconFlowConfigError("no key")])
def test_an_outage_ends_no_wait_in_a_worker(serve: Serve, outage: Exception) -> None:
    service = serve(lambda now: READY if now > 1300 else outage if 1100 < now < 1200 else RUNNING)
    assert waited(service).video() is READY


@pytest.mark.parametrize("kind", [ValueError, RuntimeError, AirflowNotFoundException])
def test_no_foreign_error_shows_a_secret(serve: Serve, kind: type[Exception]) -> None:
    """A secrets backend or an HTTP library names in its errors what it was given."""
    wait = Wait("v")
    poll_once(serve(lambda _: kind(f"GET https://vault/v1?token={SECRET} with sk-{SECRET}: 403")), wait)
    assert wait.last
    assert SECRET not in str(wait.last)
