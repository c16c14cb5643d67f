"""
Benchmark 1: the cost of waiting, beside the triggers of two Airflow providers and a bare aiohttp session.

``python -m tests.benchmarks.waiting [--sizes 500 2000 10000] [--seconds 20]``. Needs
apache-airflow-providers-anthropic and apache-airflow-providers-http. Each kind runs in a process of its own on one
core, one after the other; a server that does next to nothing runs on another. Memory is what each wait adds to the
process, less what one trigger that only sleeps adds: Airflow's own. The longest pause for Python's garbage
collector is shown beside the lateness.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from importlib import import_module
from statistics import quantiles
from typing import Any

import psutil

from tests.benchmarks.report import head, table

KINDS = ("asleep", "bare aiohttp", "ours", "HttpSensorTrigger", "AnthropicBatchTrigger")
#: Seconds until everybody has had a first poll: ours come 10 to 15 s after the deferral.
WARM_UP = 16.0
#: Seconds between two polls, so that 400 calls a second are wanted at most.
INTERVALS = {500: 5.0, 2000: 5.0, 10000: 25.0}


class _Asleep:
    """Do nothing, as a trigger."""

    async def run(self) -> AsyncIterator[None]:
        await asyncio.Event().wait()
        yield None


class _Bare:
    """Poll with a shared session and nothing else."""

    session: Any = None

    def __init__(self, number: int, count: int, interval: float, url: str) -> None:
        self.phase, self.interval, self.url = interval * number / count, interval, url

    async def run(self) -> AsyncIterator[None]:
        import aiohttp

        if _Bare.session is None:
            _Bare.session = aiohttp.ClientSession(headers={"Authorization": "Bearer sk-x"})
        await asyncio.sleep(self.phase)
        while True:
            async with _Bare.session.post(self.url + "/v1/video/status", json={"requestId": "x"}) as response:
                if (await response.json())["status"] == "Succeed":
                    yield None
            await asyncio.sleep(self.interval)


def _maker(kind: str, count: int, interval: float, url: str) -> Callable[[int], Any]:
    # Half as many again as are wanted: enough, and no crowd goes through at once.
    extra = {"requests_per_minute": 1.5 * 60 * count / interval}
    os.environ["AIRFLOW_CONN_SF"] = json.dumps(
        {"conn_type": "siliconflow", "host": url + "/v1", "password": "sk-x", "extra": extra}
    )
    os.environ["AIRFLOW_CONN_HTTP"] = json.dumps({"conn_type": "http", "host": url})
    os.environ["AIRFLOW_CONN_CLAUDE"] = json.dumps({"conn_type": "anthropic", "host": url, "password": "sk-x"})
    end = time.time() + 3600
    if kind == "asleep":
        return lambda number: _Asleep()
    if kind == "bare aiohttp":
        return lambda number: _Bare(number, count, interval, url)
    if kind == "ours":
        from airflow_provider_siliconflow.triggers.video import VideoReadyTrigger

        return lambda number: VideoReadyTrigger(f"video{number}", "sf", end, poke_interval=interval)
    if kind == "HttpSensorTrigger":
        sensor = import_module("airflow.providers.http.triggers.http").HttpSensorTrigger
        return lambda number: sensor(endpoint="/wait", http_conn_id="http", poke_interval=interval)
    batch = import_module("airflow.providers.anthropic.triggers.batch").AnthropicBatchTrigger
    return lambda number: batch("claude", f"b{number}", interval, end)


def _resident() -> int:
    """Return the process's memory in bytes."""
    return int(psutil.Process().memory_info().rss)


async def _drive(trigger: Any) -> None:
    async for _ in trigger.run():
        raise AssertionError("nothing is ever ready")


async def _lateness(late: list[float]) -> None:
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + 0.02
        await asyncio.sleep(0.02)
        late.append(loop.time() - due)


def _collections() -> list[float]:
    """Return a list that gets the seconds of each garbage collection from now on."""
    pauses: list[float] = []
    began = 0.0

    def note(phase: str, _: object) -> None:
        nonlocal began
        now = time.perf_counter()
        if phase == "start":
            began = now
        else:
            pauses.append(now - began)

    gc.callbacks.append(note)
    return pauses


async def _calls(port: int) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /count HTTP/1.1\r\n\r\n")
    answer = await reader.readuntil(b"\r\n\r\n")
    length = int(answer.lower().partition(b"content-length:")[2].split()[0])
    calls = int(await reader.readexactly(length))
    writer.close()
    return calls


