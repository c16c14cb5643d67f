"""
Let two tasks publish under one name at once, kill one of them at a chosen call, and list what is there.

Run as ``python -m tests.unit.archive.killed_pairs FOLDER fail|overwrite [SEED]``; prints counts as JSON. Each
task takes the claim, fills a staging file and publishes, as the archiver does; then both are retried.
"""

from __future__ import annotations

import collections
import hashlib
import json
import os
import random
import re
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Literal

from airflow_provider_siliconflow.archive import claim as claims
from airflow_provider_siliconflow.archive.claim_file import ForeignClaimError
from airflow_provider_siliconflow.archive.destination import understand
from airflow_provider_siliconflow.archive.existing import resolve_existing
from airflow_provider_siliconflow.archive.publish import publish
from airflow_provider_siliconflow.archive.staging import staging
from airflow_provider_siliconflow.exceptions import DestinationError

POINTS = 50
BODIES = {name: name.encode() * 50_000 for name in ("old", "one", "two")}


def facts(name: str) -> dict[str, Any]:
    return {"request_id": name, "bytes": len(BODIES[name]), "sha256": hashlib.sha256(BODIES[name]).hexdigest()}


def work(folder: Path, name: str, owner: str, if_exists: Literal["fail", "overwrite"]) -> None:
    destination = understand(f"{folder}/clip.mp4", name)
    if resolve_existing(destination, name, if_exists):
        return
    claim = claims.take(destination.path, owner)
    with staging(destination.path) as stage:
        stage.write_bytes(BODIES[name])
        publish(stage, destination, facts(name), if_exists, claim)
    claims.release_quietly(destination.path, owner)


def start(task: Callable[[], None], last: float, at: float = 0) -> tuple[int, int]:
    """Do the work in a child that stops at one call for a moment and dies at its last; return it and its pipe."""
    reader, writer = os.pipe()
    child = os.fork()
    if child:
        os.close(writer)
        return child, reader
    calls = 0

    def count(*_: object) -> None:
        nonlocal calls
        calls += 1
        if calls == at:
            time.sleep(0.05)
        if calls >= last:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.setprofile(count)
    with suppress(DestinationError, ForeignClaimError):
        task()
    sys.setprofile(None)
    os.write(writer, str(calls).encode())
    os._exit(0)


def finish(started: tuple[int, int]) -> int:
    """Wait for a child and return the calls it made; 0 if it was killed."""
    child, reader = started
    with os.fdopen(reader) as pipe:
        told = pipe.read()
    os.waitpid(child, 0)
    return int(told or 0)


def evaluate(folder: Path) -> str:
    for found in folder.iterdir():
        if not re.fullmatch(r"clip\.mp4(\.json)?|\.siliconflow-[0-9a-f]{16}\.(part|manifest|claim)", found.name):
            return f"broken: {found.name}"
    video, manifest = folder / "clip.mp4", folder / "clip.mp4.json"
    told = json.loads(manifest.read_text())["request_id"] if manifest.exists() else None
    if not video.exists():
        return f"broken: the manifest of {told} alone" if told else "nothing"
    body = video.read_bytes()
    whose = next((name for name, whole in BODIES.items() if body == whole), "nobody")
    if whose == "nobody":
        return "broken: half a video"
    return {whose: f"{whose}, paired", None: f"{whose}, unpaired"}.get(told, "broken: a wrong pair")


def main(folder: Path, if_exists: Literal["fail", "overwrite"], seed: str = "20261127") -> None:
    chance = random.Random(seed)
    found: collections.Counter[str] = collections.Counter()
    # Once in this process, so that all have the same modules loaded and make the same calls.
    work(prepared(folder / "first", if_exists), "one", "a/r/one/-1", if_exists)
    alone = prepared(folder / "alone", if_exists)
    calls = finish(start(lambda: work(alone, "one", "a/r/one/-1", if_exists), float("inf")))
    for number in range(POINTS):
        here = prepared(folder / str(number), if_exists)
        # Of different tasks, which the claim keeps apart, and of two tries of one, which share it.
        owners = ("a/r/one/-1", "a/r/two/-1") if number % 2 else ("a/r/one/-1", "a/r/one/-1")
        # The second one is let in at any moment of the first, which dies some calls later.
        at = chance.randrange(1, calls)
        last = min(calls, at + chance.choice([1, 20, 100, 400]))
        one = start(partial(work, here, "one", owners[0], if_exists), last, at)
        two = start(partial(work, here, "two", owners[1], if_exists), float("inf"))
        finish(one)
        finish(two)
        seen = evaluate(here)
        found[seen] += 1
        for name, owner in zip(("one", "two"), owners, strict=True):
            with suppress(DestinationError, ForeignClaimError):
                work(here, name, owner, if_exists)
        after = evaluate(here)
        if not after.endswith(", paired") or (if_exists == "fail" and seen != "nothing" and seen[:3] != after[:3]):
            found[f"broken: {seen}, then {after}"] += 1
    print(json.dumps({**found, "broken": [what for what in found if what.startswith("broken")]}))


def prepared(folder: Path, if_exists: str) -> Path:
    folder.mkdir()
    if if_exists == "overwrite":
        (folder / "clip.mp4").write_bytes(BODIES["old"])
        (folder / "clip.mp4.json").write_text(json.dumps(facts("old")))
    return folder


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])  # type: ignore[arg-type]
