"""Answers that reach nobody: resets, and callers who left."""

from __future__ import annotations

import asyncio
import threading

import pytest
import requests

from airflow_provider_siliconflow.sandbox.faults import Fault
from tests.unit.sandbox.caller import T2V
from tests.unit.sandbox.conftest import Start


@pytest.mark.parametrize("after", [False, True])
def test_a_reset_loses_the_answer(start: Start, after: bool) -> None:
    caller = start()
    caller.sandbox.script(Fault("submit", "reset", after=after))
    with pytest.raises(requests.ConnectionError):
        caller.submit()
    ledger = caller.sandbox.ledger()
    assert (ledger.submit_calls, ledger.accepted, ledger.billed, ledger.answered) == (1, after, after, 0)
    assert ledger.rejections == ({} if after else {"0": 1})


def test_a_late_reset_before_acceptance_bills_nothing(start: Start, pauses: list[float]) -> None:
    caller = start()
    caller.sandbox.script(Fault("submit", "reset", seconds=7))
    with pytest.raises(requests.ConnectionError):
        caller.submit()
    assert caller.sandbox.ledger().rejections == {"0": 1}
    assert pauses == [7]


@pytest.mark.parametrize("after", [False, True])
def test_a_caller_who_left_is_billed_but_not_answered(
    start: Start, after: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    caller, gone, woken, sleep = start(), threading.Event(), threading.Event(), asyncio.sleep

    async def wait_until_gone(_: float) -> None:
        while not gone.is_set():
            await sleep(0.01)
        woken.set()

    monkeypatch.setattr(asyncio, "sleep", wait_until_gone)
    caller.sandbox.script(Fault("submit", "slow", seconds=7, after=after))
    wanted = {"model": T2V, "prompt": "x", "image_size": "960x960"}
    with pytest.raises(requests.ReadTimeout):
        caller.session.post(f"{caller.base_url}/video/submit", json=wanted, headers=caller.headers, timeout=0.1)
    assert caller.sandbox.ledger().billed == after
    gone.set()
    assert woken.wait(30)
    ledger = caller.sandbox.ledger()
    assert (ledger.billed, ledger.answered) == (1, 0)
