"""
Benchmark 6: archiving a large video, beside ``curl`` and then ``sha256sum``, from the same server to the same disk.

``python -m tests.benchmarks.archive [--gib 1] [--runs 3] [--folder DIR]``. Ours also checks that it is a video, brings
it to the disk (fsync) and publishes it under its final name; so ``sync`` is shown as well. Each run is a process of its
own, one after the other; the middle one counts. A server that does next to nothing (sendfile) runs beside them.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import resource
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import repeat
from pathlib import Path
from statistics import median
from typing import TypeAlias

from tests.benchmarks.report import head, table

#: What a video begins with.
_HEAD = b"\0\0\0\x20ftypisom\0\0\2\0isomiso2avc1mp41" + b"\0\0\0\x08moov" + b"\0\0\0\0mdat"
_PATTERN = bytes(range(256)) * 4096
#: Returns seconds, CPU seconds, MiB of memory added, SHA-256.
Variant: TypeAlias = Callable[[str, Path], tuple[float, float, float, str]]
OURS = "ours"
PLAIN, SYNCED = "curl, then sha256sum", "curl, then sync, then sha256sum"


def _serve(path: str) -> None:
    """Send a file to everybody who asks for anything, one after the other, for ever."""
    length = Path(path).stat().st_size
    answer = f"HTTP/1.1 200 OK\r\nContent-Type: video/mp4\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    with socket.create_server(("127.0.0.1", 0)) as server:
        print(server.getsockname()[1], flush=True)
        while True:
            client, _ = server.accept()
            with client, Path(path).open("rb") as file:
                while b"\r\n\r\n" not in client.recv(65536):
                    pass
                client.sendall(answer.encode())
                client.sendfile(file)


def _archive(url: str, folder: str) -> None:
    """Archive a video in this process and print what it took, Airflow's own imports left out."""
    from airflow.sdk import ObjectStoragePath

    from airflow_provider_siliconflow.archive.archiver import DownloadOptions, VideoFacts, archive_video

    ObjectStoragePath(folder).exists()
    network = DownloadOptions(api_base_url=url)
    before = resource.getrusage(resource.RUSAGE_SELF)
    begun = time.perf_counter()
    facts = VideoFacts(request_id="clip")
    manifest = asyncio.run(archive_video(f"{folder}/", url=f"{url}/clip.mp4", video=facts, options=network))
    gone = time.perf_counter() - begun
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(json.dumps([gone, cpu, (after.ru_maxrss - before.ru_maxrss) / 1024, manifest["sha256"]]))


@contextmanager
def serving(path: Path) -> Iterator[str]:
    """Run the server; yield its address."""
    argv = [sys.executable, "-m", __spec__.name, "--serve", str(path)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        try:
            yield f"http://127.0.0.1:{server.stdout.readline().strip()}"
        finally:
            server.kill()


def _ours(url: str, folder: Path) -> tuple[float, float, float, str]:
    argv = [sys.executable, "-m", __spec__.name, "--archive", url, str(folder)]
    found = subprocess.run(argv, capture_output=True, text=True, check=True)
    gone, cpu, memory, digest = json.loads(found.stdout.splitlines()[-1])
    return gone, cpu, memory, digest


def _tools(url: str, folder: Path, sync: bool) -> tuple[float, float, float, str]:
    clip = str(folder / "clip.mp4")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begun = time.perf_counter()
    subprocess.run(["curl", "--silent", "--fail", "--noproxy", "*", "--output", clip, f"{url}/clip.mp4"], check=True)
    if sync:
        subprocess.run(["sync", clip], check=True)
    found = subprocess.run(["sha256sum", clip], capture_output=True, text=True, check=True)
    gone = time.perf_counter() - begun
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return gone, cpu, float("nan"), found.stdout.split()[0]


def _measure(variant: Variant, url: str, home: Path, digest: str) -> tuple[float, ...]:
    """Run a variant once, into a folder that is gone and forgotten by the disk before the next run."""
    with tempfile.TemporaryDirectory(dir=home) as folder:
        *figures, found = variant(url, Path(folder))
    subprocess.run(["sync"], check=True)
    if found != digest:
        raise RuntimeError(f"{found} is not the digest of what was served")
    return tuple(figures)


def _write(path: Path, mib: int) -> str:
    """Write what is served and return its SHA-256."""
    digest = hashlib.sha256()
    with path.open("wb") as file:
        for block in (_HEAD, *repeat(_PATTERN, mib)):
            file.write(block)
            digest.update(block)
    return digest.hexdigest()


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gib", type=float, default=1.0)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--folder", help="where to write; by default where temporary files go")
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    parser.add_argument("--archive", nargs=2, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.serve:
        return _serve(chosen.serve)
    if chosen.archive:
        return _archive(*chosen.archive)
    mib = int(chosen.gib * 1024)
    head("Archive", "apache-airflow", "aiohttp")
    variants = {
        PLAIN: lambda url, folder: _tools(url, folder, sync=False),
        SYNCED: lambda url, folder: _tools(url, folder, sync=True),
        OURS: _ours,
    }
    runs: dict[str, list[tuple[float, ...]]] = {name: [] for name in variants}
    with tempfile.TemporaryDirectory(dir=chosen.folder) as home:
        source = Path(home) / "source"
        digest = _write(source, mib)
        with serving(source) as url:
            for _ in range(chosen.runs):
                for name, variant in variants.items():
                    runs[name].append(_measure(variant, url, Path(home), digest))
    _show(mib, runs)
    return None


def _show(mib: int, runs: dict[str, list[tuple[float, ...]]]) -> None:
    middle = {name: [median(column) for column in zip(*found, strict=True)] for name, found in runs.items()}
    plain, synced = (middle[name][0] for name in (PLAIN, SYNCED))
    table(
        ("variant", "seconds", "MiB/s", "CPU seconds", "memory added, MiB", "speed / curl", "speed / curl with sync"),
        [
            (name, gone, mib / gone, cpu, memory if name == OURS else "", plain / gone, synced / gone)
            for name, (gone, cpu, memory) in middle.items()
        ],
    )


if __name__ == "__main__":
    main()
