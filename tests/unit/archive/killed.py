"""
Kill a publishing process at chosen calls and list what it leaves.

Run as ``python -m tests.unit.archive.killed FOLDER``; prints counts of what was found as JSON. Each victim is a
fork that kills itself at its n-th Python or C call, so that every chosen point is exact and the same in each run.
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
from pathlib import Path

from airflow_provider_siliconflow.archive.destination import understand
from airflow_provider_siliconflow.archive.publish import publish
from airflow_provider_siliconflow.archive.staging import staging

BEFORE, AROUND, LAST = 40, 16, 20
OLD, NEW = b"old" * 1000, bytes(range(256)) * 2000


def facts(body: bytes, request_id: str) -> dict[str, object]:
    return {"request_id": request_id, "bytes": len(body), "sha256": hashlib.sha256(body).hexdigest()}


def work(folder: Path) -> None:
    destination = understand(f"{folder}/clip.mp4", "new")
    with staging(destination.path) as stage:
        with stage.open("wb") as file:
            for start in range(0, len(NEW), 100_000):
                file.write(NEW[start : start + 100_000])
        publish(stage, destination, facts(NEW, "new"), "overwrite")


def run(folder: Path, last: float) -> tuple[int, list[int]]:
    """
    Do the work in a child that dies at its last call.

    :return: The number of calls it made, and those which were ``os.replace``; none if it was killed.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child:
        os.close(writer)
        with os.fdopen(reader) as pipe:
            told = pipe.read()
        os.waitpid(child, 0)
        calls, replaces = json.loads(told or "[0, []]")
        return calls, replaces
    calls, replaced = 0, []

    def count(_: object, event: str, called: object) -> None:
        nonlocal calls
        calls += 1
        if event == "c_call" and called is os.replace:
            replaced.append(calls)
        if calls >= last:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.setprofile(count)
    work(folder)
    sys.setprofile(None)
    os.write(writer, json.dumps([calls, replaced]).encode())
    os._exit(0)


def evaluate(folder: Path, had_old: bool) -> str:
    for name in {found.name for found in folder.iterdir()} - {"clip.mp4", "clip.mp4.json"}:
        if not re.fullmatch(r"\.siliconflow-[0-9a-f]{16}\.(part|manifest)", name):
            return f"broken: {name}"
    video, manifest = folder / "clip.mp4", folder / "clip.mp4.json"
    told = json.loads(manifest.read_text()) if manifest.exists() else None
    body = video.read_bytes() if video.exists() else None
    if body == NEW:
        return {None: "new, unpaired", "new": "both"}.get(
            told and told["request_id"], "broken: new video, old manifest"
        )
    if body != (OLD if had_old else None):
        return "broken: half a video"
    if not had_old:
        return "broken: a manifest alone" if told else "nothing"
    return {None: "old, unpaired", "old": "old"}.get(told and told["request_id"], "broken: a wrong pair")


def main(folder: Path) -> None:
    chance = random.Random(20261122)
    found: collections.Counter[str] = collections.Counter()
    # Once in this process, so that all victims have the same modules loaded and make the same calls.
    work(prepared(folder / "first", had_old=True))
    calls, replaces = run(prepared(folder / "all", had_old=True), float("inf"))
    # Each call around those that give video and manifest their names, the last ones, and some of the others.
    around = [point for replaced in replaces for point in range(replaced - AROUND, replaced + AROUND)]
    points = [*chance.sample(range(1, calls - LAST), BEFORE), *around, *range(calls - LAST, calls)]
    for number, point in enumerate(points):
        had_old = bool(number % 2)
        here = prepared(folder / str(number), had_old)
        run(here, point)
        found[evaluate(here, had_old)] += 1
        work(here)
        if evaluate(here, had_old) != "both":
            found["broken: the retry"] += 1
    print(json.dumps({**found, "broken": [what for what in found if what.startswith("broken")]}))


def prepared(folder: Path, had_old: bool) -> Path:
    folder.mkdir()
    if had_old:
        (folder / "clip.mp4").write_bytes(OLD)
        (folder / "clip.mp4.json").write_text(json.dumps(facts(OLD, "old")))
    return folder


if __name__ == "__main__":
    main(Path(sys.argv[1]))