async def _measure(kind: str, count: int, interval: float, seconds: float, port: int) -> dict[str, float]:
    from airflow.triggers.base import BaseTrigger  # noqa: F401  # what every triggerer has loaded before

    make = _maker(kind, count, interval, f"http://127.0.0.1:{port}")
    warm = asyncio.ensure_future(_drive(make(0)))
    await asyncio.sleep(0.5)
    gc.collect()
    before = _resident()
    tasks = [asyncio.ensure_future(_drive(make(number))) for number in range(1, count)]
    await asyncio.sleep(1.0 if kind == "asleep" else WARM_UP + interval)
    late: list[float] = []
    pauses = _collections()
    clock = asyncio.ensure_future(_lateness(late))
    calls, cpu, begun = await _calls(port), time.process_time(), time.perf_counter()
    await asyncio.sleep(1.0 if kind == "asleep" else seconds)
    calls, cpu, gone = await _calls(port) - calls, time.process_time() - cpu, time.perf_counter() - begun
    most_collecting = max(pauses, default=0.0)
    gc.collect()
    memory = (_resident() - before) / count
    ended = sum(task.done() for task in (warm, *tasks))
    assert not ended, f"{ended} of {count} waits broke off"
    for task in (warm, clock, *tasks):
        task.cancel()
    await asyncio.gather(warm, clock, *tasks, return_exceptions=True)
    if _Bare.session:
        await _Bare.session.close()
    cuts = quantiles(late, n=100)
    return {
        "cpu": 1000 * cpu / max(calls, 1), "rate": calls / gone, "p99": 1000 * cuts[98], "most": 1000 * max(late),
        "memory": memory / 1000, "busy": 100 * cpu / gone, "gc": 1000 * most_collecting,
    }  # fmt: skip


def _one(arguments: list[str]) -> None:
    kind, count, interval, seconds, port = arguments
    logging.disable(logging.CRITICAL)
    print(json.dumps(asyncio.run(_measure(kind, int(count), float(interval), float(seconds), int(port)))))


def _pin(core: int) -> Callable[[], None]:
    cores = sorted(os.sched_getaffinity(0))
    return lambda: os.sched_setaffinity(0, {cores[core % len(cores)]})


def _run(kind: str, count: int, interval: float, seconds: float) -> dict[str, float]:
    me = [sys.executable, "-m"]
    with subprocess.Popen(
        [*me, "tests.benchmarks.server"], stdout=subprocess.PIPE, text=True, preexec_fn=_pin(1)
    ) as server:
        try:
            assert server.stdout
            port = server.stdout.readline().strip()
            found = subprocess.run(
                [*me, "tests.benchmarks.waiting", "--one", kind, str(count), str(interval), str(seconds), port],
                capture_output=True, text=True, preexec_fn=_pin(0), timeout=900, check=False,
            )  # fmt: skip
        finally:
            server.terminate()
    with suppress(IndexError, ValueError):
        result: dict[str, float] = json.loads(found.stdout.splitlines()[-1])
        return result
    raise RuntimeError(found.stderr[-2000:])


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=list(INTERVALS))
    parser.add_argument("--seconds", type=float, default=20.0, help="measured after the warm-up")
    parser.add_argument("--kinds", nargs="+", default=KINDS[1:], choices=KINDS[1:])
    parser.add_argument("--one", nargs=5, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        _one(given.one)
        return
    head(
        "Cost of waiting", "apache-airflow", "aiohttp", "apache-airflow-providers-http",
        "apache-airflow-providers-anthropic",
    )  # fmt: skip
    rows: list[tuple[str | float, ...]] = []
    for count in given.sizes:
        interval = INTERVALS.get(count, 5.0)
        asleep = _run("asleep", count, interval, given.seconds)["memory"]
        bare = 0.0
        for kind in given.kinds:
            found = _run(kind, count, interval, given.seconds)
            bare = found["cpu"] if kind == "bare aiohttp" else bare
            rows.append(
                (
                    f"{count}, {kind}", count / interval, found["rate"], found["cpu"],
                    found["cpu"] / bare if bare else "", found["busy"], found["p99"], found["most"], found["gc"],
                    found["memory"] - asleep,
                )
            )  # fmt: skip
            print(".", end="", flush=True, file=sys.stderr)
    columns = (
        "waiting",
        "calls/s wanted",
        "made",
        "CPU ms a call",
        "x bare",
        "CPU %",
        "late ms, p99",
        "most",
        "longest GC, ms",
        "kB each",
    )
    table(columns, rows)


if __name__ == "__main__":
    main()
