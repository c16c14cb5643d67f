"""
Take three prompts to three playable videos: a real Airflow, the sandbox for the service.

``python -m tests.system.demo [--stay]``; ``make demo`` and ``make up`` call it.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
import unicodedata
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import requests

from tests.system.environment import USER
from tests.system.example_run import ArchivedVideo, ExampleRun
from tests.system.processes import ROOT, WaitTimeoutError
from tests.system.stack import Stack, StackFailedError, StackSettings, running

VIDEOS = Path(os.environ.get("DEMO_VIDEOS", ROOT / "demo-videos"))


def demo_settings(archive: Path) -> StackSettings:
    """
    Return the stack of the demo.

    The service makes one video at a time, so that there is a queue to see; each takes 2 to 18 s, not 1 to 9 minutes.
    """
    return StackSettings(
        dags=ROOT / "example_dags",
        env={
            "SILICONFLOW_ARCHIVE": archive.as_uri(),
            "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "tests/system/demo_config"))),
        },
        sandbox=("--speed", "30", "--slots", "1"),
    )


def table(videos: Sequence[ArchivedVideo]) -> str:
    """Return prompts, files, sizes and times as lines of text."""
    rows = [("prompt", "file", "bytes", "made in")]
    for video in videos:
        path = video.path.relative_to(ROOT) if video.path.is_relative_to(ROOT) else video.path
        prompt = video.prompt if len(video.prompt) <= 40 else video.prompt[:39] + "…"
        rows.append((prompt, str(path), f"{video.path.stat().st_size:,}", f"{video.seconds_to_ready:.1f} s"))
    widths = [max(map(_columns, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join((_left(prompt, widths[0]), _left(path, widths[1]), size.rjust(widths[2]), seconds.rjust(widths[3])))
        for prompt, path, size, seconds in rows
    )


def _columns(text: str) -> int:
    """Return how many columns of a terminal the text takes: two for each Chinese character."""
    return sum(2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in text)


def _left(text: str, width: int) -> str:
    return text + " " * (width - _columns(text))


def _say(line: str) -> None:
    print(line, flush=True)


def _stay(stack: Stack) -> None:
    _say(f"\nAirflow is open at {stack.api.url}  user {USER}, password {stack.password}")
    _say(f"The videos, waiting and made: {stack.api.url}/plugin/videos")
    _say("Trigger the examples as you like. Ctrl-C ends everything.")
    with suppress(KeyboardInterrupt):
        while True:
            stack.check()
            time.sleep(1)


def _demo(stay: bool) -> None:
    began = time.monotonic()
    _say("Starting the sandbox and a real Airflow: API server, scheduler, DAG processor, triggerer …")
    with running(demo_settings(VIDEOS)) as stack:
        _say(f"Everything is up after {time.monotonic() - began:.0f} s. Submitting one video for each prompt.")
        videos = ExampleRun(stack, _say).run(seconds=300)
        _say("\n" + table(videos))
        if stay:
            _stay(stack)
    _say(f"\nDone after {time.monotonic() - began:.0f} s; everything that was started is gone. The videos stay.")


def _terminate(*_: object) -> None:
    sys.exit(128 + signal.SIGTERM)


def main() -> int:
    """Run the demo and return the exit code."""
    parser = argparse.ArgumentParser(description="Three videos through a real Airflow and the sandbox.")
    parser.add_argument("--stay", action="store_true", help="keep Airflow's UI open until Ctrl-C")
    signal.signal(signal.SIGTERM, _terminate)
    try:
        _demo(parser.parse_args().stay)
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except (StackFailedError, WaitTimeoutError, requests.RequestException) as error:
        print(f"\nThe demo failed: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
