"""Airflow's ``execution_timeout`` and other ends of a task reach the task, whatever the archive is at."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.execution_time.timeout import TimeoutPosix

from airflow_provider_siliconflow.archive import prepare, stores, threads
from airflow_provider_siliconflow.archive.archiver import DownloadOptions, VideoFacts, archive_video
from airflow_provider_siliconflow.archive.threads import bounded, run_archive
from airflow_provider_siliconflow.archive.writer import FileWriter
from airflow_provider_siliconflow.exceptions import DestinationError, SiliconFlowError
from tests.releases import AirflowTaskTimeout
from tests.unit.archive.origin import BODY, Origin, Reply, cut

OWNER = "a_dag/run/video/-1"


class Threaded:
    """An origin that serves from a thread of its own."""

    def __init__(self, origin: Origin) -> None:
        self.origin = origin
        self.loop = asyncio.new_event_loop()

    @contextmanager
    def served(self) -> Iterator[Origin]:
        thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        thread.start()
        asyncio.run_coroutine_threadsafe(self.origin.__aenter__(), self.loop).result(10)
        yield self.origin
        asyncio.run_coroutine_threadsafe(self.origin.__aexit__(None, None, None), self.loop).result(10)
        self.loop.call_soon_threadsafe(self.loop.stop)
        thread.join(10)


@pytest.fixture
def origin() -> Iterator[Origin]:
    with Threaded(Origin()).served() as origin:
        yield origin


def archiving(origin: Origin, folder: Path, **changes: Any) -> Callable[[], Coroutine[Any, Any, dict[str, Any]]]:
    options = DownloadOptions(origin.base_url, max_backoff=0, max_attempts=10**6, **changes)
    return lambda: archive_video(
        f"{folder}/clip.mp4", url=origin.url(), video=VideoFacts("abc"), options=options, owner=OWNER
    )


def assert_times_out(call: Callable[[], Any], seconds: float) -> None:
    with pytest.raises(AirflowTaskTimeout), TimeoutPosix(seconds):
        call()


def test_what_comes_out_is_returned_or_raised(origin: Origin, tmp_path: Path) -> None:
    assert run_archive(archiving(origin, tmp_path))["bytes"] == len(BODY)

    async def fail(error: BaseException) -> None:
        raise error

    for error in (ValueError("x"), TimeoutError("its own"), AirflowTaskTimeout("from inside"), SystemExit(3)):
        with pytest.raises(type(error)) as caught:
            run_archive(lambda error=error: fail(error))  # type: ignore[misc]
        assert caught.value is error


@pytest.mark.parametrize("reply", [Reply(503), cut(1000), cut(1000, "stall"), cut(1000, "reset")])
def test_no_alarm_is_taken_for_a_failed_connection(origin: Origin, tmp_path: Path, reply: Reply) -> None:
    """The alarm rings at seeded moments of a download that goes wrong all the time."""
    chance = random.Random(20261127)
    origin.otherwise = lambda request: reply
    for _ in range(14):
        assert_times_out(lambda: run_archive(archiving(origin, tmp_path)), chance.uniform(0.02, 0.12))
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_other_ends_of_a_task(
    origin: Origin, tmp_path: Path, error: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TimeoutPosix, "handle_timeout", lambda *_: (_ for _ in ()).throw(error))
    origin.otherwise = lambda request: cut(1000, "stall")
    with pytest.raises(error), TimeoutPosix(0.1):
        run_archive(archiving(origin, tmp_path))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("where", ["disk", "store"])
def test_nothing_that_hangs_holds_the_task(
    origin: Origin, tmp_path: Path, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    released, hangs = threading.Event(), threading.Event()

    def hang(*_: Any) -> None:
        hangs.set()
        released.wait(60)

    monkeypatch.setattr(threads, "CLEANUP_TIMEOUT", 0.1)
    if where == "disk":
        monkeypatch.setattr(FileWriter, "_store", hang)
    else:
        monkeypatch.setattr(stores, "create", hang)
    assert_times_out(lambda: run_archive(archiving(origin, tmp_path)), 1.5)
    assert hangs.is_set()
    released.set()


def test_no_thread_holds_the_process() -> None:
    """The process ends by itself while threads of its archiving and of its preparation are asleep for minutes."""
    code = """
import asyncio, time
from airflow.sdk.execution_time.timeout import TimeoutPosix
from airflow_provider_siliconflow.archive import threads
threads.CLEANUP_TIMEOUT = 0.1

async def archive():
    await asyncio.gather(asyncio.to_thread(time.sleep, 300), asyncio.to_thread(time.sleep, 300))

try:
    with TimeoutPosix(0.3):
        threads.run_archive(archive)
except BaseException as error:
    print(type(error).__name__)
try:
    threads.bounded(lambda: time.sleep(300), 0.1, "/clips/clip.mp4")
except Exception as error:
    print(error)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert run.stdout.splitlines()[-2:] == [
        "AirflowTaskTimeout",
        "Cannot archive: /clips/clip.mp4: the store did not answer within 0 s (store_timeout of the SiliconFlow"
        " connection).",
    ]


def test_no_task_of_the_loop_is_left() -> None:
    ended = []

    async def wait() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    async def start() -> str:
        kept.extend(asyncio.ensure_future(wait()) for _ in range(3))
        await asyncio.sleep(0)
        return "done"

    kept: list[asyncio.Future[None]] = []
    assert run_archive(start) == "done"
    assert ended == [True] * 3


def test_many_run_at_once_in_one_loop(origin: Origin, tmp_path: Path) -> None:
    async def all_of_them() -> Any:
        folders = [tmp_path / str(number) for number in range(8)]
        return await asyncio.gather(*(archiving(origin, folder)() for folder in folders))

    assert len(run_archive(all_of_them)) == 8


def test_a_store_that_does_not_answer_is_told_before_paying(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    released = threading.Event()
    monkeypatch.setattr(prepare, "check_writable", lambda *_, **__: released.wait(60))
    with pytest.raises(DestinationError, match=r"clip\.mp4: the store did not answer within"):
        prepare.prepare_destination(f"{tmp_path}/clip.mp4", owner=OWNER, if_exists="fail", timeout=0.1)
    released.set()


def test_the_bounded_call_keeps_its_own_errors() -> None:
    def fail() -> None:
        raise TimeoutError("of the store")

    with pytest.raises(TimeoutError, match="of the store"):
        bounded(fail, 10, "s3://b/c")


def test_a_store_that_hangs_after_the_download_has_a_limit(
    origin: Origin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    released = threading.Event()
    monkeypatch.setattr(stores, "create", lambda *_: released.wait(60))
    began = time.monotonic()
    with pytest.raises(SiliconFlowError, match="did not take the video within"):
        run_archive(lambda: _unclaimed(origin, tmp_path))
    assert time.monotonic() - began < 60
    released.set()


async def _unclaimed(origin: Origin, folder: Path) -> dict[str, Any]:
    options = DownloadOptions(origin.base_url, timeout=0.5, min_rate=1e9)
    return await archive_video(f"{folder}/clip.mp4", url=origin.url(), video=VideoFacts("abc"), options=options)
