"""What a trigger makes of the arguments that Airflow stored, by this release or another."""

from __future__ import annotations

import time
from typing import Any, NoReturn

import pytest

from airflow_provider_siliconflow._airflow.names import TaskDeferred
from airflow_provider_siliconflow.client.models import VideoState
from airflow_provider_siliconflow.exceptions import (
    SiliconFlowAuthenticationError,
    SiliconFlowBalanceError,
    SiliconFlowError,
    SiliconFlowPermissionError,
)
from airflow_provider_siliconflow.polling.decision import Wait
from airflow_provider_siliconflow.triggers.base import MIN_DEFERRAL_SECONDS
from airflow_provider_siliconflow.triggers.resume import PaidVideo
from airflow_provider_siliconflow.triggers.video import VideoReadyTrigger
from tests.unit.polling.fakes import EpochClock, Service, now, run, status

ACCOUNT: list[SiliconFlowError] = [
    SiliconFlowAuthenticationError("Invalid token", status_code=401),
    SiliconFlowBalanceError("poor", status_code=402),
    SiliconFlowPermissionError("Forbidden", status_code=403),
]


def test_the_arguments_make_the_trigger_anew() -> None:
    trigger = VideoReadyTrigger("v", "conn", 1.5, poke_interval=None, model="m", submitted_at=0.5)
    path, kwargs = trigger.serialize()
    assert path == "airflow_provider_siliconflow.triggers.video.VideoReadyTrigger"
    assert VideoReadyTrigger(**kwargs).serialize() == (path, kwargs)
    assert VideoReadyTrigger("v", "conn", 1.5, 15.0).serialize()[1]["poke_interval"] == 15.0
    assert kwargs["version"] == 1


def test_version_0_has_an_argument_less_and_version_2_one_more(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    service.answer = lambda request_id: status(request_id, VideoState.SUCCEED)

    async def main() -> None:
        epoch = EpochClock.time()
        older: dict[str, Any] = {"request_id": "v", "siliconflow_conn_id": "conn", "deadline": epoch + 100}
        newer = older | {"version": 2, "of_version_2": 3, "poke_interval": 5.0}
        for kwargs in (older, newer, newer):
            (event,) = [event.payload async for event in VideoReadyTrigger(**kwargs).run()]
            assert (event["status"], event["request_id"]) == ("ready", "v")

    run(main())
    assert caplog.text.count("Arguments of another release are ignored (VideoReadyTrigger: of_version_2)") == 1


@pytest.mark.parametrize("deadline", [None, "soon", float("nan"), float("inf"), -5, [1], 1e300])
def test_an_odd_deadline_is_an_error_that_names_the_video(service: Service, deadline: Any) -> None:
    async def main() -> None:
        odd: dict[str, Any] = {"deadline": deadline, "poke_interval": "x", "submitted_at": "y", "model": 3}
        (event,) = [event.payload async for event in VideoReadyTrigger("v", "conn", **odd).run()]
        assert (event["status"], event["request_id"], event["deadline"]) == ("error", "v", None)
        assert now() >= MIN_DEFERRAL_SECONDS

    run(main())


def test_without_any_argument_there_is_one_event_all_the_same(service: Service) -> None:
    async def main() -> None:
        (event,) = [event.payload async for event in VideoReadyTrigger().run()]
        assert event["status"] == "error"

    run(main())


def test_nothing_is_put_off_longer_than_to_the_deadline() -> None:
    class Task:
        siliconflow_conn_id = "conn"

        def defer(self, *, trigger: VideoReadyTrigger, **more: Any) -> NoReturn:
            raise TaskDeferred(trigger=trigger, **more)

    for left, asked, given in ((60.0, 600.0, 60.0), (600.0, 40.0, 40.0), (-5.0, 40.0, MIN_DEFERRAL_SECONDS)):
        with pytest.raises(TaskDeferred) as deferral:
            PaidVideo("v", 1800.0).defer(Task(), Wait("v", time.time() + left), asked, asked)
        assert deferral.value.trigger.serialize()[1]["first_poll_after"] == pytest.approx(given, abs=5)
        assert deferral.value.trigger.serialize()[1]["min_wait"] == pytest.approx(given, abs=5)
        assert deferral.value.timeout
        assert deferral.value.timeout.total_seconds() >= given + 60
