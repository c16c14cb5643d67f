"""The ledger tells the truth: under concurrency, under any faults, and after a restart."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_siliconflow.sandbox.faults import Fault
from airflow_provider_siliconflow.sandbox.ledger import Ledger
from airflow_provider_siliconflow.sandbox.responses import CANNED
from airflow_provider_siliconflow.sandbox.server import Sandbox
from airflow_provider_siliconflow.sandbox.settings import Settings
from tests.unit.sandbox.caller import NOON, Caller
from tests.unit.sandbox.conftest import Start


def assert_sums_agree(ledger: Ledger, price: float = 2.0) -> None:
    jobs = ledger.jobs
    assert ledger.accepted == len(jobs) == len({job["request_id"] for job in jobs})
    assert ledger.submit_calls == ledger.accepted + ledger.rejected
    assert ledger.rejected == sum(ledger.rejections.values())
    assert ledger.billed == sum(job["billed"] for job in jobs)
    assert ledger.answered == sum(job["answered"] for job in jobs) <= ledger.accepted
    assert ledger.shown == sum(job["shown_at"] is not None for job in jobs) <= ledger.finished
    assert ledger.fetched == sum(job["downloads"] for job in jobs)
    assert ledger.finished == sum(job["outcome"] == "Succeed" for job in jobs)
    assert ledger.failed == sum(job["outcome"] == "Failed" for job in jobs)
    assert sum(ledger.spent.values()) == pytest.approx(price * ledger.billed)


def test_the_ledger_is_true_under_concurrency(start: Start) -> None:
    caller = start(submits_per_minute=60, in_flight=50, fail_chance=0.2)
    caller.sandbox.script(Fault("submit", "reset", after=True, chance=0.2), Fault("submit", "busy", chance=0.2))

    def submit(_: int) -> str | None:
        one = Caller(caller.sandbox)
        try:
            return str(one.submit().json().get("requestId") or "") or None
        except requests.ConnectionError:
            return None
        finally:
            one.close()

    with ThreadPoolExecutor(8) as pool:
        told = {request_id for request_id in pool.map(submit, range(120)) if request_id}
    ledger = caller.sandbox.ledger()
    assert_sums_agree(ledger)
    assert ledger.submit_calls == 120
    assert told == {job["request_id"] for job in ledger.jobs if job["answered"]}
    assert 0 < len(told) < ledger.billed == 50


_FAULTS = st.one_of(
    st.none(),
    st.builds(
        Fault,
        route=st.sampled_from(["submit", "status", "download"]),
        kind=st.sampled_from(["reset", "slow", *CANNED]),
        after=st.booleans(),
    ),
    st.builds(Fault, st.just("download"), st.sampled_from(["cut", "garbage", "changed"]), at_byte=st.integers(1, 900)),
)
_STEPS = st.lists(
    st.tuples(_FAULTS, st.sampled_from(["submit", "submit-failing", "poll", "fetch", "advance"])), max_size=25
)


@pytest.fixture(scope="module")
def audited() -> Iterator[Caller]:
    switches = Settings(tiny=True, submits_per_minute=6, balance=30, url_seconds=600)
    with Sandbox(switches, start=NOON) as sandbox:
        caller = Caller(sandbox)
        yield caller
        caller.close()


@settings(
    max_examples=100, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=_STEPS)
def test_whatever_goes_wrong_the_sums_agree(audited: Caller, steps: list[tuple[Fault | None, str]]) -> None:
    audited.sandbox.reset()
    told: list[str] = []
    urls: list[str] = []
    fetched = 0
    for fault, step in steps:
        if fault is not None:
            audited.sandbox.script(fault)
        try:
            if step.startswith("submit"):
                said = audited.submit(prompt="[fail: x]" if step == "submit-failing" else "x")
                told += _field(said, "requestId")
            elif step == "poll" and told:
                said = audited.status(told[-1])
                videos = (_field(said, "results") or [None])[0] or {}
                urls += [video["url"] for video in videos.get("videos", []) if video["url"]]
            elif step == "fetch" and urls:
                fetched += audited.download(urls[-1]).content.startswith(b"\x00\x00\x00")
            elif step == "advance":
                audited.sandbox.advance(200)
        except requests.RequestException:
            pass
    ledger = audited.sandbox.ledger()
    assert_sums_agree(ledger)
    assert len(told) == len(set(told)) == ledger.answered <= ledger.billed
    assert set(told) <= {job["request_id"] for job in ledger.jobs}
    assert ledger.fetched <= fetched


def _field(answer: requests.Response, name: str) -> list[Any]:
    try:
        value = answer.json()
    except ValueError:
        return []
    return [value[name]] if answer.status_code == 200 and isinstance(value, dict) and name in value else []


def test_jobs_and_ledger_survive_a_restart(tmp_path: Path) -> None:
    switches = Settings(tiny=True, ledger_file=str(tmp_path / "ledger.jsonl"), slots=1)
    with Sandbox(switches, start=NOON) as sandbox:
        caller = Caller(sandbox)
        done, url = caller.ready()
        whole = caller.download(url).content
        caller.submit(model="none")
        caller.download(url, Authorization="x")
        sandbox.script(Fault("submit", "reset", after=True))
        with pytest.raises(requests.ConnectionError):
            caller.submit()
        before, now = sandbox.ledger(), sandbox.clock.now()
        caller.close()
    with (tmp_path / "ledger.jsonl").open("a") as journal:
        journal.write('{"event": "accep')
    with Sandbox(switches, start=now) as sandbox:
        after = sandbox.ledger()
        caller = Caller(sandbox)
        assert caller.status(done).json()["status"] == "Succeed"
        assert caller.exact(url.replace(url.split("/")[2], sandbox.root.split("/")[2])) == (200, whole)
        request_id = caller.request_id()
        assert caller.status(request_id).json()["position"] == 2
        caller.close()
    kept = [{**job, "status_calls": 0} for job in before.jobs]
    assert [{**job, "status_calls": 0} for job in after.jobs] == kept
    for name in (
        "submit_calls",
        "accepted",
        "answered",
        "billed",
        "spent",
        "rejected",
        "shown",
        "fetched",
        "key_leaks",
    ):
        assert getattr(after, name) == getattr(before, name), name
    lines = (tmp_path / "ledger.jsonl").read_text().splitlines()
    assert all(isinstance(json.loads(line), dict) for line in lines)


def test_a_reset_forgets_all(tmp_path: Path) -> None:
    switches = Settings(tiny=True, ledger_file=str(tmp_path / "ledger.jsonl"))
    with Sandbox(switches, start=NOON) as sandbox:
        caller = Caller(sandbox)
        caller.request_id()
        sandbox.script(Fault("models", "busy"))
        assert caller.session.post(f"{sandbox.root}/sandbox/reset", timeout=30).json() == {}
        assert sandbox.ledger() == Ledger(spent={"cn": 0.0, "other": 0.0, "com": 0.0})
        assert caller.get("/models").status_code == 200
        caller.close()
    assert not (tmp_path / "ledger.jsonl").exists()


def test_other_processes_read_and_steer_over_http(start: Start) -> None:
    caller = start()
    root, session = caller.sandbox.root, caller.session
    request_id = caller.request_id(prompt="a dog")
    (job,) = session.get(f"{root}/sandbox/jobs", timeout=30).json()
    assert (job["request_id"], job["status"], job["position"]) == (request_id, "InQueue", 1)
    moved = session.post(f"{root}/sandbox/advance", json={"seconds": 600}, timeout=30)
    assert moved.json() == {"now": NOON + 600}
    (job,) = session.get(f"{root}/sandbox/jobs", timeout=30).json()
    assert (job["status"], job["position"], job["seconds_left"]) == ("Succeed", 0, 0.0)
    ledger = session.get(f"{root}/sandbox/ledger", timeout=30).json()
    assert (ledger["accepted"], ledger["finished"], ledger["jobs"][0]["prompt"]) == (1, 1, "a dog")
    assert session.get(f"{root}/sandbox/ledger?jobs=no", timeout=30).json()["jobs"] == []
    changed = {"account": "cn", "key": "sk-" + "z" * 48}
    assert session.post(f"{root}/sandbox/keys", json=changed, timeout=30).status_code == 200
    assert caller.submit().status_code == 401


@pytest.mark.parametrize(
    ("route", "body"),
    [
        ("advance", "no"),
        ("advance", {}),
        ("advance", {"seconds": -1}),
        ("advance", {"seconds": "soon"}),
        ("keys", {"account": "nobody", "key": "x"}),
        ("keys", []),
    ],
)
def test_a_wrong_order_is_rejected(shared: Caller, route: str, body: Any) -> None:
    answer = shared.session.post(f"{shared.sandbox.root}/sandbox/{route}", json=body, timeout=30)
    assert answer.status_code == 400
    assert answer.json()["error"]
